"""What machines ask: /healthz, /metrics, and whether the daemon is at work."""

import asyncio
import hmac
import shutil
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from daemon.dicom_node.associations import Account, read_account
from daemon.dicom_node.staging import Received, Staging, count_received
from daemon.drops import State
from daemon.index.database import Database
from daemon.index.ledger import count_states
from daemon.index.notices import ReceiverCounts, count_notices
from daemon.index.sent_objects import DestinationCounts, count_sent
from daemon.index.statistics import (
    RECONCILE,
    STAGES,
    Totals,
    count_arrived,
    is_alive,
    oldest_waiting_seconds,
    seconds_since,
    silence_limit,
    totals,
)
from daemon.index.worklist_rows import catch_up
from daemon.machines.activity_file import MachineSeen
from daemon.operations.status import last_sign_of_life
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from daemon.quality.monthly_figures import FIGURES
from viewer.admin.machines import machines_of
from viewer.admin.monthly_figures import figures_now
from viewer.sessions import INDEX, JOINED, RECORDS, SETTINGS
from viewer.templating import night_since, stored


async def healthz(request: web.Request) -> web.StreamResponse:
    """`ok`, or 503 and `not ok`."""
    if await is_daemon_alive(request.app):
        return web.Response(text="ok")
    return web.Response(text="not ok", status=503)


async def is_daemon_alive(app: web.Application) -> bool:
    """Whether the daemon has looked through the inbox within the time that a look may take."""
    return await is_alive(app[INDEX], RECONCILE, longest_silence(app))


def longest_silence(app: web.Application) -> float:
    """Seconds after its last look through the inbox from which on the daemon counts as stopped."""
    return silence_limit(app[SETTINGS].daemon.reconcile_seconds)


async def stopped_sentence(request: web.Request) -> str:
    """That the daemon is stopped and since when; '' while it is at work."""
    every = request.app[SETTINGS].daemon.reconcile_seconds
    sign = await last_sign_of_life(request.app[INDEX], every)
    if sign.is_alive:
        return ""
    if not sign.at:
        return text("stopped.never")
    return text("stopped.since", since=moment_words(sign.at))


async def send_metrics(request: web.Request) -> web.StreamResponse:
    """The numbers as they are now; without a token in the settings there is no such address."""
    settings = request.app[SETTINGS]
    token = settings.viewer.metrics_token.get_secret_value()
    if not token:
        raise web.HTTPNotFound
    if not _has_token(request, token):
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    metrics = await _metrics(request.app[INDEX], settings.daemon.outbox)
    metrics.append(await _arrived(request.app))
    metrics += await _of_month(request.app)
    if settings.dicom.sorts:
        metrics += await asyncio.to_thread(_of_node, settings.daemon.inbox)
    if names := [to.name for to in settings.receivers]:
        metrics += _of_sending(await count_sent(request.app[INDEX], names))
    if told := [to.name for to in settings.now.notify.to]:
        metrics += _of_notifying(await count_notices(request.app[INDEX], told))
    if settings.workers.on:
        metrics += _of_machines(await asyncio.to_thread(machines_of, settings.now))
    registry.register(_Given(metrics))
    return web.Response(
        body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


class _Given(Collector):
    """Metrics that were gathered already, since a collector cannot await."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterator[Metric]:
        """What was given."""
        return iter(self._metrics)


def _has_token(request: web.Request, token: str) -> bool:
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(given, f"Bearer {token}".encode())


async def _metrics(index: Database, outbox: Path) -> list[Metric]:
    free = await asyncio.to_thread(_free_bytes, outbox)
    since_look = await seconds_since(index, RECONCILE)
    oldest = await oldest_waiting_seconds(index)
    analyzed = await totals(index)
    return [
        _drops(await count_states(index)),
        _gauge("oldest_waiting_seconds", "Age of the oldest drop that waits; 0 if none.", oldest),
        _gauge("outbox_free_bytes", "Free bytes of the outbox's disk.", free),
        _gauge("reconcile_age_seconds", "Since the inbox was last looked through.", since_look),
        _scans(analyzed),
        _stages(analyzed),
    ]


async def _arrived(app: web.Application) -> Metric:
    """The worklist's own counts of last night."""
    await catch_up(app[JOINED], app[RECORDS])
    about = "Scans that arrived since the night began, by the worklist's state."
    metric = GaugeMetricFamily("gliowatch_arrived", about, labels=["state"])
    begins = night_since(datetime.now().astimezone(), app[SETTINGS].viewer.night_begins)
    for state, count in (await count_arrived(app[INDEX], stored(begins))).items():
        metric.add_metric([state], count)
    return metric


async def _of_month(app: web.Application) -> list[Metric]:
    """This month's figures so far, and which of them lie outside of what is usual."""
    now = datetime.now().astimezone()
    months = (await figures_now(app, now)).months
    month = next((each for each in months if each.name == f"{now:%Y-%m}"), None)
    about = "Of this month's scans, as the page on months tells it, from 0 to 1."
    value = GaugeMetricFamily("gliowatch_month_figure", about, labels=["figure"])
    about = "1 where this month's figure is outside of what is usual, 0 else."
    outside = GaugeMetricFamily("gliowatch_month_outside", about, labels=["figure"])
    for name in FIGURES:
        figure = month.figure(name) if month is not None else None
        if figure is None or figure.value is None:
            continue
        value.add_metric([name], figure.value)
        outside.add_metric([name], figure.is_outside)
    about = "Scans that were first published this month."
    return [_gauge("month_scans", about, month.scans if month else 0), value, outside]


def _of_node(inbox: Path) -> list[Metric]:
    """What the DICOM node has taken since it started, and what it holds now."""
    account: Account = read_account(Staging(inbox).state)
    held: Received = count_received(inbox)
    sums = account.sums
    associations = {"taken": sums.associations, "refused": sums.refused_associations}
    objects = {
        "stored": sums.objects - sums.doubles,
        "double": sums.doubles,
        "refused": sums.refused_objects,
    }
    return [
        _counter("dicom_associations", "Associations that ended.", associations),
        _counter("dicom_objects", "Objects that were answered.", objects),
        _counter("dicom_bytes", "Bytes of stored objects.", {"stored": sums.size}),
        _counter("dicom_studies", "Studies that went into the inbox.", {"filed": sums.studies}),
        _gauge("dicom_objects_waiting", "Objects whose study is not complete.", held.whole),
        _gauge("dicom_objects_arriving", "Objects of which bytes are missing.", held.arriving),
    ]


def _of_sending(counts: list[DestinationCounts]) -> list[Metric]:
    """What went to each archive, and how long the oldest waits that did not."""
    about = "Objects for archives by state."
    objects = GaugeMetricFamily("gliowatch_send_objects", about, labels=["destination", "state"])
    oldest = GaugeMetricFamily(
        "gliowatch_send_oldest_seconds",
        "Since when the oldest object waits that is not sent; 0 if none.",
        labels=["destination"],
    )
    promised = GaugeMetricFamily(
        "gliowatch_send_commitments",
        "Objects by what an archive says of keeping them; none where it is not asked.",
        labels=["destination", "state"],
    )
    for each in counts:
        for said, count in each.commitments.items():
            promised.add_metric([each.name, said.value], count)
        for state, count in each.states.items():
            objects.add_metric([each.name, state.value], count)
        at = each.oldest_wanted_at
        waits = (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds() if at else 0.0
        oldest.add_metric([each.name], max(0.0, waits))
    return [objects, oldest, promised]


def _of_notifying(counts: list[ReceiverCounts]) -> list[Metric]:
    """What each receiver was told within the last weeks, and how long the oldest message waits."""
    about = "Messages of the last 30 days by state."
    messages = GaugeMetricFamily("gliowatch_notify_messages", about, labels=["receiver", "state"])
    oldest = GaugeMetricFamily(
        "gliowatch_notify_oldest_seconds",
        "Since when the oldest message waits that is not sent; 0 if none.",
        labels=["receiver"],
    )
    for each in counts:
        for state, count in each.messages.items():
            messages.add_metric([each.name, state.value], count)
        waits = time.time() - each.oldest if each.oldest else 0.0
        oldest.add_metric([each.name], max(0.0, waits))
    return [messages, oldest]


def _of_machines(machines: tuple[MachineSeen, ...]) -> list[Metric]:
    """What each other machine does, and did since the daemon's start."""
    gauges = {
        "machine_up": "1 while another machine may get scans.",
        "machine_running": "Scans that are on it.",
    }
    counters = {
        "machine_scans": "Scans that it analyzed.",
        "machine_seconds": "Seconds that these took there.",
        "machine_failures": "Times that it failed.",
    }
    label = ["machine"]
    up, running = (
        GaugeMetricFamily(f"gliowatch_{name}", about, labels=label)
        for name, about in gauges.items()
    )
    scans, seconds, failures = (
        CounterMetricFamily(f"gliowatch_{name}", about, labels=label)
        for name, about in counters.items()
    )
    about = "Bytes of scans and answers."
    carried = CounterMetricFamily("gliowatch_machine_bytes", about, labels=[*label, "direction"])
    for each in machines:
        up.add_metric([each.name], float(each.is_there and not each.rests))
        running.add_metric([each.name], len(each.running))
        scans.add_metric([each.name], each.scans)
        seconds.add_metric([each.name], each.seconds)
        failures.add_metric([each.name], each.failures)
        carried.add_metric([each.name, "sent"], each.sent)
        carried.add_metric([each.name, "received"], each.received)
    return [up, running, scans, seconds, failures, carried]


def _counter(name: str, about: str, counts: dict[str, int]) -> Metric:
    metric = CounterMetricFamily(f"gliowatch_{name}", about, labels=["outcome"])
    for outcome, count in counts.items():
        metric.add_metric([outcome], count)
    return metric


def _free_bytes(outbox: Path) -> float | None:
    try:
        return float(shutil.disk_usage(outbox).free)
    except OSError:  # away, perhaps; the other numbers are wanted all the more
        return None


def _gauge(name: str, about: str, value: float | None) -> Metric:
    """One number, or none where it is not known."""
    metric = GaugeMetricFamily(f"gliowatch_{name}", about)
    if value is not None:
        metric.add_metric([], value)
    return metric


def _drops(states: dict[State, int]) -> Metric:
    metric = GaugeMetricFamily("gliowatch_drops", "Drops by state.", labels=["state"])
    for state, count in states.items():
        metric.add_metric([state.value], count)
    return metric


def _scans(analyzed: list[Totals]) -> Metric:
    about = "Published scans by finding, each revision counted."
    metric = CounterMetricFamily("gliowatch_scans", about, labels=["finding"])
    for each in analyzed:
        metric.add_metric([each.finding], each.scans)
    return metric


def _stages(analyzed: list[Totals]) -> Metric:
    about = "Seconds that published scans took, by stage."
    metric = SummaryMetricFamily("gliowatch_stage_seconds", about, labels=["stage"])
    scans = sum(each.scans for each in analyzed)
    for stage in STAGES:
        seconds = sum(each.seconds[stage] for each in analyzed)
        metric.add_metric([stage], count_value=scans, sum_value=seconds)
    return metric
