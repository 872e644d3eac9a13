"""`gliowatch receive` as a process: it files what came, ends cleanly, and goes on after a kill."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.dicom_node.associations import Ending, read_account
from daemon.operations.contradictions import contradictions
from daemon.operations.verify import verify
from daemon.settings import DicomSettings, Settings, load_settings
from daemon.settings.errors import Stops
from tests.daemon.dicom_node.senders import (
    RealNode,
    associated,
    kept,
    picture,
    pixels,
    real_node,
    send,
)

STUDY = "1.2.3.4"
# pynetdicom as a sender leaves sockets that the other side closed to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.timeout(300)
async def test_a_study_appears_whole_and_is_counted_until_then(tmp_path: Path) -> None:
    sent = [picture("Name^Of 17", STUDY) for _ in range(3)]
    with real_node(tmp_path, close_seconds=3.0) as node:
        with associated(node.port) as association:
            for each in sent:
                answer = association.send_c_store(each)
                assert answer.Status == 0
            settings = load_settings(tmp_path / "settings.toml")
            (tmp_path / "outbox").mkdir()
            held = (await verify(settings)).files
            assert held["waiting"] == 3
            assert node.studies() == []
        (folder,) = node.wait_for(1)
        assert folder.parent.name == "Name^Of 17"
        assert kept(folder) == {pixels(each): 1 for each in sent}
        assert node.end() == 0
    account = read_account(node.staging.state)
    assert account.sums.objects == 3
    assert account.associations[0].ending is Ending.RELEASED
    log = node.log.read_text()
    assert "Name" not in log
    assert "SENDER" not in log
    assert '"event": "node_stopped"' in log
    after = (await verify(settings)).files
    assert after["waiting"] + after["not_seen_yet"] == 3


@pytest.mark.timeout(300)
def test_a_killed_node_goes_on_and_one_that_is_asked_to_end_ends_its_associations(
    tmp_path: Path,
) -> None:
    sent = [picture("P1", STUDY) for _ in range(4)]
    node = RealNode(tmp_path)
    with associated(node.port) as association:
        answers = [association.send_c_store(each) for each in sent[:2]]
        assert [each.Status for each in answers] == [0, 0]
        node.kill()
        association.abort()
    (node.staging.arriving / "tmphalf.dcm").write_bytes(b"half")
    node = RealNode(tmp_path)
    try:
        assert '"event": "halves_removed", "files": 1' in node.log.read_text()
        assert send(node.port, *sent[1:]) == [0, 0, 0]
        (folder,) = node.wait_for(1)
        assert kept(folder) == {pixels(each): 1 for each in sent}
        with associated(node.port) as association:
            began = time.monotonic()
            assert node.end() == 0
            assert time.monotonic() - began < 30
            association.join(30)
            assert association.is_aborted
    finally:
        node.kill()


def receive(folder: Path) -> "subprocess.CompletedProcess[str]":
    """The command over the settings in a folder, which is to fail."""
    command = [sys.executable, "-m", "gliowatch", "receive", "--settings", "settings.toml"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.timeout(300)
def test_two_nodes_on_one_inbox_and_a_port_that_is_taken(tmp_path: Path) -> None:
    with real_node(tmp_path) as node:
        second = receive(tmp_path)
        assert second.returncode == 2
        assert "Another gliowatch runs on this inbox already." in second.stderr
        other = tmp_path / "other"
        other.mkdir()
        text = (
            (tmp_path / "settings.toml")
            .read_text()
            .replace("port = 0\nres", f"port = {node.port}\nres")
        )
        (other / "settings.toml").write_text(text)
        taken = receive(other)
        assert taken.returncode == 2
        assert f"dicom.port {node.port}: Address already in use." in taken.stderr


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"host": "0.0.0.0"}, "does not listen on 0.0.0.0 for anyone"),
        ({"addresses": ["pacs.example"]}, "which is no address and no network"),
        ({"tls_ca": "ca.pem"}, "nothing is encrypted"),
        ({"port": 8737}, "dicom.port and viewer.port are the same"),
    ],
)
def test_settings_that_would_open_the_door_do_not_start(keys: dict[str, object], told: str) -> None:
    settings = Settings(dicom=DicomSettings.model_validate({"on": True, **keys}))
    (fault,) = contradictions(settings)
    assert told in fault.sentence
    assert fault.stops is Stops.RUN


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"host": "0.0.0.0", "addresses": ["10.0.5.0/24"]},
        {"host": "0.0.0.0", "allow_anyone": True},
        {"host": "0.0.0.0", "tls_certificate": "a.pem", "tls_ca": "ca.pem"},
    ],
)
def test_settings_that_say_who_may_send(keys: dict[str, object]) -> None:
    assert contradictions(Settings(dicom=DicomSettings.model_validate({"on": True, **keys}))) == []
