"""A person sees what the person may do: no link, form or button of a page ends in 403."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp.test_utils import make_mocked_request

from daemon.permissions import Right, Role, may
from tests.phantoms.reports import INPUT
from tests.viewer.scans.test_anyway import REFUSED
from tests.viewer.scans.test_series import FLAIR, T2
from tests.viewer.test_house import House, open_house
from viewer.access import ROUTE_RULES

MOST = 90  # pages: filters and orders of lists can be put together without end


class Offered(HTMLParser):
    """What a page offers: (method, address) of each link, picture, form and button."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.method = "GET"  # of the form that is open
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.method = given.get("method", "get").upper()
            self.add(self.method, given.get("action", ""))
        self.add(given.get("formmethod", self.method).upper(), given.get("formaction", ""))
        for name in ("href", "src"):
            self.add("GET", given.get(name, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.method = "GET"

    def add(self, method: str, address: str) -> None:
        if address.startswith("/"):
            self.found.append((method, address))


async def needs(house: House, method: str, address: str) -> Right | None:
    """What the address asks for; None where it is open, or no address of the viewer."""
    path = urlsplit(address).path
    found = await house.app.router.resolve(make_mocked_request(method, path))
    if found.http_exception is not None:
        pytest.fail(f"{method} {path} leads nowhere")
    resource = found.route.resource
    assert resource is not None
    rule = house.app[ROUTE_RULES].get((method, resource.canonical))
    return rule.needs if rule else None


async def fill(house: House) -> None:
    """One of each that pages show: analyzed, refused, undated, unassigned, failed, deleted."""
    await house.add_scan("P1", "s1", input=INPUT | {"kind": "nifti", "acquired_at": None})
    await house.add_scan("P4", "s2", finding="not_judged", quality=REFUSED)
    await house.add_scan("P5", "s3", quality=[{"code": "units_unknown", "message": "None."}])
    await house.add_scan("P6", "s6", input={"kind": "dicom", "series": [FLAIR, T2]})
    await house.add_scan("unassigned", "s4")
    for patient in ("P1", "P2"):
        await house.add_patient(patient, name="Ada")
    gone = await house.add_patient("P3", name="Ada")
    await house.add_waiting("P2", "waits.nii")
    await house.add_waiting("P2", "rests.nii", rested=False)
    status, _ = await house.post(f"/patients/{gone}/delete", {"typed_id": "P3"})
    assert status == 303


@pytest.mark.parametrize("role", list(Role))
async def test_nothing_on_any_page_ends_in_a_refusal(tmp_path: Path, role: Role) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        await house.come_in("Someone", role)
        waiting, seen, acts = ["/"], {"/"}, 0
        while waiting and len(seen) < MOST:
            address = waiting.pop()
            answer = await house.client.get(address)
            assert answer.status in (200, 404), (role, address)  # made-up pictures are not there
            if answer.content_type != "text/html":
                continue
            page = await answer.text()
            for method, target in Offered(page).found:
                right = await needs(house, method, target)
                assert right is None or may(role, right), (role, address, target)
                acts += method == "POST"
                if method == "GET" and target not in seen and not target.startswith("/static/"):
                    seen.add(target)
                    waiting.append(target)
        assert len(seen) > 15
        assert acts > 10


async def test_who_may_do_all_is_shown_all(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await fill(house)
        page = "".join([await house.page(f"/scans/{each}") for each in ("s1", "s2", "s6")])
        for action in ("reviews", "date", "anyway", "series"):
            assert re.search(rf'action="/scans/s\d/{action}"', page), action
        page = await house.page("/system")
        assert 'value="pause"' in page
        assert 'value="pause"' in await house.page("/system/queue")  # the same, brought up to date
        assert 'value="reprocess"' in page
