"""A viewer in this process over a small index: what the viewer's tests share."""

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from aiohttp import FormData, web
from aiohttp.test_utils import TestClient, TestServer

from daemon.drops import Drop, DropKind, DroppedFile, QueuedDrop
from daemon.index import ledger, queue
from daemon.index.people.patients import add_patient
from daemon.index.scans import ScanRow
from daemon.permissions import Role
from daemon.records.accounts import link_for
from daemon.settings import Settings
from tests.phantoms.reports import LESION, report_json
from viewer.app import make_app
from viewer.connections import Runner
from viewer.sessions import INDEX, RECORDS

PNG = b"\x89PNG\r\n\x1a\nnot really"


@dataclass
class House:
    """A running viewer, and a browser that came through the printed link."""

    client: TestClient[web.Request, web.Application]
    app: web.Application
    settings: Settings
    csrf: str = ""

    async def come_in(self, who: str, role: Role = Role.ADMIN) -> None:
        """Log in by a link, as this person, whose account is made if there is none."""
        secret = await link_for(self.app[RECORDS], who, role, 60)
        assert (await self.client.post("/enter", data={"token": secret})).status == 200
        found = re.search(r'name="csrf" value="([^"]+)"', await self.page("/account"))
        assert found is not None
        self.csrf = found[1]

    async def page(self, path: str, status: int = 200) -> str:
        """The text of a page, which must answer with this status."""
        answer = await self.client.get(path)
        assert answer.status == status, path
        return await answer.text()

    async def post(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Send a form with this session's csrf; status and text, redirects not followed."""
        data = {"csrf": self.csrf, **fields}
        answer = await self.client.post(path, data=data, allow_redirects=False)
        return answer.status, answer.headers.get("Location", await answer.text())

    async def upload(
        self, files: dict[str, bytes], patient: str = "unassigned", csrf: str | None = None
    ) -> tuple[int, str]:
        """Send the upload form; status and where it leads, or the page's text."""
        form = FormData(quote_fields=False, default_to_multipart=True)
        form.add_field("csrf", self.csrf if csrf is None else csrf)
        form.add_field("patient", patient)
        for name, content in files.items():
            form.add_field("files", BytesIO(content), filename=name)
        answer = await self.client.post("/upload", data=form, allow_redirects=False)
        return answer.status, answer.headers.get("Location", await answer.text())

    def in_inbox(self) -> list[Path]:
        """Every file of the inbox, while others come and go."""
        places = os.walk(self.settings.daemon.inbox)
        return sorted(Path(place) / name for place, _, names in places for name in names)

    async def add_waiting(self, patient_id: str, name: str, rested: bool = True) -> int:
        """A drop that waits; its drop_id."""
        path = os.fsencode(f"{patient_id}/{name}")
        drop = Drop(path, patient_id, DropKind.NIFTI, False, (DroppedFile(path, 1, 1, 1),))
        drop_id = (await ledger.add_drops(self.app[INDEX], [drop]))[0]
        if rested:
            await ledger.mark_rested(self.app[INDEX], [drop_id])
        return drop_id

    async def add_running(self, patient_id: str, name: str) -> QueuedDrop:
        """A drop that was claimed. No other may be waiting and rested, or running for it."""
        drop_id = await self.add_waiting(patient_id, name)
        claimed = await queue.claim_next(self.app[INDEX])
        assert claimed is not None
        assert claimed.drop_id == drop_id
        return claimed

    async def add_scan(
        self, patient_id: str, scan_id: str, files: dict[str, bytes] | None = None, **changes: Any
    ) -> ScanRow:
        """A finished drop with its published folder."""
        claim = await self.add_running(patient_id, f"{scan_id}.nii.gz")
        scan = scan_row(patient_id, scan_id, **changes)
        folder = self.settings.daemon.outbox / os.fsdecode(scan.folder)
        folder.mkdir(parents=True)
        for role, content in (files or {"overlay.png": PNG, "report.json": b"{}"}).items():
            (folder / f"{scan_id}_{role}").write_bytes(content)
        await ledger.finish(self.app[INDEX], claim, scan, {})
        return scan

    async def add_patient(self, patient_id: str, **entered: str) -> str:
        """A patient in the records; the patient_key."""
        patient = await add_patient(self.app[RECORDS], patient_id, entered)
        assert patient is not None
        return patient.patient_key

    async def break_index(self) -> None:
        """Take a table away, as a damaged file would."""
        async with self.app[INDEX].transaction():
            await self.app[INDEX].change("DROP TABLE scans")


class _Server(TestServer):
    """Takes connections as the viewer does, but any number of them."""

    async def _make_runner(self, **settings: Any) -> Runner:
        # A stopped server would wait the whole ten seconds for what a test does not send.
        return Runner(self.app, trusted=("127.0.0.1",), linger_seconds=0.5, **settings)


@asynccontextmanager
async def open_house(
    folder: Path, enter: bool = True, role: Role = Role.ADMIN, who: str = "N. Urse", **viewer: Any
) -> AsyncIterator[House]:
    """Start a viewer in `folder`; with `enter`, come in by a link, as `who` in this role."""
    settings = settings_in(folder, **viewer)
    app = make_app(settings)
    async with TestClient(_Server(app)) as client:
        house = House(client, app, settings)
        if enter:
            await house.come_in(who, role)
        yield house


@asynccontextmanager
async def house_of(settings: Settings) -> AsyncIterator[House]:
    """A viewer over a hospital that there is, and a browser that has come in."""
    app = make_app(settings)
    async with TestClient(_Server(app)) as client:
        house = House(client, app, settings)
        await house.come_in("N. Urse")
        yield house


def settings_in(folder: Path, **viewer: Any) -> Settings:
    """The default settings with all paths below `folder`."""
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "outbox").mkdir(exist_ok=True)
    settings = Settings()
    return settings.model_copy(
        update={
            "daemon": settings.daemon.relative_to(folder),
            "viewer": settings.viewer.model_copy(update=viewer),
        }
    )


def lesion(**changes: Any) -> dict[str, Any]:
    """One lesion of a report, as JSON."""
    return LESION | changes


def scan_row(patient_id: str, scan_id: str, **changes: Any) -> ScanRow:
    """A published scan; `changes` are keys of its report."""
    report = report_json(**{"scan_id": scan_id, "patient_id": patient_id} | changes)
    return ScanRow(
        scan_id=scan_id,
        revision=1,
        patient_id=patient_id,
        folder=os.fsencode(f"{patient_id}/{scan_id}"),
        content_sha256="content-" + scan_id[:4],
        finding=report["finding"],
        volume_ml=report["volume_ml"],
        acquired_at=report["input"]["acquired_at"],
        published_at="2024-05-06T09:00:00.000+00:00",
        report_json=json.dumps(report),
    )


async def test_the_link_leads_to_the_worklist(tmp_path: Path) -> None:
    """The shared set-up itself: the printed link opens the empty worklist."""
    async with open_house(tmp_path) as house:
        assert "Nothing has arrived yet" in await house.page("/")
