"""Kills, crowds and masses against the real process: nothing lost, nothing doubled, memory flat.

In the suite at a small scale; with GLIOWATCH_NODE_SCALE=1 two hundred associations at once and five
thousand objects.
"""

import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.daemon.dicom_node.senders import (
    RealNode,
    associated,
    close_for_sure,
    kept,
    picture,
    pixels,
    real_node,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

KILLS = 20
PAUSE_SECONDS = 0.2  # between a sender's objects: time enough for several kills on any machine
SCALE = float(os.environ.get("GLIOWATCH_NODE_SCALE", "0.15"))
CROWD, MASS = round(200 * SCALE), round(5000 * SCALE)
MEGABYTE = 1 << 20


@pytest.fixture(autouse=True)
def quiet_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders say nothing of each refusal, and close their sockets."""
    monkeypatch.setattr("pynetdicom._config.LOG_HANDLER_LEVEL", "none")
    close_for_sure(monkeypatch)


def say(figures: str) -> None:
    """What the documents name; `pytest -s` shows it."""
    sys.stderr.write(f"{figures}\n")


def send_patiently(node: "Port", each: Dataset) -> bool:
    """One object, again and again until it is answered with success, as a PACS does."""
    for _ in range(60):
        with associated(node.number) as association:
            if association.is_established:
                answer = association.send_c_store(each)
                if getattr(answer, "Status", -1) == 0:
                    return True
        time.sleep(0.5)
    return False


class Port:
    """The node's port, which a new start of it keeps."""

    def __init__(self, number: int) -> None:
        self.number = number


def test_the_receiver_is_killed_in_mid_association_again_and_again(tmp_path: Path) -> None:
    chance = random.Random(5)
    node = RealNode(tmp_path, close_seconds=5.0)
    port = Port(node.port)
    sent = [picture(f"P{number % 2}", f"1.2.{number % 2 + 1}", 100_000) for number in range(60)]
    missing: list[int] = []

    def work(first: int) -> None:
        for number in range(first, len(sent), 2):
            time.sleep(PAUSE_SECONDS)
            if not send_patiently(port, sent[number]):
                missing.append(number)

    senders = [threading.Thread(target=work, args=(first,)) for first in range(2)]
    for sender in senders:
        sender.start()
    kills = 0
    while any(sender.is_alive() for sender in senders):
        time.sleep(chance.uniform(0.1, 0.8))
        if kills < KILLS:
            node.kill()
            kills += 1
            node = RealNode(tmp_path, close_seconds=5.0, port=port.number)
    try:
        node.wait_for(2)
        ends = time.monotonic() + 120
        while any(node.staging.arrived.iterdir()) or any(node.staging.studies.rglob("*.dcm")):
            assert time.monotonic() < ends
            time.sleep(0.2)
        assert missing == []
        say(f"{kills} kills, {len(sent)} objects, {len(node.studies())} folders")
        assert kills >= 5
        found = kept(tmp_path / "inbox")
        assert set(found) == {pixels(each) for each in sent}
        assert sum(found.values()) - len(sent) <= kills  # answered twice only where a kill came
        assert not list(node.staging.arriving.glob("*.dcm"))
    finally:
        node.kill()


def test_many_associations_at_once(tmp_path: Path) -> None:
    with real_node(tmp_path, close_seconds=3.0) as node:
        before = node.memory()
        sent = [picture(f"P{number}", f"1.2.{number + 1}", 20_000) for number in range(CROWD)]
        opened, done = threading.Barrier(CROWD, timeout=900), list[int]()

        def work(each: Dataset) -> None:
            with associated(node.port) as association:
                opened.wait()  # all are open before the first object goes
                answer = association.send_c_store(each)
                done.append(getattr(answer, "Status", -1))

        began = time.monotonic()
        senders = [threading.Thread(target=work, args=(each,)) for each in sent]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        during = node.memory()
        node.wait_for(CROWD, 300)
        say(
            f"{CROWD} associations: {time.monotonic() - began:.0f} s,"
            f" {before / MEGABYTE:.0f} MB before, {during / MEGABYTE:.0f} MB after"
        )
        assert done == [0] * CROWD
        assert kept(node.inbox) == {pixels(each): 1 for each in sent}
        assert during - before < 150 * MEGABYTE


def test_very_many_objects_with_flat_memory(tmp_path: Path) -> None:
    with real_node(tmp_path, close_seconds=5.0) as node:
        held: list[int] = []
        with associated(node.port) as association:
            began = time.monotonic()
            names = set()
            for number in range(MASS):
                each = picture("P1", "1.2.3", 500)
                names.add(pixels(each))
                assert association.send_c_store(each).Status == 0
                if number % 100 == 99:
                    held.append(node.memory() // MEGABYTE)
        say(f"{MASS} objects in {time.monotonic() - began:.0f} s; MB: {held}")
        (folder,) = node.wait_for(1, 300)
        assert set(kept(folder)) == names
        assert held[-1] - held[0] < 30
