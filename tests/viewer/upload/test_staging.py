"""An upload that waits: received, understood, sent by one rename; a half one leaves nothing."""

import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from daemon.drops import Drop
from daemon.index import ledger
from daemon.index.people.overrides import entered_date, entered_spacing
from daemon.index.people.patients import patients_by_id
from daemon.index.statistics import RECONCILE, beat
from daemon.intake.inbox_scan import NameRules, scan_inbox
from daemon.intake.ingest import take_in
from daemon.intake.uploads import HOLDING, count_staged
from daemon.operations.queue_control import cancel
from model.rules import Spacing
from tests.conftest import FRONTAL
from tests.phantoms.dicom_series import Series, write_series
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX, RECORDS

RULES = NameRules(("Thumbs.db",), (".part", ".tmp", "~"))


async def begin(house: House) -> str:
    answer = await house.client.post("/upload/held", headers={"X-CSRF-Token": house.csrf})
    assert answer.status == 200, await answer.text()
    return str((await answer.json())["upload"])


async def put(house: House, upload: str, name: str, content: bytes) -> tuple[int, str]:
    headers = {"X-CSRF-Token": house.csrf, "X-File-Path": quote(name)}
    address = f"/upload/held/{upload}/files"
    answer = await house.client.put(address, data=BytesIO(content), headers=headers)
    return answer.status, await answer.text()


async def look(house: House, upload: str) -> str:
    headers = {"X-CSRF-Token": house.csrf}
    answer = await house.client.post(f"/upload/held/{upload}/look", headers=headers)
    assert answer.status == 200
    return await answer.text()


def field(page: str, name: str, after: str) -> str:
    """The full name of an input of the scan with this label."""
    return page[page.index(after) :].split(f'name="{name}-')[1].split('"')[0]


def group(page: str, label: str) -> str:
    """The value of the checkbox before a label."""
    return page[: page.index(label)].rsplit('value="', 1)[1].split('"')[0]


def the_drop(inbox: Path, name: str) -> Drop:
    drops = scan_inbox(inbox, RULES).drops
    return next(drop for unit, drop in drops.items() if unit.endswith(name.encode()))


def a_picture(path: Path) -> bytes:
    noise = np.random.default_rng(3).integers(0, 200, (60, 50)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    return path.read_bytes()


async def test_told_before_sending_then_sent_whole_with_what_was_entered(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    slices = write_series(made, series=Series("t2 FLAIR tra"))
    with zipfile.ZipFile(made / "study.zip", "w") as packed:
        for path in slices:
            packed.write(path, path.name)
    async with open_house(tmp_path) as house:
        upload = await begin(house)
        for path in slices:
            assert await put(house, upload, f"MRI/{path.name}", path.read_bytes()) == (204, "")
        await put(house, upload, "study.zip", (made / "study.zip").read_bytes())
        await put(house, upload, "a/.b/../scan.nii.gz", FRONTAL.read_bytes())
        await put(house, upload, "<b>.nii.gz", FRONTAL.read_bytes()[:5000])
        await put(house, upload, "photo.png", a_picture(made / "photo.png"))
        assert scan_inbox(tmp_path / "inbox", RULES).drops == {}  # the daemon sees nothing yet
        assert count_staged(tmp_path / "inbox") == len(slices) + 4
        page = await look(house, upload)
        assert page.count("MR, FLAIR, 6 slices, 5 mm apart, 14 × 10 pixels") == 2  # folder, zip
        assert "NIfTI volume, 208 × 256 × 26; 0.898 × 0.898 × 5.5 mm." in page
        assert "Picture, 50 × 60 pixels. No scale: millimetres and volume not available." in page
        assert "Not readable: The compressed file ends too early: it was cut off." in page
        assert "&lt;b&gt;.nii.gz" in page
        key = field(page, "across", "photo.png")
        typed = {
            "patient": "new",
            "patient_id": "N/1",
            "name": "Ada",
            f"across-{key}": "0,9",
            f"down-{key}": "0.8",
            f"date-{key}": "2024-02-01",
        }
        chosen = [group(page, label) for label in ("MRI</strong>", "photo.png")]
        data = [("csrf", house.csrf), *typed.items(), *(("send", each) for each in chosen)]
        answer = await house.client.post(f"/upload/held/{upload}/send", data=data)
        page = await answer.text()
        assert (answer.status, answer.url.path) == (200, "/upload")
        assert "Arrived, not seen yet" in page
        inbox = house.settings.daemon.inbox
        sent = house.in_inbox()
        assert {path.parts[len(inbox.parts)] for path in sent} == {"N%2F1"}
        assert len(sent) == len(slices) + 1
        assert (await patients_by_id(house.app[RECORDS], ["N%2F1"]))["N%2F1"].name == "Ada"
        intake = take_in(inbox, the_drop(inbox, "photo.png"), tmp_path / "staging")
        entered = await entered_spacing(house.app[RECORDS], intake.scan_id)
        dated = await entered_date(house.app[RECORDS], intake.scan_id)
        assert entered is not None
        assert (entered.spacing, entered.entered_by) == (Spacing(0.9, 0.8), "N. Urse")
        assert dated is not None
        assert dated.acquired_on == "2024-02-01"
        assert not any((inbox / HOLDING).iterdir())


async def test_the_right_patient_is_proposed_and_a_wrong_one_doubted(tmp_path: Path) -> None:
    def whose(number: int, image: object) -> None:
        image.PatientID, image.PatientName = "P1", "Lovelace^Ada"  # type: ignore[attr-defined]

    slices = write_series(tmp_path, series=Series(change=whose))
    async with open_house(tmp_path) as house:
        upload = await begin(house)
        for path in slices:
            await put(house, upload, path.name, path.read_bytes())
        page = await look(house, upload)
        assert '<option value="new" selected>' in page
        assert 'name="patient_id" required maxlength="200" value="P1"' in page
        known = await house.add_patient("P1", name="Ada Lovelace")
        other = await house.add_patient("P2", name="Bob <i>")
        page = await look(house, upload)
        assert f'value="{known}" selected' in page
        assert "Please check" not in page
        status, words = await house.post(f"/upload/held/{upload}/whose", {"patient": other})
        assert status == 200
        assert "The DICOM header gives the ID P1, not P2." in words
        assert "The DICOM header gives the name Lovelace, Ada, not Bob &lt;i&gt;." in words
        form = {"patient": "new", "patient_id": "P1", "send": group(page, "6 files</strong>")}
        status, page = await house.post(f"/upload/held/{upload}/send", form)
        assert status == 400
        assert "There is already a patient with this ID" in page
        assert f'value="{known}" selected' in page
        assert await house.post(f"/upload/held/{upload}/cancel", {}) == (303, "/upload")
        assert house.in_inbox() == []


async def test_the_list_follows_what_was_sent(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        index, inbox = house.app[INDEX], house.settings.daemon.inbox
        upload = await begin(house)
        await put(house, upload, "photo.png", a_picture(tmp_path / "photo.png"))
        page = await look(house, upload)
        form = {"patient": "unassigned", "send": group(page, "photo.png")}
        assert (await house.post(f"/upload/held/{upload}/send", form))[0] == 303
        page = await house.page("/upload/sent")
        assert "the daemon has not run yet" in page
        await beat(index, RECONCILE)
        (number,) = await ledger.add_drops(index, [the_drop(inbox, "photo.png")])
        page = await house.page("/upload/sent")
        assert "Waiting for transfer to finish" in page
        assert "Nothing is analyzed" not in page
        await ledger.mark_rested(index, [number])
        assert ">Waiting<" in await house.page("/upload/sent")
        await cancel(index, [str(number)])
        page = await house.page("/upload/sent")
        assert ">Rejected<" in page
        assert "It was cancelled." in page
        assert "every 2s" not in page
