"""Objects become studies, and a study one folder of the inbox when it is complete."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from daemon.dicom_node.object_storage import Incoming, Room, Status, Store
from daemon.dicom_node.staging import Staging, count_received
from daemon.dicom_node.stow_staging import PostedObjects
from daemon.dicom_node.study_assembly import Sorter
from daemon.pipeline.worker_processes import Slot, WorkerDied
from daemon.settings import Allowance
from tests.daemon.dicom_node.senders import kept, picture, pixels

CLOSE, HOLD = 60.0, 900.0


class InPlace(Slot):
    """A worker's work done here; what a real process does with it, its own tests tell."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_at = b"no such content"

    async def run(
        self, allowance: Allowance, work: Callable[..., Any], *values: Any, **named: Any
    ) -> Any:
        if any(self.dies_at in path.read_bytes() for path in values[0]):
            raise WorkerDied("It died.")
        return work(*values, **named)


class Desk:
    """A sorter with a clock of its own, and associations that the test opens and ends."""

    def __init__(self, folder: Path) -> None:
        self.inbox = folder / "inbox"
        self.inbox.mkdir(exist_ok=True)
        self.staging = Staging(self.inbox)
        self.staging.make()
        self.seconds, self.open = 0.0, set[int]()
        self.slot = InPlace()
        self.restart()

    def restart(self) -> None:
        """As after a kill: only what is on the disk is known."""
        self.sorter = Sorter(self.staging, self.slot, CLOSE, HOLD, lambda: self.seconds)

    def bring(self, sender: int, *objects: Dataset) -> None:
        """As the store does it: the names say which bytes they are."""
        from daemon.dicom_node.associations import Book

        store = Store(self.staging, Book(self.staging.state), 10**9, Room(self.inbox, 0))
        for number, each in enumerate(objects):
            file = self.staging.arriving / f"{number}.dcm"
            each.save_as(file, enforce_file_format=True)
            assert store.keep(Incoming(sender), file) is Status.SUCCESS

    async def look(self, seconds: float = 0.0) -> list[Path]:
        """The folders in the inbox so many seconds later."""
        self.seconds += seconds
        await self.sorter.look(lambda: frozenset(self.open))
        return sorted(self.inbox.glob("*/received-*"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_pause_in_one_association_and_between_two_gives_one_study(desk: Desk) -> None:
    sent = [picture("P1", "1.2.3") for _ in range(4)]
    desk.open = {1}
    desk.bring(1, sent[0])
    assert await desk.look() == []
    assert await desk.look(125) == []  # the association is open still
    desk.bring(1, sent[1])
    assert await desk.look() == []
    desk.open = set()
    assert await desk.look(45) == []  # the sender pauses between two
    desk.open = {2}
    desk.bring(2, sent[2], sent[3])
    assert await desk.look() == []
    desk.open = set()
    assert await desk.look(59) == []
    (folder,) = await desk.look(1)
    assert folder.parent.name == "P1"
    assert kept(desk.inbox) == {pixels(each): 1 for each in sent}
    assert count_received(desk.inbox).whole == 0


async def test_what_one_request_of_stow_brought_is_sorted_with_the_rest(desk: Desk) -> None:
    sent = [picture("P1", "1.2.3") for _ in range(3)]
    desk.bring(1, sent[0])
    posted = PostedObjects(desk.staging, desk.staging.posting)
    for each in sent:
        stream, target = posted.open("")
        whole = BytesIO()
        each.save_as(whole, enforce_file_format=True)
        posted.write(stream, whole.getvalue())
        posted.keep(stream, target)
    assert count_received(desk.inbox).arriving == 3
    posted.arrive(posted.files[1:])
    posted.cancel()
    received = count_received(desk.inbox)
    assert (received.whole, received.arriving) == (3, 0)
    assert await desk.look() == []
    assert list(desk.staging.arrived.iterdir()) == []
    desk.restart()
    (folder,) = await desk.look(CLOSE)
    assert folder.parent.name == "P1"
    assert kept(desk.inbox) == {pixels(each): 1 for each in sent}


async def test_two_studies_interleaved_and_two_patients_with_one_study(desk: Desk) -> None:
    one, two, three = picture("P1", "1.2.3"), picture("P1", "1.2.4"), picture("12/34", "1.2.3")
    desk.bring(1, one, two, three)
    assert await desk.look() == []
    assert count_received(desk.inbox).whole == 3
    folders = await desk.look(CLOSE)
    assert [folder.parent.name for folder in folders] == ["12%2F34", "P1", "P1"]
    assert all(len(list(folder.iterdir())) == 1 for folder in folders)


async def test_a_study_of_which_the_number_is_known_waits_no_longer(desk: Desk) -> None:
    sent = [picture("P1", "1.2.3") for _ in range(3)]
    for each in sent:
        each.NumberOfStudyRelatedInstances = "3"
    desk.open = {1}
    desk.bring(1, *sent[:2])
    assert await desk.look(CLOSE) == []
    desk.bring(1, sent[2])
    (folder,) = await desk.look()
    assert len(list(folder.iterdir())) == 3


async def test_the_same_again_is_kept_once_and_other_bytes_beside_it(desk: Desk) -> None:
    one = picture("P1", "1.2.3")
    other = picture("P1", "1.2.3", uid=one.SOPInstanceUID)
    desk.bring(1, one)
    await desk.look()
    desk.bring(2, one, other)
    await desk.look()
    (folder,) = await desk.look(CLOSE)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
async def test_without_a_patient_or_a_study_or_any_header(desk: Desk) -> None:
    nobody, odd = picture(None, "1.2.3"), picture("../../up", "../../../etc")
    blank = picture("P1", "1.2.9")
    del blank.StudyInstanceUID
    desk.bring(1, nobody, odd, blank)
    file = desk.staging.arriving / "x.dcm"
    file.write_bytes(b"this is nothing")
    file.rename(desk.staging.arrived / f"{40 * '0'}.7.dcm")
    await desk.look()
    folders = await desk.look(CLOSE)
    assert [each.parent.name for each in folders] == [
        "%2E.%2F..%2Fup",
        "P1",
        "unassigned",
        "unassigned",
    ]
    assert {each.parent.parent for each in folders} == {desk.inbox}


async def test_a_header_that_ends_its_worker_holds_up_nobody(desk: Desk) -> None:
    good, bad = picture("P1", "1.2.3"), picture("P2", "1.2.4")
    desk.slot.dies_at = bad.PixelData
    desk.bring(1, good, bad)
    await desk.look()
    folders = await desk.look(CLOSE)
    assert [each.parent.name for each in folders] == ["P1", "unassigned"]


async def test_after_a_kill_it_goes_on_with_what_lies_there(desk: Desk) -> None:
    sent = [picture("P1", "1.2.3") for _ in range(3)]
    desk.bring(1, sent[0])
    await desk.look()
    desk.bring(1, sent[1])  # arrived, and not sorted yet
    (desk.staging.arriving / "half.dcm").write_bytes(b"half")
    assert desk.staging.remove_halves() == 1
    desk.restart()
    assert await desk.look() == []
    desk.bring(5, sent[2])
    await desk.look(1)
    (folder,) = await desk.look(CLOSE)
    assert kept(folder) == {pixels(each): 1 for each in sent}


async def test_an_association_that_never_ends_holds_no_study_for_ever(desk: Desk) -> None:
    desk.open = {1}
    desk.bring(1, picture("P1", "1.2.3"))
    assert await desk.look() == []
    assert await desk.look(HOLD - 1) == []
    assert len(await desk.look(1)) == 1


async def test_a_folder_that_cannot_be_made_is_tried_again(desk: Desk) -> None:
    (desk.inbox / "P1").write_text("a file where the patient's folder would be")
    desk.bring(1, picture("P1", "1.2.3"))
    await desk.look()
    assert await desk.look(CLOSE) == []
    (desk.inbox / "P1").unlink()
    assert len(await desk.look()) == 1


def test_a_half_object_goes_though_the_disk_is_full(tmp_path: Path) -> None:
    half = tmp_path / "half.dcm"
    half.write_bytes(b"1")
    full = Path("/dev/full").open("wb")  # noqa: SIM115 - it cannot be closed
    full.write(b"2")
    incoming = Incoming(1, {half: full})
    assert incoming.leave() == 1
    assert not half.exists()
    assert incoming.files == {}
