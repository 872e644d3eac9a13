"""What machines ask the viewer: /healthz, and /metrics with its own token and nobody's data."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from daemon.index import migrations
from daemon.index.database import open_index, open_records
from daemon.index.ledger import take_over
from daemon.index.statistics import RECONCILE, beat, seconds_since, totals
from daemon.intake.file_stability import Stability
from daemon.intake.inbox_reconciler import Reconciler
from daemon.intake.inbox_scan import NameRules, keep_mark
from daemon.settings import Settings, load_settings
from tests.conftest import running_daemon, until
from tests.daemon.test_supervisor import start
from tests.phantoms.reports import REPORT
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX

SECRET = "a-token-for-prometheus"
BEARER = {"Authorization": f"Bearer {SECRET}"}


def with_token() -> dict[str, Any]:
    return {"metrics_token": SecretStr(SECRET)}


async def numbers(house: House) -> dict[str, float]:
    """Every sample of /metrics, by its name with labels."""
    answer = await house.client.get("/metrics", headers=BEARER)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(await answer.text()):
        for sample in family.samples:
            label = "".join(f"[{value}]" for value in sample.labels.values())
            found[sample.name.removeprefix("gliowatch_") + label] = sample.value
    return found


async def look_was(house: House, seconds: float) -> None:
    """Set the time of the last look to so many seconds ago."""
    await beat(house.app[INDEX], RECONCILE)
    async with house.app[INDEX].transaction():
        await house.app[INDEX].change("UPDATE heartbeats SET at = ?", (time.time() - seconds,))


async def test_healthz_needs_an_index_and_a_recent_look(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False) as house:
        assert await house.page("/healthz", 503) == "not ok"
        limit = 3 * house.settings.daemon.reconcile_seconds + 60
        await look_was(house, limit - 5)
        assert await house.page("/healthz") == "ok"
        await look_was(house, limit + 1)
        assert await house.page("/healthz", 503) == "not ok"
        await look_was(house, -3600)  # the clock was put back
        assert await house.page("/healthz") == "ok"
        await house.break_index()
        assert await house.page("/healthz", 503) == "not ok"


async def test_a_running_daemon_writes_its_looks_into_the_index(hospital: Settings) -> None:
    async with running_daemon(hospital):
        await until(hospital.daemon.index.exists)
        async with open_index(hospital.daemon.index) as index:
            seen: set[float] = set()
            end = time.monotonic() + 30
            while len(seen) < 2 and time.monotonic() < end:
                seen |= {row["at"] for row in await index.rows("SELECT at FROM heartbeats")}
    assert len(seen) == 2


async def test_an_inbox_that_is_away_is_no_look(hospital: Settings) -> None:
    rules, resting = NameRules((), ()), Stability(1.0)
    async with (
        open_index(hospital.daemon.index) as index,
        open_records(hospital.daemon.records) as records,
    ):
        await keep_mark(hospital.daemon.inbox, index)
        look = Reconciler(hospital.daemon.inbox, rules, resting, index, records).look
        hospital.daemon.inbox.rename(hospital.daemon.inbox.with_name("unmounted"))
        await look()
        assert await seconds_since(index, RECONCILE) is None
        hospital.daemon.inbox.mkdir()  # the place where it was mounted
        await look()
        assert await seconds_since(index, RECONCILE) is None
        hospital.daemon.inbox.rmdir()
        hospital.daemon.inbox.with_name("unmounted").rename(hospital.daemon.inbox)
        await look()
        assert await seconds_since(index, RECONCILE) is not None


async def test_a_look_goes_on_where_its_time_cannot_be_written(
    hospital: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    rules, resting = NameRules((), ()), Stability(1.0)
    async with (
        open_index(hospital.daemon.index) as index,
        open_records(hospital.daemon.records) as records,
    ):
        await keep_mark(hospital.daemon.inbox, index)
        await index.change("PRAGMA query_only = ON")  # as on a full disk
        inbox = Reconciler(hospital.daemon.inbox, rules, resting, index, records)
        assert await inbox.look() is False
    assert [event.getMessage() for event in caplog.records] == ["heartbeat_failed"]


async def test_without_a_token_there_is_no_such_address(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for headers in ({}, BEARER, {"Authorization": "Bearer "}):
            answer = await house.client.get("/metrics", headers=headers)
            assert answer.status == 404


@pytest.mark.parametrize(
    "given", ["", SECRET, f"Basic {SECRET}", "Bearer ", f"Bearer {SECRET}x", "Bearer \u00e4"]
)
async def test_the_wrong_token_gets_nothing(tmp_path: Path, given: str) -> None:
    async with open_house(tmp_path, **with_token()) as house:  # a session does not help
        answer = await house.client.get("/metrics", headers={"Authorization": given})
        assert answer.status == 401
        assert await answer.text() == ""
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_the_numbers(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False, **with_token()) as house:
        assert "reconcile_age_seconds" not in await numbers(house)
        await house.add_scan("SECRET-PATIENT", "scan1")
        seconds = {"read": 0.25, "segment": 2.0, "write": 0.5}
        await house.add_scan("SECRET-OTHER", "scan2", finding="no_tumor", seconds=seconds)
        await house.add_waiting("SECRET-PATIENT", "later.nii")
        async with house.app[INDEX].transaction():
            await house.app[INDEX].change(
                "UPDATE drops SET seen_at = '2026-01-01T00:00:00.000+00:00' WHERE state = 'waiting'"
            )
        await look_was(house, 100)
        found = await numbers(house)
        assert found["drops[waiting]"] == 1
        assert found["drops[done]"] == 2
        assert found["drops[rejected]"] == found["drops[running]"] == found["drops[duplicate]"] == 0
        assert found["oldest_waiting_seconds"] > 3600
        assert found["outbox_free_bytes"] > 0
        assert 100 <= found["reconcile_age_seconds"] < 110
        assert found["scans_total[tumor]"] == found["scans_total[no_tumor]"] == 1
        assert found["stage_seconds_sum[read]"] == 0.75
        assert found["stage_seconds_sum[segment]"] == 9.25
        assert found["stage_seconds_sum[write]"] == 1.5
        assert found["stage_seconds_count[read]"] == 2
        text = await (await house.client.get("/metrics", headers=BEARER)).text()
        assert "SECRET" not in text
        assert "scan1" not in text


async def test_a_scan_is_counted_once_and_each_revision_is(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False, **with_token()) as house:
        scan = await house.add_scan("P", "scan1")
        await take_over(house.app[INDEX], scan)  # entered again after a crash
        assert (await numbers(house))["scans_total[tumor]"] == 1
        await take_over(house.app[INDEX], replace(scan, revision=2))
        assert (await numbers(house))["scans_total[tumor]"] == 2
        only_compared = scan.report.changed(revision=3, judged_revision=2).as_column()
        await take_over(house.app[INDEX], replace(scan, revision=3, report_json=only_compared))
        assert (await numbers(house))["scans_total[tumor]"] == 2


async def test_no_report_is_read_for_the_numbers(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False, **with_token()) as house:
        await house.add_scan("P", "scan1")
        index = house.app[INDEX]
        for row in await index.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            await index.change(f"DROP TRIGGER {row['name']}")
        await index.change("UPDATE scans SET report = '{}'")
        assert (await numbers(house))["scans_total[tumor]"] == 1


async def test_an_outbox_that_is_away_costs_only_its_own_number(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False, **with_token()) as house:
        house.settings.daemon.outbox.rmdir()
        found = await numbers(house)
        assert "outbox_free_bytes" not in found
        assert found["oldest_waiting_seconds"] == 0


async def test_an_older_index_gets_its_totals_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "index.sqlite"
    monkeypatch.setattr("daemon.index.database.INDEX", migrations.INDEX[:3])
    async with open_index(path) as index:
        for number, finding in enumerate(["tumor", "tumor", "not_judged"]):
            await index.change(
                "INSERT INTO scans (scan_id, revision, patient_id, folder, content_sha256,"
                " finding, published_at, report) VALUES (?, 1, 'P', '', '', ?, '', ?)",
                (f"s{number}", finding, json.dumps(REPORT)),
            )
    monkeypatch.undo()
    async with open_index(path) as index:
        not_judged, tumor = await totals(index)
    assert (tumor.finding, tumor.scans) == ("tumor", 2)
    assert tumor.seconds == {"read": 1.0, "segment": 14.5, "write": 2.0}
    assert (not_judged.finding, not_judged.scans) == ("not_judged", 1)


def test_a_short_token_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[viewer]\nport = 0\nmetrics_token = "too-few"\n')
    process = start(tmp_path)
    _, log = process.communicate(timeout=120)
    assert process.returncode == 2
    assert log == "gliowatch: viewer.metrics_token must have 16 characters or more.\n"
    assert "too-few" not in load_settings(file).model_dump_json()
