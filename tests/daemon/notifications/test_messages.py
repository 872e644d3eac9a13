"""Messages in words and as JSON: counts, states and links, and nothing else."""

import json
from collections.abc import Iterator

import pytest

from daemon.index.notices import NightCounts, Notice
from daemon.notifications.messages import MOST_EVENTS, MOST_LINKS, trial, written
from daemon.settings.notify import Event, ScanKind
from tests.conftest import local_time

LINK = "https://flair.hospital.example/"
AT = "2027-03-29T05:00:00.000+00:00"


@pytest.fixture(autouse=True)
def _in_europe() -> Iterator[None]:
    with local_time("CET-1CEST,M3.5.0,M10.5.0/3"):
        yield


def scan(event: Event, scan_id: str, *kinds: ScanKind) -> Notice:
    return Notice(f"{event}:{scan_id}", event, AT, frozenset(kinds), scan_id)


def test_words_of_scans() -> None:
    notices = [
        scan(Event.SCAN_DONE, "a" * 20, ScanKind.TUMOR, ScanKind.FLAGGED),
        scan(Event.SCAN_DONE, "b" * 20, ScanKind.NO_TUMOR),
        scan(Event.NEEDS_REVIEW, "a" * 20, ScanKind.TUMOR, ScanKind.FLAGGED),
        scan(Event.FAILED, "", ScanKind.FAILED),
    ]
    message = written("m", notices, LINK)
    assert message.subject == "gliowatch: 1 scan failed; 1 scan needs review; 2 scans done"
    assert message.text.splitlines() == [
        "1 scan failed.",
        "The worklist shows all of them: https://flair.hospital.example/?state=failed",
        "",
        "1 scan needs review.",
        "Of these: FLAIR abnormality 1, flagged 1.",
        f"https://flair.hospital.example/scans/{'a' * 20}",
        "",
        "2 scans done.",
        "Of these: FLAIR abnormality 1, none found 1, flagged 1.",
        f"https://flair.hospital.example/scans/{'a' * 20}",
        f"https://flair.hospital.example/scans/{'b' * 20}",
        "",
        "Research use only. Not a diagnosis. This message holds no patient data: log in to see"
        " more.",
    ]


def test_words_of_conditions_and_of_a_night() -> None:
    counts = NightCounts(received=7, done=4, review=2, failed=1, waiting=1)
    notices = [
        Notice("s", Event.SUMMARY, AT, counts=counts),
        Notice("d", Event.DISK_LOW, AT),
        Notice("e", Event.DAEMON_SILENT, AT, is_over=True),
    ]
    message = written("m", notices, "")
    assert message.subject == ("gliowatch: works again; disk nearly full; summary of the night")
    assert message.text.splitlines()[:-1] == [
        "gliowatch works again (noted 2027-03-29 07:00 CEST).",
        "",
        "The disk of the results is nearly full since 2027-03-29 07:00 CEST: no new scan is"
        " analyzed.",
        "",
        "From 2027-03-28 07:00 CEST to 2027-03-29 07:00 CEST, 7 scans arrived: 4 done, 2 to be"
        " reviewed, 1 failed.",
        "1 scan is still to be analyzed.",
        "",
    ]


def test_a_quiet_night_is_told_too() -> None:
    quiet = Notice("s", Event.SUMMARY, AT, counts=NightCounts(0, 0, 0, 0, 0))
    assert "no scan arrived." in written("m", [quiet], LINK).text


def test_many_scans_are_a_link_to_the_worklist_and_counts() -> None:
    many = [scan(Event.SCAN_DONE, f"{n:020}", ScanKind.TUMOR) for n in range(2000)]
    message = written("m", many, LINK)
    assert message.subject == "gliowatch: 2000 scans done"
    assert message.text.count("/scans/") == MOST_LINKS
    assert "The worklist shows all of them: https://flair.hospital.example/" in message.text
    told = json.loads(message.body)
    assert told["counts"] == {"scan_done": 2000}
    assert len(told["events"]) == MOST_EVENTS
    assert len(message.body) < 30_000


def test_json_of_each_event() -> None:
    counts = NightCounts(received=1, done=1, review=0, failed=0, waiting=0)
    told = json.loads(
        written(
            "m",
            [
                scan(Event.URGENT, "a" * 20, ScanKind.NOT_ANALYZED),
                Notice("d", Event.DISK_LOW, AT),
                Notice("s", Event.SUMMARY, AT, counts=counts),
            ],
            LINK,
        ).body
    )
    assert (told["schema"], told["id"]) == ("gliowatch/notice/1", "m")
    link = f"https://flair.hospital.example/scans/{'a' * 20}"
    assert told["events"] == [
        {"event": "urgent", "at": AT, "is": ["not_analyzed"], "scan": "a" * 20, "link": link},
        {"event": "disk_low", "at": AT, "over": False},
        {
            "event": "summary",
            "at": AT,
            "summary": {"received": 1, "done": 1, "review": 0, "failed": 0, "waiting": 0},
        },
    ]


def test_a_trial_tells_nothing() -> None:
    message = trial("m", "")
    assert json.loads(message.body)["events"] == []
    assert "trial" in message.subject
