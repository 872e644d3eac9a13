"""Labels, persons and columns of the worklist: what is kept, shown, filtered and audited."""

import csv
import io
import re
import zipfile
from pathlib import Path

from daemon.index.people.audit import page_of_audit
from daemon.permissions import Role
from tests.viewer.test_house import House, open_house
from tests.viewer.worklist.test_bulk_actions import act
from viewer.sessions import RECORDS

ALL = "/?arrived=all"


def shown(page: str) -> list[str]:
    """The scans of the rows, in their order."""
    return re.findall(r'<a class="open" href="/scans/([^"]+)">', page)


def headings(page: str) -> list[str]:
    """Of the columns, without the two in front."""
    found = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", page)
    return [re.sub(r"<[^>]+>|[↑↓]", "", each).strip() for each in found][2:]


async def two_scans(house: House) -> None:
    """Of two patients."""
    await house.add_scan("P1", "s1")
    await house.add_scan("P2", "s2")


async def test_labels_are_put_shown_filtered_and_taken_off(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await two_scans(house)
        assert (await act(house, "label", "s1", "s2", label=" Tumor  board "))[1].endswith("=2")
        assert (await act(house, "label", "s1", label="TUMOR BOARD"))[1].endswith("count=0")
        await act(house, "label", "s1", label="<b>")
        page = await house.page(ALL)
        assert page.count('<span class="chip" dir="auto">Tumor board</span>') == 2
        assert '<span class="chip" dir="auto">&lt;b&gt;</span>' in page
        assert shown(await house.page(f"{ALL}&label=2")) == ["s1"]
        assert set(shown(await house.page(f"{ALL}&label=1"))) == {"s1", "s2"}
        await act(house, "unlabel", "s1", "s2", label="tumor board")
        assert shown(await house.page(f"{ALL}&label=1")) == []
        told = [
            (each.subject, each.detail)
            for each in await page_of_audit(house.app[RECORDS], limit=20)
            if each.detail.startswith("label")
        ]
        assert ("s2", "label 1: removed") in told
        assert ("s1", "label 2: put") in told
        assert not any("board" in detail for _, detail in told)
        answer = await house.client.get("/api/v1/worklist?arrived=all&label=2")
        assert (await answer.json())["rows"][0]["labels"] == ["<b>"]


async def test_a_scan_is_assigned_to_one_person_and_found_by_that_person(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await two_scans(house)
        await house.come_in("R. Reader", Role.READER)
        await house.come_in("Dr Ada", Role.REVIEWER)
        mine = re.search(r'<option value="(\d+)">To me', await house.page(ALL))
        assert mine is not None
        await act(house, "assign", "s1", account=mine[1])
        assert shown(await house.page(f"{ALL}&assignee=mine")) == ["s1"]
        assert '<td class="assignee" dir="auto" title="Dr Ada">' in await house.page(ALL)
        await house.come_in("N. Urse", Role.ADMIN)
        assert shown(await house.page(f"{ALL}&assignee=mine")) == []
        assert shown(await house.page(f"{ALL}&assignee=nobody")) == ["s2"]
        assert shown(await house.page(f"{ALL}&assignee={mine[1]}")) == ["s1"]
        rows = await house.page(f"/worklist/rows?ids=1,2&since=0&arrived=all&assignee={mine[1]}")
        assert 'title="Dr Ada"' in rows
        await act(house, "assign", "s1", account="0")
        assert shown(await house.page(f"{ALL}&assignee={mine[1]}")) == []
        assert (await act(house, "assign", "s1", account="2"))[0] == 400  # a reader
        assert (await act(house, "assign", "s1", account="x"))[0] == 400
        told = [each.detail for each in await page_of_audit(house.app[RECORDS], limit=20)]
        assert {f"assigned to account {mine[1]}", "not assigned"} <= set(told)


async def test_what_is_no_label_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await two_scans(house)
        for name in ("", " ", "x" * 31, "a\x00b"):
            assert (await act(house, "label", "s1", label=name))[0] == 400
        await act(house, "label", "nobody", label="None")
        assert "None</option>" not in await house.page(ALL)
        assert (await house.client.get("/?label=x")).status == 404
        assert (await house.client.get("/?assignee=me")).status == 404


async def test_each_account_has_its_columns_and_its_order(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await two_scans(house)
        await house.add_running("P3", "c.nii")
        usual = headings(await house.page(ALL))
        assert usual[:2] == ["Patient", "Scan date"]
        data = [("csrf", house.csrf), ("query", "arrived=all&sort=volume&dir=asc")]
        data += [("column", name) for name in ("volume", "patient", "nonsense", "state")]
        data += [("keep_order", "on")]
        answer = await house.client.post("/worklist/columns", data=data, allow_redirects=False)
        assert answer.headers["Location"] == "/?arrived=all&sort=volume&dir=asc"
        page = await house.page(ALL)
        assert headings(page) == ["Finding", "Volume", "Patient", "State"]
        assert 'aria-sort="ascending"' in page
        assert page.count('colspan="2"') == 1  # of what has no result yet
        assert 'aria-sort="' not in await house.page(f"{ALL}&sort=urgency")
        await house.come_in("Someone Else")
        assert headings(await house.page(ALL)) == usual
        await house.come_in("N. Urse")
        assert (await house.post("/worklist/columns", {"reset": "1", "query": ""}))[0] == 303
        assert headings(await house.page(ALL)) == usual


async def test_chosen_scans_are_exported_as_one_zip(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s1", {"report.json": b"{}"})
        await house.add_scan("P2", "s2")
        (house.settings.daemon.outbox / "P1" / "s1" / "source").mkdir()
        (house.settings.daemon.outbox / "P1" / "s1" / "source" / "a.nii").write_bytes(b"x")
        assert "/worklist/export" in await house.page(ALL)
        data = [("csrf", house.csrf), ("scan", "s1"), ("scan", "nobody")]
        answer = await house.client.post("/worklist/export", data=data)
        assert answer.status == 200
        with zipfile.ZipFile(io.BytesIO(await answer.read())) as archive:
            assert archive.namelist() == ["findings.csv", "P1/s1/s1_report.json"]
            rows = list(csv.DictReader(io.StringIO(archive.read("findings.csv").decode())))
        assert {row["patient"] for row in rows} == {"P1"}
        told = await page_of_audit(house.app[RECORDS], limit=5)
        assert ("export", "s1") in [(each.action, each.subject) for each in told]
        where = re.search(r"/patients/[^/\"?]+", await house.page("/scans/s1"))
        assert where is not None
        assert (await house.post(f"{where[0]}/delete", {"typed_id": "P1"}))[0] == 303
        data = [("csrf", house.csrf), ("scan", "nobody"), ("scan", "s1")]  # deleted meanwhile
        assert (await house.client.post("/worklist/export", data=data)).status == 400
        await house.come_in("R. Reader", Role.READER)
        assert "/worklist/export" not in await house.page(ALL)
        data = [("csrf", house.csrf), ("scan", "s1")]
        assert (await house.client.post("/worklist/export", data=data)).status == 403
