"""The log in a file: every line of every process, in turns, and beside standard error."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.logs import NoLogFolder, logged_to_file

LINES = 1000
SAY = f"import sys; [print(f'{{n:04}} of a process', file=sys.stderr) for n in range({LINES})]"
SAID = [f"{number:04} of a process" for number in range(LINES)]


def say() -> None:
    subprocess.run([sys.executable, "-c", SAY], check=True)


def test_each_line_is_in_both_places_and_files_take_turns(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, limit = tmp_path / "logs" / "gliowatch.log", 5000
    with logged_to_file(file, limit, 20):
        say()
    assert capfd.readouterr().err.splitlines() == SAID
    files = sorted(file.parent.iterdir(), key=lambda path: int(path.suffix[1:].strip("log") or 0))
    assert [path.name for path in files[:2]] == ["gliowatch.log", "gliowatch.log.1"]
    assert all(path.stat().st_size <= limit for path in files)
    assert [line for path in reversed(files) for line in path.read_text().splitlines()] == SAID


def test_the_oldest_file_goes(tmp_path: Path) -> None:
    file = tmp_path / "gliowatch.log"
    with logged_to_file(file, 5000, 2):
        say()
    assert len(list(tmp_path.iterdir())) == 3
    assert file.read_text().splitlines()[-1] == SAID[-1]


def test_afterwards_standard_error_is_what_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gliowatch.log"
    with logged_to_file(file, 5000, 2):
        sys.stderr.write("within\n")
    subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('after')"], check=True)
    assert "after" in capfd.readouterr().err
    assert "after" not in file.read_text()


def test_a_full_disk_costs_the_file_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with logged_to_file(Path("/dev/full"), 5000, 2):
        say()
    assert capfd.readouterr().err.splitlines() == SAID


def test_without_a_file_nothing_changes(capfd: pytest.CaptureFixture[str]) -> None:
    with logged_to_file(None, 5000, 2):
        say()
    assert capfd.readouterr().err.splitlines() == SAID


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    begin = logged_to_file(tmp_path / "a-file" / "gliowatch.log", 5000, 2)
    with pytest.raises(NoLogFolder, match=r"log\.folder names: .*\.$"), begin:
        pass
