"""Invented scans, drops and reviews as rows of the databases."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from daemon.drops import UNASSIGNED
from tests.scale.moments import moment_before
from tests.scale.people import patient_id_of
from tests.scale.reports import report_of

SPAN_SECONDS = 8 * 365 * 86400.0
REVIEWERS = tuple(f"Dr {name}" for name in ("Ada", "Bo", "Cléo", "Дана", "李", "Eve", "Fay", "Gil"))
SCANS = f"INSERT INTO scans VALUES ({', '.join('?' * 15)})"
DROPS = (
    "INSERT INTO drops (drop_id, unit, patient_id, kind, state, rested, scan_id, reason, seen_at,"
    " started_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
FILES = "INSERT INTO files (drop_id, path, size, mtime_ns, inode) VALUES (?, ?, 1, 1, 1)"
REVIEWS = (
    "INSERT INTO reviews (scan_id, revision, decision, comment, reviewer, at, drawn_by)"
    " VALUES (?, ?, ?, '', ?, ?, ?)"
)


@dataclass(frozen=True)
class Scan:
    """One scan. place: its number by the time of arrival, from 0; revisions: 1 or 2."""

    scan_id: str
    patient_id: str
    place: int
    arrived: str
    published: str
    revisions: int


def scans(count: int, patients: int, chance: random.Random) -> list[Scan]:
    """By scan_id, as their table is sorted; the times of arrival have nothing to do with it."""
    places = list(range(count))
    chance.shuffle(places)
    step, made = 2**80 // count, []
    for number, place in enumerate(places):
        seconds = SPAN_SECONDS * (1 - (place + 0.5) / count)
        who = int(patients * chance.random() ** 1.3)  # some come more often
        patient = UNASSIGNED if chance.random() < 0.002 else patient_id_of(who)
        scan_id = f"{number * step + chance.randrange(step):020x}"
        times = (moment_before(seconds), moment_before(max(0.0, seconds - 60)))
        made.append(Scan(scan_id, patient, place, *times, 2 if chance.random() < 0.03 else 1))
    return made


def scan_rows(all_scans: list[Scan], chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """Every revision of every scan; one in a thousand has the content of another."""
    for scan in all_scans:
        content = "twin" if scan.place % 1000 == 1 else ""
        content = f"{content}{scan.place // 2000 if content else scan.scan_id}"
        accession = f"ACC{scan.place:08d}" if scan.place % 2 else ""
        for revision in range(1, scan.revisions + 1):
            report = report_of(scan.scan_id, scan.patient_id, revision, chance)
            acquired = None if scan.place % 50 == 3 else scan.arrived[:19]
            yield (
                *(scan.scan_id, revision, scan.patient_id),
                *(f"{scan.patient_id}/{scan.scan_id}".encode(), content),
                *(report["finding"], report["volume_ml"], acquired, scan.published),
                *(json.dumps(report, ensure_ascii=False), None, accession, "", None),
                f"Siemens Model{scan.place % 5} 3 T MR{scan.place % 5}",
            )


def drop_rows(all_scans: list[Scan]) -> Iterator[tuple[Any, ...]]:
    """One done drop a scan, by its arrival; one in a hundred came again, and others failed."""
    number = len(all_scans)
    for scan in sorted(all_scans, key=lambda scan: scan.place):
        unit, times = f"{scan.patient_id}/{scan.scan_id}".encode(), (scan.arrived, scan.published)
        who = (scan.patient_id, "dicom")
        yield (scan.place + 1, unit, *who, "done", 1, scan.scan_id, None, times[0], *times)
        if scan.place % 100 == 0:
            number += 1
            ended = ("duplicate", 1, scan.scan_id, None, times[0], *times)
            yield (number, unit + b"-again", *who, *ended)
        if scan.place % 250 == 1:
            number += 1
            yield (number, unit + b"-late", *who, *_unpublished(number, times))


def _unpublished(number: int, times: tuple[str, str]) -> tuple[Any, ...]:
    """Most failed; some wait or are being copied."""
    if number % 9 == 0:
        return ("waiting", number % 2, None, None, times[0], None, None)
    return ("rejected", 1, None, "The file ends in the middle of its pictures.", times[0], *times)


def file_rows(drops: Iterator[tuple[Any, ...]]) -> Iterator[tuple[int, bytes]]:
    """One file a drop."""
    return ((drop[0], drop[1]) for drop in drops)


def review_rows(all_scans: list[Scan], chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """What people said of seven in ten scans, in the order of time; some said it twice."""
    for scan in sorted(all_scans, key=lambda scan: scan.place):
        for _ in range(chance.choices((0, 1, 2), (30, 65, 5))[0]):
            said = chance.choices(("accepted", "rejected", "needs_correction"), (85, 13, 2))[0]
            who = chance.choice(REVIEWERS)
            yield (scan.scan_id, scan.revisions, said, who, scan.published, "fe" * 32)
