"""The page on the DICOM node, and its numbers for machines: what came, without patient data."""

from pathlib import Path

from pydantic import SecretStr

from daemon.dicom_node.associations import Book, Ending
from daemon.dicom_node.staging import Staging
from daemon.safe_files import only_one_at
from daemon.settings import DicomSettings
from tests.viewer.test_house import open_house
from viewer.sessions import SETTINGS


def write_account(staging: Staging) -> None:
    """Two associations: one brought two objects, one was turned away."""
    staging.make()
    book = Book(staging.state)
    book.listens(11112)
    first, second = book.begin("10.0.0.1"), book.begin("10.0.0.2")
    book.name(first, "<b>PACS")
    book.stored(first, 1_500_000)
    book.stored(first, 500_000)
    book.refuse_object(first)
    book.filed(studies=1, doubles=1)
    book.end(first, Ending.RELEASED)
    book.end(second, Ending.ADDRESS)
    book.write()
    (staging.arrived / f"{40 * 'a'}.1.dcm").write_bytes(b"x")
    (staging.arriving / "tmp1.dcm").write_bytes(b"x")


async def test_the_page_tells_what_came_and_how_it_ended(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert "The DICOM node is off" in await house.page("/system/associations")
        staging = Staging(house.settings.daemon.inbox)
        write_account(staging)
        with only_one_at(staging.lock):
            page = await house.page("/system/associations")
        assert "The DICOM node runs as GLIOWATCH on 127.0.0.1, port 11112, without TLS." in page
        assert "1 objects wait until their study is complete; 1 are arriving." in page
        assert "&lt;b&gt;PACS" in page
        assert "<b>PACS" not in page
        assert "2.0 MB" in page
        assert "turned away: its address is not in dicom.addresses" in page
        assert "/system/associations" not in await house.page("/system")


async def test_where_it_is_on_the_system_page_leads_there_and_metrics_count(tmp_path: Path) -> None:
    async with open_house(tmp_path, metrics_token=SecretStr("a-token-for-prometheus")) as house:
        house.app[SETTINGS] = house.app[SETTINGS].model_copy(
            update={"dicom": DicomSettings(on=True)}
        )
        write_account(Staging(house.settings.daemon.inbox))
        assert "The DICOM node does not run" in await house.page("/system/associations")
        assert "/system/associations" in await house.page("/system")
        answer = await house.client.get(
            "/metrics", headers={"Authorization": "Bearer a-token-for-prometheus"}
        )
        numbers = await answer.text()
        for line in (
            'gliowatch_dicom_associations_total{outcome="refused"} 1.0',
            'gliowatch_dicom_objects_total{outcome="stored"} 1.0',
            'gliowatch_dicom_objects_total{outcome="double"} 1.0',
            'gliowatch_dicom_objects_total{outcome="refused"} 1.0',
            'gliowatch_dicom_studies_total{outcome="filed"} 1.0',
            "gliowatch_dicom_objects_waiting 1.0",
            "gliowatch_dicom_objects_arriving 1.0",
        ):
            assert line in numbers
        assert "PACS" not in numbers
