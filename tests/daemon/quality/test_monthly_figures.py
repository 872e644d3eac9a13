"""Months and scanners count what is published and reviewed, once each, and mark what drifts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from daemon.index import migrations
from daemon.index.database import Database, open_index, open_joined, open_records
from daemon.index.people.reviews import Decision, add_review
from daemon.index.scans import ScanRow, add_scan, insert_scans
from daemon.index.worklist_rows import catch_up
from daemon.permissions import Role
from daemon.quality.monthly_figures import (
    MonthlyFigures,
    month_before,
    monthly_figures,
    months_of_scanner,
)
from tests.conftest import local_time
from tests.phantoms.reports import MASK
from tests.viewer.test_house import House, open_house, scan_row
from viewer.admin.monthly_figures import key_of
from viewer.sessions import INDEX

NOW = datetime(2026, 11, 20, 12).astimezone()
NUMBERS = count()
PRISMA, AERA = "Siemens Prisma 3 T MR1", "Siemens Aera 1.5 T MR2"
DOUBT = [{"code": "low_confidence", "message": "Please look."}]
REFUSED: dict[str, Any] = {"finding": "not_judged", "volume_ml": None, "lesions": []}


def scan(month: str, scanner: str = PRISMA, **changes: Any) -> ScanRow:
    """A first result of the middle of a month: a tumor, sure, without a doubt."""
    name = f"{next(NUMBERS):020x}"
    report = {"confidence": 0.85, "quality": []} | changes
    row = scan_row(f"P{name}", name, **report)
    return replace(row, published_at=f"{month}-15T12:00:00.000+00:00", scanner=scanner)


def a_month(month: str, scanner: str, of: int, refused: int = 0) -> Iterator[ScanRow]:
    """So many scans of a scanner, with so many that were not analyzed."""
    for number in range(of):
        yield scan(month, scanner, **(REFUSED if number < refused else {}))


async def enter(index: Database, rows: list[ScanRow]) -> None:
    async with index.transaction():
        await insert_scans(index, rows)


async def kept_as_counted(index: Database) -> bool:
    """Whether the kept numbers are those that counting gives."""
    both = "SELECT * FROM {} EXCEPT SELECT * FROM {}"
    names = ("month_figures", "counted_figures")
    return not [
        *await index.rows(both.format(*names)),
        *await index.rows(both.format(*names[::-1])),
    ]


async def test_the_numbers_of_a_set_made_by_hand(tmp_path: Path) -> None:
    async with open_index(tmp_path / "index") as index:
        rows = [
            *(scan("2026-10", confidence=each / 100) for each in (91, 80, 84)),
            scan("2026-10", finding="no_tumor", confidence=None, quality=DOUBT),
            scan("2026-10", **REFUSED),
            scan("2026-09", AERA, quality=DOUBT),
            scan("2026-09", "", quality=[{"code": "no_date", "message": "No date."}]),
        ]
        await enter(index, rows)
        found = await monthly_figures(index, NOW)
        october, september = found.months
        assert (october.name, october.scans, september.scans) == ("2026-10", 5, 2)
        assert (october.not_analyzed.value, october.not_analyzed.of) == (0.2, 5)
        assert (october.flagged.value, october.flagged.of) == (0.25, 4)
        assert (october.tumor.value, october.confidence.value) == (0.75, 0.84)
        assert (october.accepted.value, october.dice, october.outside) == (None, None, [])
        assert (september.flagged.value, september.tumor.value) == (0.5, 1.0)
        scanners = {each.year.name: each for each in found.scanners}
        assert list(scanners) == [PRISMA, "", AERA]
        assert scanners[AERA].year.flagged.value == 1.0
        assert scanners[AERA].newest.name == "2026-09"
        (alone,) = await months_of_scanner(index, NOW, AERA)
        assert (alone.name, alone.scans) == ("2026-09", 1)
        assert await kept_as_counted(index)
        told = {value for row in await index.rows("SELECT * FROM month_figures") for value in row}
        assert not told & {value for row in rows for value in (row.scan_id, row.patient_id)}


async def test_a_scan_counts_once_whatever_comes_after_it(tmp_path: Path) -> None:
    async with open_index(tmp_path / "index") as index:
        first = scan("2026-08")
        mask = MASK | {"agreement": MASK["agreement"] | {"dice": 0.724}}
        corrected = first.report.changed(revision=2, supersedes=1, mask=mask, confidence=None)
        later = replace(first, revision=2, report_json=corrected.as_column(), scanner=AERA)
        for row in (first, first, replace(later, published_at="2026-10-15T12:00:00.000+00:00")):
            async with index.transaction():
                await add_scan(index, row)
        (month,) = (await monthly_figures(index, NOW)).months
        assert (month.name, month.scans, month.confidence.value) == ("2026-08", 1, 0.85)
        assert (month.corrected, month.dice, month.accepted.value) == (1, 0.72, 0.0)
        await index.change("INSERT INTO given_scans VALUES (?, 'P', 'x', 1, 0)", (first.scan_id,))
        assert (await monthly_figures(index, NOW)).months == ()  # it is there again as the target
        await index.change("UPDATE given_scans SET is_given = 0, is_hidden = 1")
        assert len((await monthly_figures(index, NOW)).months) == 1
        assert await kept_as_counted(index)
        await index.change("DELETE FROM scans")
        assert not await index.rows("SELECT 1 FROM scan_figures UNION SELECT 1 FROM month_figures")


async def test_reviews_count_in_the_month_of_the_scan(tmp_path: Path) -> None:
    files = (tmp_path / "index", tmp_path / "records")
    async with open_index(files[0]) as index, open_records(files[1]) as records:
        rows = [scan("2026-07") for _ in range(4)]
        await enter(index, rows)
        said = (Decision.ACCEPTED, Decision.ACCEPTED, Decision.REJECTED, Decision.NEEDS_CORRECTION)
        for row, decision in zip(rows, said, strict=True):
            await add_review(records, row.scan_id, 1, decision, "", "Ada")
        await add_review(records, rows[0].scan_id, 1, Decision.REJECTED, "", "Bob")
        async with open_joined(*files) as joined:
            while await catch_up(joined, records):
                pass
        (month,) = (await monthly_figures(index, NOW)).months
        assert (month.accepted.value, month.accepted.of) == (0.25, 4)
        assert (month.rejected, month.needs_correction, month.corrected) == (2, 1, 0)
        again = rows[2].report.changed(revision=2, supersedes=1)
        await enter(index, [replace(rows[2], revision=2, report_json=again.as_column())])
        assert (await monthly_figures(index, NOW)).months[0].rejected == 2  # of the first mask
        assert await kept_as_counted(index)


async def drifting(index: Database) -> MonthlyFigures:
    """A year of two scanners and a third of three scans; in November one refuses more."""
    rows: list[ScanRow] = []
    for back in range(12, -1, -1):
        month = month_before("2026-11", back)
        rows += a_month(month, PRISMA, 25, refused=2 + back % 2)
        rows += a_month(month, AERA, 25, refused=13 if back == 0 else 1 + back % 3)
    rows += a_month("2026-11", "GE Old 1.5 T", 3, refused=3)
    await enter(index, rows)
    return await monthly_figures(index, NOW)


async def test_a_month_that_drifts_is_marked_and_a_scanner_of_three_scans_is_not(
    tmp_path: Path,
) -> None:
    async with open_index(tmp_path / "index") as index:
        found = await drifting(index)
        assert {month.name: month.outside for month in found.months if month.outside} == {
            "2026-11": ["not_analyzed"]
        }
        prisma, aera, old = sorted(found.scanners, key=lambda each: each.year.name)[::-1]
        assert aera.year.name == AERA
        assert (aera.newest.name, aera.newest.outside) == ("2026-11", ["not_analyzed"])
        assert (prisma.newest.outside, prisma.year.outside) == ([], [])
        assert old.year.not_analyzed.value == 1.0
        assert old.year.outside == old.newest.outside == []
        assert prisma.year.not_analyzed.usual is not None  # beside the others
        assert prisma.year.tumor.usual is None


async def test_the_page_says_what_is_outside_and_shows_a_scanner_alone(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert "No scan has been published" in await house.page("/system/months")
        await drifting(house.app[INDEX])
        await _to_this_month(house)
        hostile = "<b>x</b>"
        await house.app[INDEX].change(
            "UPDATE month_figures SET scanner = ? WHERE scanner LIKE 'GE%'", (hostile,)
        )
        page = await house.page("/system/months")
        assert ", so far: 34.0 % of 53 scans were not analyzed; from the months before, " in page
        assert "&lt;b&gt;x&lt;/b&gt;" in page
        assert hostile not in page
        assert f"{AERA}, " in page
        alone = await house.page(f"/system/months?scanner={key_of(PRISMA)}")
        assert "nothing is outside of what is usual" in alone
        assert "By scanner" not in alone
        assert await house.page("/system/months?scanner=x") == page
        assert 'href="/system/months"' in await house.page("/system")


async def test_who_may_see_the_system_page_may_see_this_one(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.READER) as house:
        assert "Months and scanners" in await house.page("/system")
        assert "Months and scanners" in await house.page("/system/months")
        assert '"months":' in await house.page("/api/v1/months")


async def _to_this_month(house: House) -> None:
    """As if November 2026 were now: by as many months as lie between."""
    now = datetime.now().astimezone()
    months = 12 * (now.year - 2026) + now.month - 11
    index = house.app[INDEX]
    moved = "UPDATE month_figures SET month = 'to ' || strftime('%Y-%m', month || '-01', ?)"
    await index.change(moved, (f"{months} months",))  # none meets another that is still to go
    await index.change("UPDATE month_figures SET month = substr(month, 4)")


async def test_an_older_index_is_counted_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "index.sqlite"
    before = next(n for n, step in enumerate(migrations.INDEX) if "TABLE scan_figures" in step)
    monkeypatch.setattr("daemon.index.database.INDEX", migrations.INDEX[:before])
    study = {"uid": "1.2", "accession": "", "date": "", "station": "MR7"}
    async with open_index(path) as index:
        row = scan("2026-10", input={"kind": "dicom", "study": study})
        await index.change(
            "INSERT INTO scans (scan_id, revision, patient_id, folder, content_sha256, finding,"
            " published_at, report) VALUES (?, 1, 'P', '', '', 'tumor', ?, ?)",
            (row.scan_id, row.published_at, row.report_json),
        )
        await index.change("UPDATE worklist SET decision = 'accepted'")
    monkeypatch.undo()
    async with open_index(path) as index:
        found = await monthly_figures(index, NOW)
        assert [each.year.name for each in found.scanners] == ["MR7"]
        assert (found.months[0].confidence.value, found.months[0].accepted.value) == (0.85, 1.0)
        assert await kept_as_counted(index)


@pytest.fixture
def far_east() -> Iterator[None]:
    """A clock 14 hours before UTC."""
    with local_time("Etc/GMT-14"):
        yield


@pytest.mark.usefixtures("far_east")
async def test_a_month_is_that_of_the_local_clock(tmp_path: Path) -> None:
    async with open_index(tmp_path / "index") as index:
        await enter(index, [replace(scan("2026-10"), published_at="2026-10-31T20:00:00.000+00:00")])
        (month,) = (await monthly_figures(index, NOW)).months
        assert month.name == "2026-11"
