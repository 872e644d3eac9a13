"""Which machine gets a scan, and whom its failure costs what: with machines that are made up."""

import asyncio
import hashlib
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
import pytest

from daemon.machines import coordinator, dask_cluster, worker
from daemon.machines.activity_file import MachineSeen, read_account
from daemon.machines.compatibility import CODE, difference, release
from daemon.machines.coordinator import FarMachines
from daemon.pipeline.worker_processes import WorkerFailed
from daemon.pipeline.worker_tasks import AnalysisRules
from daemon.settings import Allowance
from daemon.settings.workers import WorkersSettings
from model.inference.analysis import Analysis
from model.inference.parcels import Answer, Parcel, answer_of
from model.measurement.findings import Finding, Findings
from model.volume import Kind, Note, Scale, Volume
from model.weights_config import about_weights
from tests.conftest import ROOT, until

WORKERS = WorkersSettings(address="tcp://127.0.0.1:1", slots=4)
RULES = AnalysisRules(None, 0.5, 100.0, False, 0.35, False, 1)
Says = Callable[["Future[object]", str], None]  # what a machine does with a scan


class Pretended(Executor):
    """A machine that does with each scan what it is told to."""

    def __init__(self, says: Says) -> None:
        self._says = says
        self.sent: list[bytes] = []

    def submit(self, function: object, /, *values: object, **_: object) -> "Future[object]":  # type: ignore[override]
        future: Future[object] = Future()
        self.sent.append(pickle.dumps((function, values)))
        self._says(future, str(values[0]))
        return future


class Wires:
    """In place of dask_cluster.Connection: which machines are there, and what they were told."""

    def __init__(self) -> None:
        self.there: dict[str, Pretended] = {}
        self.told: list[tuple[str, str, tuple[object, ...]]] = []
        self.releases: dict[str, dict[str, str]] = {}
        self.is_open = True

    def __call__(self, _: WorkersSettings) -> "Wires":
        return self

    def workers(self) -> list[dask_cluster.Seen]:
        return [dask_cluster.Seen(name, f"{name}/1", name, 2) for name in self.there]

    def executor(self, address: str) -> Executor:
        return self.there[address]

    def tell(self, address: str, function: Callable[..., object], *values: object) -> object:
        self.told.append((address, function.__name__, values))
        if function is worker.about:
            return worker.About(self.releases.get(address, release()), ())
        return True

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> Wires:
    made = Wires()
    monkeypatch.setattr(dask_cluster, "Connection", made)
    monkeypatch.setattr(coordinator, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(coordinator, "FREE_SECONDS", 0.01)
    monkeypatch.setattr(coordinator, "LAST_WORD_SECONDS", 0.05)
    monkeypatch.setattr(coordinator, "BACK_SECONDS", 0.5)
    return made


@pytest.fixture
async def machines(wires: Wires, tmp_path: Path) -> AsyncIterator[FarMachines]:
    allowance = Allowance(60, 10**9)
    made = FarMachines(WORKERS, None, lambda: allowance, tmp_path / "machines.json")
    async with made.reached():
        yield made


def answer() -> Answer:
    weights = about_weights()
    assert weights is not None
    findings = Findings(Finding.NOT_ANALYZED, (), (Note("too_small", "Too small."),))
    return answer_of(Analysis(findings, None), None, weights.name, weights.sha256, 2.0)


def well(future: "Future[object]", _: str) -> None:
    future.set_result(answer())


def badly(future: "Future[object]", _: str) -> None:
    future.set_result(worker.Failed("The scan took too long and was stopped."))


def dying(future: "Future[object]", _: str) -> None:
    future.set_exception(OSError("killed"))


def never(_: "Future[object]", __: str) -> None:
    return


async def parcel(number: int) -> Parcel | None:
    if number:
        return None
    voxels = np.zeros((4, 4, 4), np.float32)
    return Parcel.of(Volume(voxels, np.eye(4), Kind.NIFTI, Scale.DECLARED, True))


async def report(machines: FarMachines, wires: Wires, **says: Says) -> None:
    """These machines report, and are known."""
    wires.there |= {name: Pretended(each) for name, each in says.items()}
    await until(lambda: {each.name for each in machines.seen() if each.is_there} >= set(says))


def seen(machines: FarMachines, name: str) -> MachineSeen:
    return next(each for each in machines.seen() if each.name == name)


async def test_a_scan_is_analyzed_where_there_is_a_place(
    machines: FarMachines, wires: Wires, tmp_path: Path
) -> None:
    await report(machines, wires, a=well)
    assert machines.places == 2
    assert await machines.analyze(7, parcel, RULES) == (answer(),)
    assert (seen(machines, "a").scans, seen(machines, "a").seconds) == (1, 2.0)
    await until(lambda: read_account(tmp_path / "machines.json") == machines.seen())


async def test_a_machine_that_fails_costs_the_scan_nothing(
    machines: FarMachines, wires: Wires
) -> None:
    await report(machines, wires, a=dying)
    going = asyncio.create_task(machines.analyze(1, parcel, RULES))
    await report(machines, wires, b=well)
    found = await going
    if not found:  # it was done before the second one came: it is analyzed here then
        found = await machines.analyze(1, parcel, RULES)
    assert found == (answer(),)
    assert seen(machines, "a").failures >= 1
    assert seen(machines, "b").failures == 0


async def test_a_scan_on_which_two_machines_fail_is_to_blame(
    machines: FarMachines, wires: Wires
) -> None:
    await report(machines, wires, a=badly, b=dying, c=well)
    wires.there["c"]._says = badly
    with pytest.raises(WorkerFailed):
        await machines.analyze(1, parcel, RULES)
    for _ in range(3):
        with pytest.raises(WorkerFailed):
            await machines.analyze(1, parcel, RULES)
    assert not any(each.rests for each in machines.seen())


async def test_a_machine_that_fails_again_and_again_rests(
    machines: FarMachines, wires: Wires
) -> None:
    await report(machines, wires, a=dying)
    for _ in range(2):
        assert await machines.analyze(1, parcel, RULES) == ()
    assert seen(machines, "a").rests
    assert machines.places == 0
    await report(machines, wires, b=well)
    assert await machines.analyze(1, parcel, RULES) == (answer(),)


async def test_where_no_machine_is_a_scan_is_analyzed_here(
    machines: FarMachines, wires: Wires
) -> None:
    assert await machines.analyze(1, parcel, RULES) == ()
    assert machines.places == 0


async def test_a_machine_that_was_stopped_is_not_blamed(
    machines: FarMachines, wires: Wires
) -> None:
    await report(machines, wires, a=never, b=well)
    wires.there["b"]._says = never
    going = [asyncio.create_task(machines.analyze(number, parcel, RULES)) for number in (1, 2)]
    await until(lambda: seen(machines, "a").running and seen(machines, "b").running)
    wires.there["b"]._says = well
    del wires.there["a"]
    await until(lambda: any(each.done() for each in going))
    assert seen(machines, "a").failures == 0
    for each in going:
        each.cancel()
    await asyncio.gather(*going, return_exceptions=True)


async def test_a_scan_that_is_given_up_here_is_given_up_there(
    machines: FarMachines, wires: Wires
) -> None:
    await report(machines, wires, a=never)
    going = asyncio.create_task(machines.analyze(5, parcel, RULES))
    await until(lambda: seen(machines, "a").running == (5,))
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert [name for _, name, _ in wires.told] == ["about", "give_up"]
    assert seen(machines, "a").running == ()


async def test_another_release_is_refused_in_a_sentence_on_both_sides(
    machines: FarMachines, wires: Wires
) -> None:
    wires.releases["a"] = release() | {"gliowatch": "0.0.9"}
    wires.there["a"] = Pretended(well)
    await until(lambda: [name for _, name, _ in wires.told] == ["about", "refuse"])
    sentence = seen(machines, "a").refusal
    assert "gliowatch is 0.0.9 there" in sentence
    assert wires.told[-1][2] == (sentence,)
    assert machines.places == 0


def test_other_code_of_the_same_version_is_told_too() -> None:
    assert difference(release(), release()) == ""
    assert CODE in difference(release(), release() | {CODE: "0"})


async def test_weights_are_sent_once_to_who_lacks_them(wires: Wires, small_weights: Path) -> None:
    made = FarMachines(WORKERS, small_weights, lambda: Allowance(60, 10**9))
    async with made.reached():
        await report(made, wires, a=never, b=never)
    sent = [(address, values) for address, name, values in wires.told if name == "take_weights"]
    assert sorted(address for address, _ in sent) == ["a", "b"]
    for _, (sha256, suffix, content) in sent:
        assert suffix == ".safetensors"
        assert isinstance(content, bytes)
        assert hashlib.sha256(content).hexdigest() == sha256


async def test_weights_that_were_damaged_on_the_way_are_not_kept() -> None:
    place = worker.Place(1)
    assert not place.take("0" * 64, ".safetensors", b"weights")
    assert "0" * 64 not in place.about().weights
    place.close()


@pytest.mark.parametrize(
    ("address", "files", "why"),
    [
        ("tcp://10.0.0.5:8786", False, "not encrypted"),
        ("tls://10.0.0.5:8786", False, "needs tls_ca"),
        ("tls://10.0.0.5", True, "no address"),
        ("http://10.0.0.5:8786", True, "no address"),
        ("tls://10.0.0.5:99999", True, "no address"),
        ("tls://10.0.0.5:8786", True, ""),
        ("tcp://127.0.0.1:8786", False, ""),
    ],
)
def test_who_may_run_programs_here_shows_a_certificate(address: str, files: bool, why: str) -> None:
    file = "x" if files else ""
    found = WorkersSettings(
        address=address, tls_ca=file, tls_certificate=file, tls_key=file
    ).wrong()
    assert why in found
    assert bool(found) == bool(why)


def test_the_library_is_not_loaded_where_no_machine_is_asked_for() -> None:
    program = (
        "import sys, daemon.service, daemon.supervisor, viewer.app, daemon.machines.coordinator;"
        " print({'dask', 'distributed', 'tornado'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
