"""What a scan's page hands out beside its numbers: revisions, every file, a zip, drawn slices."""

import os
import shutil
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from daemon.index.scans import add_scan
from model.volume import Kind
from tests.daemon.pipeline.published import Given, publish_folder
from tests.phantoms.heads import head, write_nifti
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX

HEAD = head(lesion=(38, 30, 12), radius=16)
HOSTILE = "<b>صورة & 扫描.nii.gz"


async def publish(house: House, *revisions: Given) -> None:
    """Enter scans that have real files."""
    for given in revisions:
        row = publish_folder(house.settings.daemon.outbox, given)
        async with house.app[INDEX].transaction():
            await add_scan(house.app[INDEX], row)


def given_head(folder: Path, **changes: object) -> Given:
    dropped = write_nifti(folder / HOSTILE, HEAD.voxels, HEAD.affine)
    return Given("P1", 1, dropped, Kind.NIFTI, HEAD.lesion, **changes)  # type: ignore[arg-type]


async def test_every_revision_can_be_read_and_only_the_newest_counts(tmp_path: Path) -> None:
    first = given_head(tmp_path)
    why = ("quality", [{"code": "judged_again", "message": "Judged again <in another> way."}])
    second = given_head(tmp_path, revision=2, changes=(("volume_ml", 1.5), why))
    address = f"/scans/{first.scan_id}"
    async with open_house(tmp_path) as house:
        await publish(house, first, second)
        newest, old = await house.page(address), await house.page(f"{address}?revision=1")
        assert "1.5 ml" in newest
        assert "superseded. <a" not in newest
        assert "This is revision 1, which was superseded." in old
        assert "Judged again &lt;in another&gt; way." in old
        told = await house.page(f"{address}/newest")
        assert told == '{"revision": 2, "removed": false, "measured": 0}'
        for query in ("3", "0", "x", "-1", "1%20"):
            await house.page(f"{address}?revision={query}", 404)
        old_report = await house.page(f"{address}/files/report.json?revision=1")
        assert '"revision": 1' in old_report
        assert '"revision": 2' in await house.page(f"{address}/files/report.json")


async def test_every_file_leaves_under_a_role_and_the_zip_holds_all_of_them(tmp_path: Path) -> None:
    scan = given_head(tmp_path)
    async with open_house(tmp_path) as house:
        await publish(house, scan)
        folder = house.settings.daemon.outbox / "P1" / scan.scan_id
        (folder / f"{scan.scan_id}_overlay").mkdir()
        (folder / f"{scan.scan_id}_overlay" / "0001.dcm").write_bytes(b"capture")
        (folder / "escape.txt").symlink_to("/etc/passwd")
        page = await house.page(f"/scans/{scan.scan_id}")
        assert "صورة" not in page
        for picture in ("overlay", "planes", "montage"):  # they are there without any script
            assert f'src="/scans/{scan.scan_id}/files/{picture}.png?revision=1"' in page
        dropped = scan.dropped.read_bytes()
        for role, content in (
            ("source-1", dropped),
            ("image.nii", dropped),
            ("capture-1.dcm", b"capture"),
        ):
            answer = await house.client.get(f"/scans/{scan.scan_id}/files/{role}")
            assert await answer.read() == content, role
            assert "صورة" not in str(answer.headers)
        await house.page(f"/scans/{scan.scan_id}/files/source-2", 404)
        os.utime(folder / f"{scan.scan_id}_report.json", (1, 1))  # before what a zip can tell
        answer = await house.client.get(f"/scans/{scan.scan_id}/all.zip")
        content = await answer.read()
        assert answer.content_length == len(content)
        with zipfile.ZipFile(BytesIO(content)) as archive:
            assert archive.testzip() is None
            assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
            names = set(archive.namelist())
            assert archive.read(f"source/{HOSTILE}") == dropped
    ours = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    assert names == {str(path.relative_to(folder)) for path in ours}


async def test_the_server_draws_slices_with_the_mask(tmp_path: Path) -> None:
    scan = given_head(tmp_path)
    async with open_house(tmp_path) as house:
        await publish(house, scan)
        largest = int(HEAD.lesion.sum(axis=(0, 1)).argmax()) + 1
        address = f"/scans/{scan.scan_id}/slices"

        async def drawn(query: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
            answer = await house.client.get(f"{address}/{query}")
            assert answer.content_type == "image/png"
            return np.asarray(Image.open(BytesIO(await answer.read())), np.int64)

        plain = await drawn(f"{largest}.png?marks=none")
        filled = await drawn(f"{largest}.png?marks=fill&opacity=100")
        dark = await drawn(f"{largest}.png?marks=none&window=3")
        assert dark.mean() < 0.9 * plain.mean()
        columns = np.nonzero((filled != plain).any(axis=(0, 2)))[0]
        assert columns.max() < plain.shape[1] / 2  # the patient's right is on the picture's left
        colours = {tuple(pixel) for pixel in filled[(filled != plain).any(axis=2)]}
        assert colours == {(255, 210, 0)}
        for wrong in ("0.png", "31.png", "x.png", "1.png?window=9", "1.png?opacity=200"):
            assert "There is no such slice." in await house.page(f"{address}/{wrong}", 404)


async def test_a_scan_whose_files_are_gone_says_so(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        row = await house.add_scan("P1", "gone", files={"report.json": b"{}"})
        page = await house.page("/scans/gone")
        assert "There is no picture of this scan." in page
        shutil.rmtree(house.settings.daemon.outbox / os.fsdecode(row.folder))
        await house.page("/scans/gone/all.zip", 404)
        await house.page("/scans/gone/slices/1.png", 404)
        async with house.app[INDEX].transaction():
            await house.app[INDEX].change("UPDATE scans SET removed_at = '2026-11-01T10:00:00Z'")
        assert "removed by retention on 2026-11-01 10:00" in await house.page("/scans/gone")


async def test_two_scans_of_one_patient_are_compared_and_none_of_another(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1", name="<img onerror=alert(1)>")
        await house.add_scan("P1", "a")
        await house.add_scan("P1", "b", volume_ml=3.2, volume_ml_range=None)
        await house.add_scan("P2", "c")
        page = await house.page(f"/patients/{key}/compare?a=b&b=a")
        assert "&lt;img onerror=alert(1)&gt;" in page
        assert "Not registered" in page
        assert "3.2 ml" in page
        assert "have not been compared with each other" in page
        assert "Choose a scan" in await house.page(f"/patients/{key}/compare")
        assert "two different" in await house.page(f"/patients/{key}/compare?a=a&b=a")
        for query in ("a=a&b=c", "a=x&b=b"):
            await house.page(f"/patients/{key}/compare?{query}", 404)
