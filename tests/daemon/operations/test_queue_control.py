"""A scan that still rests begins as soon as a person wishes it, whatever lies beside it."""

import asyncio

from daemon.index.database import open_index
from daemon.index.ledger import open_drops
from daemon.operations.queue_control import begin_now
from daemon.settings import Settings
from tests.conftest import gliowatch, reasons, running_daemon, until


async def test_begin_now(hospital: Settings) -> None:
    daemon = hospital.daemon.model_copy(update={"rest_seconds": 3600.0})
    (hospital.daemon.inbox / "P").mkdir()
    for name in ("a.dcm", "b.dcm.part"):  # the second is still being copied
        (hospital.daemon.inbox / "P" / name).write_bytes(b"no DICOM")
    async with running_daemon(hospital.model_copy(update={"daemon": daemon})):
        async with open_index(daemon.index) as index:
            async with asyncio.timeout(60):
                while not (waiting := await open_drops(index)):  # noqa: ASYNC110 - another's work
                    await asyncio.sleep(0.05)
            assert waiting[0].rested is False
            assert await begin_now(index, [str(waiting[0].drop_id)]) == 1
        await until(lambda: reasons(hospital))
    assert list(reasons(hospital)) == ["a.dcm"]
    assert (daemon.inbox / "P" / "b.dcm.part").exists()


def test_the_command_line_has_it_too(hospital: Settings) -> None:
    refused = gliowatch(hospital, "queue", "now", "999")
    assert refused.returncode == 2
    assert "Nothing was changed: gliowatch queue now has nothing to do for 999." in refused.stderr
    assert gliowatch(hospital, "queue", "now").returncode == 2
