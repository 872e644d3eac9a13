"""A site with names of the world on its worklist, made without analyzing anything."""

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from daemon.drops import Drop, DropKind, DroppedFile
from daemon.index import ledger, queue
from daemon.index.database import open_index, open_records
from daemon.index.people.patients import add_patient
from tests.viewer.test_house import lesion, scan_row

IMG = "<img src=x onerror=alert(1)>"
NAMES = {
    "LONG": "Wolfeschlegelstein" * 17,
    "ARABIC": "ليلى بنت أحمد",
    "CHINESE": "李小龙",
    "IMG": IMG,
}
LOW = {"code": "low_confidence", "message": "The network was not sure of this mask."}


def picture() -> bytes:
    """A head of sorts, as an overlay."""
    drawn = Image.new("RGB", (400, 400))
    ImageDraw.Draw(drawn).ellipse((60, 30, 340, 370), fill=(90, 90, 90))
    ImageDraw.Draw(drawn).ellipse((200, 120, 280, 200), outline=(255, 176, 0), width=6)
    written = BytesIO()
    drawn.save(written, "PNG")
    return written.getvalue()


async def publish(folder: Path, patient: str, scan_id: str, **changes: Any) -> None:
    """A finished scan: its drop, its folder, its row; without a picture if not analyzed."""
    async with open_index(folder / "index.sqlite") as index:
        path = f"{patient}/{scan_id}.nii.gz".encode()
        drop = Drop(path, patient, DropKind.NIFTI, True, (DroppedFile(path, 1, 1, 1),))
        (drop_id,) = await ledger.add_drops(index, [drop])
        await ledger.mark_rested(index, [drop_id])
        claim = await queue.claim_next(index)
        assert claim is not None
        place = folder / "outbox" / patient / scan_id
        place.mkdir(parents=True)
        if changes.get("finding") != "not_judged":
            (place / f"{scan_id}_overlay.png").write_bytes(picture())
        await ledger.finish(index, claim, scan_row(patient, scan_id, **changes), {})


async def fail(folder: Path, patient: str, name: str) -> None:
    """A drop that could not be read."""
    async with open_index(folder / "index.sqlite") as index:
        path = f"{patient}/{name}".encode()
        drop = Drop(path, patient, DropKind.NIFTI, True, (DroppedFile(path, 1, 1, 1),))
        (drop_id,) = await ledger.add_drops(index, [drop])
        await ledger.mark_rested(index, [drop_id])
        claim = await queue.claim_next(index)
        assert claim is not None
        await ledger.reject(index, claim, "The file ends in the middle of its pictures.")


async def fill(folder: Path) -> None:
    """Patients with the names of the world, and one scan each."""
    async with open_records(folder / "records.sqlite") as records:
        for patient, name in NAMES.items():
            await add_patient(records, patient, {"name": name})
    grown = {"volume_percent": 18.3, "volume_ml": 6.2, "comparable": True}
    await publish(folder, "ARABIC", "a1", change=grown, quality=[])
    left = lesion(side="left", lobes={"temporal": 81.0})
    await publish(
        folder,
        "CHINESE",
        "c1",
        lesions=[left],
        change=grown | {"volume_percent": -7.0, "volume_ml": -1.0},
    )
    await publish(folder, "IMG", "i1", finding="not_judged", lesions=[], volume_ml=None)
    await publish(folder, "LONG", "l1", quality=[LOW])
    await fail(folder, "B" * 200, "broken.nii")
