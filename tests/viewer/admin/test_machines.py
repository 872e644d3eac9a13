"""Other machines on the System page: what each does, and where a scan of the queue is."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.index.statistics import RECONCILE, beat
from daemon.machines.activity_file import MachineSeen, account_file, read_account, write_account
from tests.viewer.test_house import open_house
from viewer.sessions import INDEX

MACHINE = MachineSeen(
    name="alpha",
    is_there=True,
    places=4,
    running=(1,),
    scans=10,
    seconds=25.0,
    failures=1,
    sent=14_000_000,
    received=23_000_000,
    rests=False,
    refusal="",
)
REFUSED = "It cannot analyze for this site."


async def test_what_each_machine_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOWATCH_WORKERS__ADDRESS", "tcp://127.0.0.1:8786")
    async with open_house(tmp_path) as house:
        await beat(house.app[INDEX], RECONCILE)
        assert "No other machine has reported since the start." in await house.page("/system")
        running = await house.add_running("R", "r.nii")
        seen = (
            replace(MACHINE, running=(running.drop_id,)),
            replace(MACHINE, name="beta", running=(), rests=True),
            replace(MACHINE, name="gamma", running=(), is_there=False, scans=0),
            replace(MACHINE, name="<i>delta", running=(), is_there=False, refusal=REFUSED),
        )
        write_account(account_file(house.settings.daemon), seen)
        page = await house.page("/system/queue")
    assert "<small>on alpha</small>" in page
    assert "<td>1 of 4</td><td>10</td><td>2.5</td><td>1</td><td>14.0, 23.0</td>" in page
    assert "rests, since it failed again and again" in page
    assert "away" in page
    assert REFUSED in page
    assert "&lt;i&gt;delta" in page


async def test_without_other_machines_nothing_is_said_of_them(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        write_account(account_file(house.settings.daemon), (MACHINE,))
        assert "alpha" not in await house.page("/system")


def test_an_account_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    file = tmp_path / "machines.json"
    assert read_account(file) == ()
    for content in ("[", '[{"name": "alpha"}]', "[1]", "{}"):
        file.write_text(content)
        assert read_account(file) == ()
    write_account(file, (MACHINE,))
    assert read_account(file) == (MACHINE,)
