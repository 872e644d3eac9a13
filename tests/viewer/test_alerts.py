"""deploy/monitoring: dashboard and alert rules ask for what /metrics really gives, no more."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from daemon.dicom_node.staging import Staging
from daemon.index.statistics import RECONCILE, beat
from daemon.machines.activity_file import account_file
from daemon.machines.activity_file import write_account as write_machines
from tests.conftest import ROOT
from tests.viewer.admin.test_associations import write_account
from tests.viewer.admin.test_machines import MACHINE
from tests.viewer.scans.test_sent_objects import TOKEN, with_object
from tests.viewer.test_house import open_house
from viewer.sessions import INDEX

MONITORING = ROOT / "deploy" / "monitoring"
OF_PROMETHEUS = ("job", "instance")  # labels that it adds itself to each sample
WORDS = {"rate", "increase", "delta", "sum", "max", "without", "by", "or", "unless"}
SELECTOR = re.compile(r"([a-zA-Z_]\w*)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')
GROUPING = re.compile(r"\b(?:without|by) \(([^)]*)\)")
NUMBER = re.compile(r"\[[0-9]+[smhd]\]|\b[0-9]+(?:e[0-9]+)?\b")
SHOWN = re.compile(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}")

Samples = dict[str, dict[str, set[str]]]  # of each sample: the values of each of its labels


@dataclass(frozen=True)
class Asked:
    """An expression, and the text whose {{labels}} come from its answer."""

    expression: str
    text: str


@pytest.fixture
async def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Samples:
    """What a viewer answers that has a scan, a DICOM node, an archive, another machine, and
    somebody to tell."""
    monkeypatch.setenv("GLIOWATCH_DICOM__ON", "true")
    monkeypatch.setenv("GLIOWATCH_WORKERS__ADDRESS", "tcp://127.0.0.1:8786")
    to = {"name": "it", "addresses": ["it@hospital.example"]}
    monkeypatch.setenv("GLIOWATCH_NOTIFY__TO", json.dumps([to]))
    found: Samples = {"up": {}}  # which Prometheus makes for each job
    async with open_house(tmp_path, metrics_token=SecretStr(TOKEN)) as house:
        write_account(Staging(house.settings.daemon.inbox))
        write_machines(account_file(house.settings.daemon), (MACHINE,))
        await with_object(house)
        await beat(house.app[INDEX], RECONCILE)
        this = datetime.now().strftime("%Y-%m")
        await house.app[INDEX].change("UPDATE month_figures SET month = ?", (this,))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await (await house.client.get("/metrics", headers=headers)).text()
    for family in text_string_to_metric_families(answer):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


def rules() -> list[Asked]:
    """Each alert's expression with its texts."""
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    return [Asked(rule["expr"], " ".join(rule["annotations"].values())) for rule in found]


def panels() -> list[Asked]:
    """Each target of the dashboard with its legend."""
    board = json.loads((MONITORING / "dashboard.json").read_text())
    targets = [each for panel in board["panels"] for each in panel["targets"]]
    return [Asked(each["expr"], each["legendFormat"]) for each in targets]


def faults(asked: Asked, samples: Samples) -> Iterator[str]:
    """Each name, label or value of an expression that no answer has."""
    labels: set[str] = set()
    for name, matchers in SELECTOR.findall(asked.expression):
        known = samples.get(name, {})
        for label, how, value in MATCHER.findall(matchers):
            values = value.split("|") if how == "=~" else [value]
            if label not in OF_PROMETHEUS:
                yield from (each for each in values if each not in known.get(label, ()))
        if MATCHER.sub("", matchers).strip(" ,"):
            yield matchers
    plain = NUMBER.sub("", re.sub(r"\{[^}]*\}", "", asked.expression))
    for name in re.findall(r"[a-zA-Z_]\w*", GROUPING.sub("", plain)):
        labels |= set(samples.get(name, ()))
        if name not in samples and name not in WORDS:
            yield name
    grouped = [each.strip() for group in GROUPING.findall(plain) for each in group.split(",")]
    yield from (each for each in (*grouped, *SHOWN.findall(asked.text)) if each not in labels)


async def test_rules_and_panels_ask_for_what_metrics_give(samples: Samples) -> None:
    assert len(rules()) >= 10
    assert len(panels()) >= 15
    for asked in (*rules(), *panels()):
        assert not list(faults(asked, samples)), asked


async def test_every_metric_is_on_the_dashboard(samples: Samples) -> None:
    shown = " ".join(each.expression for each in panels())
    assert not [name for name in samples if not re.search(rf"\b{name}\b", shown)]


@pytest.mark.parametrize(
    ("expression", "text", "fault"),
    [
        ("gliowatch_drop > 1", "", "gliowatch_drop"),
        ('gliowatch_drops{state="lost"} > 1', "", "lost"),
        ('gliowatch_drops{state=~"waiting|lost"}', "", "lost"),
        ('gliowatch_drops{stage="waiting"}', "", "waiting"),
        ('gliowatch_drops{state!="waiting"}', "", 'state!="waiting"'),
        ("sum without (place) (gliowatch_drops)", "", "place"),
        ("gliowatch_oldest_waiting_seconds > 3", "since {{ $labels.state }}", "state"),
    ],
)
async def test_what_metrics_do_not_give_is_found(
    samples: Samples, expression: str, text: str, fault: str
) -> None:
    assert list(faults(Asked(expression, text), samples)) == [fault]


def test_the_example_of_a_job_has_the_name_that_the_rules_ask_for() -> None:
    page = (ROOT / "docs" / "run.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    (job,) = yaml.safe_load(example)["scrape_configs"]
    asked = set(re.findall(r'job="(\w+)"', (MONITORING / "alerts.yml").read_text()))
    assert asked == {job["job_name"]}
    assert yaml.safe_load(example)["rule_files"] == ["gliowatch-alerts.yml"]
