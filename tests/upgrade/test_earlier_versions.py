"""An installation of an earlier version goes on: its settings, databases, outbox and pages."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.index.database import open_index, open_records
from daemon.index.migrations import INDEX, RECORDS
from daemon.settings import Settings
from tests.conftest import drain, gliowatch, reports
from tests.upgrade.people import TOLD
from tests.upgrade.small_inbox import PICTURE
from tests.viewer.test_house import house_of

HAD_TOKEN = ("ade0a53", "f82d2e3")
GONE = (  # settings, and how their refusal ends
    (
        "daemon.folder_is_patient_id",
        "folder_is_patient_id",
        'set daemon.folder to "patient", "study" or "auto".\n',
    ),
    ("viewer.token", "token", "gliowatch users add NAME --role admin.\n"),
)


def test_its_settings_are_refused_with_what_to_change(site: Path, version: str) -> None:
    defaults = Settings()
    here = defaults.model_copy(update={"daemon": defaults.daemon.relative_to(site)})
    file = site / "settings.toml"
    for key, name, rest in GONE[: 2 if version in HAD_TOKEN else 1]:
        ended = gliowatch(here, "users", "list")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith(f"gliowatch: The setting {key} is gone, since ")
        assert ended.stderr.endswith(rest)
        without = re.sub(rf"^{name} = .*\n", "", file.read_text("utf-8"), flags=re.M)
        file.write_text(without, "utf-8")
    ended = gliowatch(here, "users", "list")
    assert (ended.returncode, ended.stderr) == (0, "")
    if version not in HAD_TOKEN:
        assert "ada: Ada Example, admin" in ended.stdout


async def test_its_databases_become_those_of_today(settings: Settings, tmp_path: Path) -> None:
    for name, opened, steps in (("index", open_index, INDEX), ("records", open_records, RECORDS)):
        path = tmp_path / f"{name}.sqlite"
        shapes = []
        for each in (path, tmp_path / "fresh"):
            async with opened(each):
                pass
            shapes.append(shape(each))
            (tmp_path / "fresh").unlink(missing_ok=True)
        assert shapes[0] == shapes[1]
        assert shapes[0][0] == len(steps)


def shape(path: Path) -> tuple[int, set[tuple[str, ...]]]:
    """How many steps a database has had, and its schema."""
    with closing(sqlite3.connect(path)) as database:
        (had,) = database.execute("PRAGMA user_version").fetchone()
        return had, set(database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def test_the_daemon_goes_on(settings: Settings, site: Path, small_weights: Path) -> None:
    before = len(reports(settings))
    first = gliowatch(settings, "verify")  # as the page on upgrades says, before the first run
    assert first.returncode == 0, first.stdout
    known = settings.daemon.outbox.glob("TCGA-FG-6692/*/source/flair-again.nii")
    shutil.copy(next(known), settings.daemon.inbox / "TCGA-FG-6692" / "once-more.nii")
    shutil.copy(PICTURE, settings.daemon.inbox)
    quick = {"GLIOWATCH_DAEMON__REST_SECONDS": "0.3", "GLIOWATCH_MODEL__LEAST_FLAIR": "0"}
    ended = drain(site, GLIOWATCH_MODEL__WEIGHTS=str(small_weights), **quick)
    assert ended.returncode == 0, ended.stderr
    assert len(reports(settings)) == before + 1
    said = gliowatch(settings, "verify")
    assert "duplicate 2, rejected 1" in said.stdout
    assert (said.returncode, said.stdout.splitlines()[1:]) == (
        0,
        ["Inbox, index and outbox agree."],
    )


async def test_its_scans_are_shown(settings: Settings, version: str) -> None:
    published = {(each["scan_id"], each["patient_id"]) for each in reports(settings)}
    if version not in HAD_TOKEN:  # the scan of nobody was given to a patient, and is shown there
        published = {each for each in published if each[1] != "unassigned"}
    async with house_of(settings) as house:
        worklist = await house.page("/?arrived=all")
        shown = set(re.findall(r"/scans/[0-9a-f]{20}", worklist))
        assert shown == {f"/scans/{scan_id}" for scan_id, _ in published}
        pages = {scan: await house.page(scan) for scan in shown}
        assert any("A comment." in page for page in pages.values()) == (version != "ade0a53")
        for scan, page in pages.items():
            files = set(re.findall(rf'"({scan}/files/[^"]+)"', page))
            assert len(files) > 2
            for file in files:
                assert (await house.client.get(file)).status == 200
        assert TOLD["name"] in await house.page("/patients")
