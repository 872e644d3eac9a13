"""Crowds and masses against the real process: nothing lost, nothing doubled, memory flat.

Kills of it are row 26 of the fault suite. In the suite at a small scale; with
GLIOWATCH_NODE_SCALE=1 two hundred associations at once and five thousand objects.
"""

import os
import sys
import threading
import time
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.daemon.dicom_node.senders import (
    SETTINGS,
    associated,
    close_for_sure,
    kept,
    picture,
    pixels,
    real_node,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

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


def test_many_associations_at_once(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f"{SETTINGS}idle_seconds = 900\n")
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
