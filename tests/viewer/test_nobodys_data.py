"""A whole run with marked names: logs, metrics, addresses and the audit hold none of them."""

import asyncio
import json
import re
import shutil
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, CookieJar, FormData

from daemon.settings import Settings
from tests.browser.chromium import Site, served
from tests.conftest import FRONTAL

NAME, PATIENT, FOLDER, FILE = "Quorblax Ovidia", "MARK77", "Snorkelwood", "Zibbeldy"
BROKEN, SENT, PHONE, COMMENT = "Wexlefile", "Uploddity", "555 01 99", "Frumious remark"
MARKS = [*NAME.split(), PATIENT, FOLDER, FILE, BROKEN, SENT, PHONE, "555+01", *COMMENT.split()[:1]]
METRICS = "metrics-of-a-test"
ADDRESS = re.compile(r'\b(?:href|src|action|hx-get|hx-post|data-(?:url|src|next))="([^"]*)"')


PASSWORD = "a long enough secret"


@dataclass
class Visitor:
    """Somebody at the viewer. addresses: all that were asked for, led to, or linked."""

    session: ClientSession
    site: Site
    token: str = ""
    csrf: str = ""
    addresses: set[str] = field(default_factory=set)

    async def ask(self, method: str, path: str, **sent: Any) -> str:
        """The text of an answer; of an error too."""
        async with self.session.request(method, f"{self.site.url}{path}", **sent) as answer:
            text = await answer.text(errors="replace")
            self.addresses |= {path, str(answer.url), *(str(each.url) for each in answer.history)}
            self.addresses |= set(ADDRESS.findall(text))
            return text

    async def post(self, path: str, **fields: str) -> str:
        """Send a form of our own."""
        return await self.ask("POST", path, data={"csrf": self.csrf, **fields})

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that the API tells."""
        headers = {"Authorization": f"Bearer {self.token}"}
        said = json.loads(await self.ask(method, f"/api/v1/{path}", json=body, headers=headers))
        self.addresses |= {str(said.get("next")), *(x["url"] for x in said.get("files", []))}
        return said


async def test_a_run_tells_no_name_where_names_do_not_belong(hospital: Settings) -> None:
    folder = hospital.daemon.inbox.parent
    place, log = hospital.daemon.inbox / PATIENT / FOLDER, folder / "log"
    place.mkdir(parents=True)
    shutil.copy(FRONTAL, place / f"{FILE}.nii.gz")
    (place / f"{BROKEN}.nii.gz").write_bytes(b"no scan at all")
    with served(folder, log, GLIOWATCH_VIEWER__METRICS_TOKEN=METRICS) as site:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            visitor = Visitor(session, site)
            await come_in(visitor)
            await send_a_file(visitor)
            scan_id = await the_end_of_all(visitor)
            await work(visitor, scan_id)
            headers = {"Authorization": f"Bearer {METRICS}"}
            metrics = await visitor.ask("GET", "/metrics", headers=headers)
            audit = await visitor.ask("GET", "/audit.csv")
    lines = log.read_text("utf-8").splitlines()
    assert any('"rejected"' in json.dumps(json.loads(line)) for line in lines)
    assert "gliowatch_" in metrics
    assert "download" in audit
    assert len(visitor.addresses) > 60
    for text in (*lines, metrics, audit, *visitor.addresses):
        assert not [mark for mark in MARKS if mark.casefold() in text.casefold()], text


async def come_in(visitor: Visitor) -> None:
    """Log in, and make a token."""
    token = visitor.site.link("ada")
    await visitor.ask("GET", f"/enter?token={token}")
    await visitor.ask("POST", "/enter", data={"token": token})
    for password in ("", PASSWORD):  # the first is chosen with the csrf of the first session
        found = re.search(r'name="csrf" value="([^"]+)"', await visitor.ask("GET", "/account"))
        assert found is not None
        visitor.csrf = found[1]
        if not password:
            await visitor.post("/account/password", new=PASSWORD, again=PASSWORD)
    latest = re.search(r'max="([-0-9]+)"', await visitor.ask("GET", "/account"))
    assert latest is not None
    sent = {"label": "script", "role": "admin", "ends_on": latest[1], "old": PASSWORD}
    made = re.search(r"glw_[-\w]+", await visitor.post("/account/tokens", **sent))
    assert made is not None
    visitor.token = made[0]


async def send_a_file(visitor: Visitor) -> None:
    """By the plain form, and a form that says nothing."""
    form = FormData(default_to_multipart=True)
    form.add_field("csrf", visitor.csrf)
    form.add_field("patient", "unassigned")
    form.add_field("files", b"no picture", filename=f"{SENT}.png")
    await visitor.ask("POST", "/upload", data=form)
    await visitor.ask("POST", "/upload", data={"files": SENT})


async def the_end_of_all(visitor: Visitor) -> str:
    """Wait until the scan is analyzed and the others failed; the scan_id."""
    async with asyncio.timeout(60):
        while True:
            rows = (await visitor.api("GET", "worklist"))["rows"]
            states = sorted(row["state"] for row in rows)
            if len(rows) == 3 and not {"copying", "waiting", "running"} & set(states):
                assert states.count("failed") == 2
                return next(str(row["scan_id"]) for row in rows if row["scan_id"])
            await asyncio.sleep(0.3)


async def work(visitor: Visitor, scan_id: str) -> None:
    """What a day brings: records, searches, a review, pages, files, and errors."""
    found = await visitor.api("POST", "searches", {"text": PATIENT})
    listed = await visitor.api("GET", f"patients?q={found['q']}")
    key = listed["patients"][0]["patient_key"]
    one = (await visitor.api("GET", f"patients/{key}"))["patient"]
    entered = {"name": NAME, "phone": PHONE}
    change = {"version": one["version"], "entered": entered}
    assert (await visitor.api("PATCH", f"patients/{key}", change))["patient"]["name"] == NAME
    await visitor.api("PATCH", f"patients/{key}", {NAME: PHONE})
    scan = await visitor.api("GET", f"scans/{scan_id}")
    for each in scan["files"]:
        await visitor.ask("GET", each["url"])
    said = {"decision": "needs_correction", "comment": COMMENT, "revision": "1"}
    assert COMMENT in await visitor.post(f"/scans/{scan_id}/reviews", **said, seen=scan["seen"])
    assert NAME in await visitor.post("/searches", text=NAME, back="/")
    assert NAME in await visitor.post("/searches", text=NAME, back="/patients")
    await visitor.post("/patients", patient_id=PATIENT, name=NAME)
    await visitor.post("/searches", text=NAME, back=f"/{FILE}")
    await visitor.post("/system", action="cancel", scan=FILE)
    await visitor.post("/login", name=NAME, password=PATIENT)
    pages = ["/", "/patients", "/system", "/upload", "/agreement", "/audit", "/patients/unassigned"]
    pages += [f"/patients/{key}", f"/patients/{key}/edit", f"/patients/{key}/delete", "/nothing"]
    pages += ["/system/months"]
    for path in [*pages, f"/scans/{scan_id}", f"/scans/{scan_id}/all.zip", "/scans/gone"]:
        await visitor.ask("GET", path)
