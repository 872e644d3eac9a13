"""A drop rests by the monotonic clock, from the last change of any of its files."""

from daemon.drops import DropKind, DroppedFile
from daemon.intake.file_stability import Stability

FILE = DroppedFile(b"P/a.nii", 10, 1, 1)


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_drop_has_rested_after_ten_quiet_seconds() -> None:
    clock = Clock()
    resting = Stability(10, clock=clock)
    assert not resting.has_rested(b"u", (FILE,))
    clock.seconds = 9.9
    assert not resting.has_rested(b"u", (FILE,))
    clock.seconds = 10
    assert resting.has_rested(b"u", (FILE,))


def test_growth_time_and_replacement_start_the_rest_anew() -> None:
    for changed in (
        DroppedFile(b"P/a.nii", 11, 1, 1),
        DroppedFile(b"P/a.nii", 10, 2, 1),
        DroppedFile(b"P/a.nii", 10, 1, 2),
        DroppedFile(b"P/a.nii", 10, 1, 1, 3),
    ):
        clock = Clock()
        resting = Stability(10, clock=clock)
        resting.has_rested(b"u", (FILE,))
        clock.seconds = 9
        assert not resting.has_rested(b"u", (changed,))
        clock.seconds = 18
        assert not resting.has_rested(b"u", (changed,))
        clock.seconds = 19
        assert resting.has_rested(b"u", (changed,))


def test_one_more_slice_disturbs_the_whole_series() -> None:
    clock = Clock()
    resting = Stability(10, clock=clock)
    resting.has_rested(b"u", (FILE,))
    clock.seconds = 20
    assert not resting.has_rested(b"u", (FILE, DroppedFile(b"P/b", 1, 1, 3)))


def test_drops_that_have_gone_are_forgotten() -> None:
    clock = Clock()
    resting = Stability(10, clock=clock)
    resting.has_rested(b"u", (FILE,))
    resting.keep_only(set())
    clock.seconds = 20
    assert not resting.has_rested(b"u", (FILE,))


def test_a_study_rests_longer_than_a_file() -> None:
    clock = Clock()
    resting = Stability(10, 60, clock)
    resting.has_rested(b"u", (FILE,), DropKind.DICOM)
    clock.seconds = 59
    assert not resting.has_rested(b"u", (FILE,), DropKind.DICOM)
    clock.seconds = 60
    assert resting.has_rested(b"u", (FILE,), DropKind.DICOM)


def test_a_file_that_was_only_moved_does_not_rest_twice() -> None:
    clock = Clock()
    resting = Stability(10, 60, clock)
    loose, filed = DroppedFile(b"a", 10, 1, 1), DroppedFile(b"Q/a", 10, 1, 1)
    resting.has_rested(b"a", (loose,), DropKind.LOOSE)
    clock.seconds = 10
    assert resting.has_rested(b"a", (loose,), DropKind.LOOSE)
    assert not resting.has_rested(b"Q", (filed,), DropKind.DICOM)
    clock.seconds = 60
    assert resting.has_rested(b"Q", (filed,), DropKind.DICOM)
