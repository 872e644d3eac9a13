"""What people enter in an earlier version, by that version's own functions.

`make.py` runs this file with the earlier version first on the path: names of modules are those of
that version, and are looked up when they are needed.
"""

import asyncio
import gzip
import io
import sys
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

PASSWORD = "correct horse battery"  # of every account
TOLD = {"name": "Anna Müster", "birth_date": "1970-01-01", "symptoms": "Headaches."}
DATES = {"TCGA-FG-6692": ("2023-02-01", "2024-02-01")}
Entry = Callable[[Any, Any, Any], Awaitable[None]]


async def patients_only(settings: Any, index: Any, records: Any) -> None:
    """ade0a53: a patient entered, and one changed who came by a drop."""
    patients = import_module("daemon.index.patients")
    await patients.add_patient(records, "entered-by-hand", TOLD)
    here = await patients.patients_by_id(records, ["a-picture"])
    await patients.change_patient(records, here["a-picture"].patient_key, TOLD)


async def reviews_and_dates(settings: Any, index: Any, records: Any) -> None:
    """f82d2e3: reviews and dates of scans as well."""
    await patients_only(settings, index, records)
    await review(index, records, "a-picture", "accepted")
    await review(index, records, "from-the-pacs", "needs_correction")
    await enter_dates(index, records)


async def everything(settings: Any, index: Any, records: Any) -> None:
    """b202e59 and later: accounts, history, corrections, spacings, assignments, deletions too."""
    await enter_accounts(records)
    await enter_patients(index, records)
    await review(index, records, "a-picture", "accepted")
    await review(index, records, "from-the-pacs", "rejected", "border")
    await enter_dates(index, records)
    await enter_spacing(index, records)
    await correct(settings, index, records)
    await give(settings, index, records)
    audit = import_module("daemon.index.audit")
    await audit.note(records, "ada", audit.Action.VIEW, "worklist")


async def scans_of(index: Any, patient_id: str) -> list[Any]:
    """The scans of a patient, in the order of their ids."""
    found = await import_module("daemon.index.scans").scans_of_patient(index, patient_id)
    return sorted(found, key=lambda scan: str(scan.scan_id))


async def review(index: Any, records: Any, patient_id: str, decision: str, *reason: str) -> None:
    """Say something of the only scan of a patient."""
    reviews = import_module("daemon.index.reviews")
    (scan,) = await scans_of(index, patient_id)
    said = (reviews.Decision(decision), "A comment.", "Ada Example", *reason)
    await reviews.add_review(records, scan.scan_id, scan.revision, *said)


async def enter_dates(index: Any, records: Any) -> None:
    """When the scans were acquired whose files do not say it."""
    dating = import_module("daemon.dating")
    for patient_id, days in DATES.items():
        for scan, day in zip(await scans_of(index, patient_id), days, strict=True):
            await dating.enter_date(index, records, scan, day, "ada", date.today())


async def enter_accounts(records: Any) -> None:
    """Two accounts, one of them logged in, with a token and a link."""
    command, accounts = (
        import_module(f"daemon.{name}") for name in ("users_command", "index.accounts")
    )
    roles = import_module("daemon.roles")
    for name, role in (("ada", roles.Role.ADMIN), ("rob", roles.Role.REVIEWER)):
        wish = command.Wish("add", name, f"{name.title()} Example", role)
        await command._add(records, wish, lambda: PASSWORD)
    ada = (await accounts.find_account(records, "ada")).account_id
    await import_module("daemon.index.login_sessions").begin_session(records, ada)
    await import_module("daemon.index.login_links").add_link(records, ada, 3600)
    tokens = import_module("daemon.index.api_tokens")
    await tokens.add_token(records, ada, "a script", roles.Role.READER, _in_a_year())


def _in_a_year() -> date:
    return date.today() + timedelta(days=365)


async def enter_patients(index: Any, records: Any) -> None:
    """One entered with a photo, one changed, one deleted again."""
    patients = import_module("daemon.index.patients")
    entered = await patients.add_patient(records, "entered-by-hand", TOLD, "ada")
    photo = io.BytesIO()
    Image.new("RGB", (8, 8), "grey").save(photo, "JPEG")
    await import_module("daemon.index.photos").set_photo(records, entered, photo.getvalue(), "ada")
    here = (await patients.patients_by_id(records, ["a-picture"]))["a-picture"]
    await patients.change_patient(records, here.patient_key, here.version, TOLD, "ada")
    gone = await patients.add_patient(records, "entered-by-mistake", TOLD, "ada")
    await import_module("daemon.deleting").delete(index, records, gone, "ada")


async def enter_spacing(index: Any, records: Any) -> None:
    """How large the pixels of the picture are."""
    spacing = import_module("daemon.spacing")
    (scan,) = await scans_of(index, "a-picture")
    entered = spacing.spacing_of(("1.8", "1.8", ""), is_picture=True)
    await spacing.enter_spacing(index, records, scan, entered, "ada")


async def correct(settings: Any, index: Any, records: Any) -> None:
    """A corrected mask: the network's own without its lowest slice."""
    correcting = import_module("daemon.correcting")
    (scan,) = await scans_of(index, "from-the-pacs")
    outbox: Path = settings.daemon.outbox
    (mask,) = (outbox / scan.folder.decode()).glob("*_seg.nii.gz")
    upload = correcting.MaskUpload(outbox, scan.scan_id, mask.name)
    upload.write(_without_lowest(mask))
    about = {"seen_revision": scan.revision, "says_empty": False, "comment": "", "by": "ada"}
    await correcting.enter_correction(index, records, scan, upload.keep(), **about)


def _without_lowest(path: Path) -> bytes:
    image = nib.Nifti1Image.from_filename(path)
    drawn = np.asarray(image.dataobj).copy()
    drawn[:, :, drawn.any(axis=(0, 1)).argmax()] = 0
    return gzip.compress(nib.Nifti1Image(drawn, image.affine, image.header).to_bytes())


async def give(settings: Any, index: Any, records: Any) -> None:
    """The picture of nobody is the other patient's."""
    (scan,) = await scans_of(index, "unassigned")
    patients = import_module("daemon.index.patients")
    patient = (await patients.patients_by_id(records, ["a-picture"]))["a-picture"]
    assigning = import_module("daemon.assigning")
    await assigning.give(index, records, settings.daemon, scan, patient, "ada")


ENTRIES: dict[str, Entry] = {
    "ade0a53": patients_only,
    "f82d2e3": reviews_and_dates,
    "b202e59": everything,
    "ef189b7": everything,
}


async def main(version: str, file: Path) -> None:
    """Enter what this version can hold, into the databases that `file` names."""
    settings = import_module("daemon.settings").load_settings(file)
    database = import_module("daemon.index.database")
    async with (
        database.open_index(settings.daemon.index) as index,
        database.open_records(settings.daemon.records) as records,
    ):
        await ENTRIES[version](settings, index, records)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
