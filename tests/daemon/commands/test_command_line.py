"""The commands as a person types them, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import gliowatch as front_door
from tests.conftest import FRONTAL, SAMPLES


def gliowatch(*words: str | Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gliowatch", *map(str, words)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=400, check=False
    )


def test_help_loads_no_heavy_package(tmp_path: Path) -> None:
    code = (
        "import sys, gliowatch\n"
        "sys.argv = ['gliowatch', '--help']\n"
        "try: gliowatch.main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'aiohttp', 'pydantic', 'nibabel'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in ("run", "segment", "measure", "info", "records", "train", "evaluate"):
        assert f"  {name} " in done.stdout


def test_the_daemon_and_the_viewer_load_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, daemon.supervisor, viewer.app\n"
        "assert 'torch' not in sys.modules and 'model.network.network' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("measure", "MASK.nii.gz is missing. See gliowatch measure --help."),
        ("measure gone.nii", "MASK.nii.gz: there is no gone.nii."),
        ("measure folder", "MASK.nii.gz: folder is a folder, and must be a file."),
        ("measure file", "file: The file is not a NIfTI image, whatever its name says."),
        ("measure file --scan gone", "--scan: there is no gone."),
        ("nonsense", "There is no command nonsense. See gliowatch --help."),
        ("segmnt", "There is no command segmnt: did you mean segment?"),
        ("info --qqqq", "There is no option --qqqq. See gliowatch info --help."),
        ("info more", "It does not take more. See gliowatch info --help."),
        ("run --settings gone.toml", "--settings: there is no gone.toml."),
        ("run --settings folder", "--settings: folder is a folder, and must be a file."),
        ("segment x", "--out is missing. See gliowatch segment --help."),
        ("segment x -o file", "--out: file is a file, and must be a folder."),
        ("queue cancel", "Name the scans, by id or by number, as in: gliowatch queue cancel 17."),
        (
            "queue retry 99",
            "Nothing was changed: gliowatch queue retry has nothing to do for 99.",
        ),
        ("queue pasue", "ACTION: there is no pasue; choose one of list, pause, resume, cancel,"),
        (
            "users",
            "ACTION is missing; choose one of list, add, disable, enable, reset, role, no-code.",
        ),
        ("users disable", "Name the account, as in: gliowatch users disable ada."),
        ("users add x --role boss", "--role: there is no boss; choose one of reader, uploader,"),
        ("export -o gone/x.csv", "-o gone/x.csv: there is no folder gone."),
        ("export --masks file", "--masks: file is a file, and must be a folder."),
        ("records", "Name one of copy, restore. See gliowatch records --help."),
        ("records restore file", "file is no whole copy of records, so nothing was changed."),
        ("init file", "DIR: file is a file, and must be a folder."),
        ("train --data gone -o out", "--data: there is no folder gone."),
        ("train --data folder -o out", "No <id>/<id>_flair.nii.gz with its _seg.nii.gz was found"),
        ("train --data folder -o out --fold 9", "--fold: it must be 5 or less."),
        ("train --data folder -o out --fold x", "--fold: it must be a whole number."),
        ("bench --batch -1", "--batch: it must be 0 or more."),
    ],
)
def test_a_usage_error_exits_2_with_a_sentence_that_names_what_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    sentence: str,
) -> None:
    (tmp_path / "file").write_text("no scan")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gliowatch", *typed.split()])
    with pytest.raises(SystemExit) as end:
        front_door.main()
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith(f"gliowatch: {sentence}")


def test_weights_that_cannot_be_used_are_named_with_their_setting(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("no weights")
    (tmp_path / "settings.toml").write_text('[model]\nweights = "bad"\n')
    for words in (["info"], ["segment", FRONTAL, "-o", "out"]):
        done = gliowatch(*words, folder=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"gliowatch: model.weights, {tmp_path / 'bad'}: ")
    (tmp_path / "bad").unlink()
    done = gliowatch("run", "--once", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"model.weights, {tmp_path / 'bad'}, is not there" in done.stderr
    assert not (tmp_path / "inbox").exists()


def test_a_misspelt_setting_stops_the_run_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[daemon]\ninbx = 'x'\n")
    done = gliowatch("run", "--once", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"gliowatch: There is no setting named daemon.inbx in {tmp_path / 'settings.toml'}:"
        " did you mean daemon.inbox?\n"
    )


def test_segment_and_measure_agree_and_touch_nothing(tmp_path: Path) -> None:
    before = FRONTAL.stat()
    done = gliowatch("segment", FRONTAL, "-o", "out", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert FRONTAL.stat().st_mtime_ns == before.st_mtime_ns
    folder = tmp_path / "out" / report["scan_id"]
    names = {path.name.removeprefix(report["scan_id"]) for path in folder.iterdir()}
    assert names == {
        "_seg.nii.gz",
        "_overlay.png",
        *(f"_lesion{number}.png" for number in range(1, len(report["lesions"]) + 1)),
        "_planes.png",
        "_montage.png",
        "_report.json",
        "_report.pdf",
        "_manifest.json",
        "source",
    }
    mask = folder / f"{report['scan_id']}_seg.nii.gz"
    measured = json.loads(
        gliowatch("measure", mask, "--scan", FRONTAL, "--json", folder=tmp_path).stdout
    )
    assert measured["volume_ml"] == report["volume_ml"]
    assert measured["volume_voxels"] == report["volume_voxels"]
    assert max(report["lesions"][0]["lobes"].items(), key=lambda lobe: lobe[1])[0] == "frontal"
    assert report["lesions"][0]["side"] == "right"
    for ours, theirs in zip(measured["lesions"], report["lesions"], strict=True):
        assert ours | {"mean_probability": 0} == theirs | {"mean_probability": 0}


def test_segment_as_json_has_an_entry_for_every_input(tmp_path: Path) -> None:
    (tmp_path / "bad.nii").write_text("no scan")
    (tmp_path / "empty").mkdir()
    picture = next((SAMPLES / "a-picture").iterdir())
    words: list[str | Path] = ["bad.nii", picture, "gone.nii", "empty"]
    done = gliowatch("segment", *words, "-o", "out", "--json", folder=tmp_path)
    assert done.returncode == 1
    bad, good, gone, empty = json.loads(done.stdout)
    assert bad["scan"] == "bad.nii"
    assert bad["reason"].startswith("The file is not a NIfTI image")
    assert good["input"]["kind"] == "image"
    assert gone == {"scan": "gone.nii", "reason": "There is no such file or folder."}
    assert empty == {"scan": "empty", "reason": "The folder is empty."}


def test_segment_takes_the_settings_of_a_site(tmp_path: Path, small_weights: Path) -> None:
    (tmp_path / "site.toml").write_text(
        f'[model]\nweights = "{small_weights}"\nthreshold = 0.4\nleast_flair = 0\n'
    )
    words: list[str | Path] = ["segment", FRONTAL, "-o", "out", "--json"]
    done = gliowatch(*words, "--settings", "site.toml", folder=tmp_path)
    (report,) = json.loads(done.stdout)
    assert (report["model"]["name"], report["model"]["threshold"]) == ("small", 0.4)
    other = gliowatch(*words, folder=tmp_path)
    assert json.loads(other.stdout)[0]["model"]["threshold"] == 0.5


def test_segment_goes_on_after_a_bad_file_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "bad.nii").write_text("no scan")
    picture = next((SAMPLES / "a-picture").iterdir())
    done = gliowatch("segment", "bad.nii", picture, "-o", "out", folder=tmp_path)
    assert done.returncode == 1
    assert "bad.nii: The file is not a NIfTI image" in done.stderr
    assert "Research use only" in done.stdout
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_info_tells_versions_weights_and_settings(tmp_path: Path) -> None:
    content = json.loads(gliowatch("info", "--json", folder=tmp_path).stdout)
    assert content["gliowatch"]
    assert len(content["model"]["weights_sha256"]) == 64
    assert content["settings"]["daemon"]["rest_seconds"] == 10
    libraries = {each["codec"]: each["library"] for each in content["codecs"]}
    assert libraries["JPEG 2000"] == "pillow"
    assert [name for name, each in libraries.items() if each == "python-gdcm"] == ["JPEG lossless"]
    table = gliowatch("info", folder=tmp_path).stdout.splitlines()
    (row,) = [line.split() for line in table if line.startswith("  JPEG-LS ")]
    assert row[1] == "pyjpegls"
    assert row[3] == "CharLS"


def test_train_makes_weights_that_evaluate_takes(tmp_path: Path) -> None:
    from tests.training.test_loop import write_case

    for seed, name in enumerate("abcd"):
        write_case(tmp_path / "data", name, seed)
    (tmp_path / "settings.toml").write_text(
        "[training]\nsteps = 2\nbatch = 2\nwidth = 2\nvalidation_share = 0.25\n"
    )
    done = gliowatch("train", "--data", "data", "-o", "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"latest_checkpoint.pth", "best_model.pth", "weights.safetensors"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert not set(split["train"]) & set(split["validation"])
    weights = Path("run/weights.safetensors")
    words: list[str | Path] = [
        "evaluate",
        "--data",
        "data",
        "--weights",
        weights,
        "--json",
        "figures.json",
    ]
    words += ["--page", "page.png"]
    assert gliowatch(*words, folder=tmp_path).returncode == 0
    assert json.loads((tmp_path / "figures.json").read_text())["patients"] == 4
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert (tmp_path / "run" / "curve.png").stat().st_size > 5_000
