"""A message in words for people and as JSON for programs: counts, states, links by opaque ids.

Nothing that a drop, a file or a person says goes into it; what goes is listed here, and no more.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from daemon.index.notices import Notice
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from daemon.settings.notify import OF_SCANS, Event, ScanKind

SCHEMA = "gliowatch/notice/1"
MOST_LINKS = 10  # of scans, in words
MOST_EVENTS = 100  # in JSON; the counts are of all
ORDER = (  # what needs somebody first
    *(Event.DAEMON_SILENT, Event.DISK_LOW, Event.URGENT, Event.FAILED, Event.NEEDS_REVIEW),
    *(Event.SCAN_DONE, Event.SUMMARY),
)


@dataclass(frozen=True)
class Written:
    """One message. body: for programs, JSON."""

    message_id: str
    subject: str
    text: str
    body: bytes


def written(message_id: str, notices: Sequence[Notice], link: str) -> Written:
    """Notices as a message. link: the viewer's address, '' for none."""
    link = link.rstrip("/")
    groups = [group for event in ORDER if (group := [n for n in notices if n.event is event])]
    subject = text("notices.subject", parts="; ".join(_part(group) for group in groups))
    paragraphs = ["\n".join(_paragraph(group, link)) for group in groups]
    whole = "\n\n".join([*paragraphs, text("notices.footer")])
    return Written(message_id, subject, f"{whole}\n", _json(message_id, subject, notices, link))


def trial(message_id: str, link: str) -> Written:
    """What `gliowatch notify test` sends."""
    subject = text("notices.test_subject")
    words = f"{text('notices.test_body')}\n\n{text('notices.footer')}\n"
    return Written(message_id, subject, words, _json(message_id, subject, (), link.rstrip("/")))


def _part(group: Sequence[Notice]) -> str:
    """Notices of one event, in the subject; of a condition the last one counts."""
    over = "_over" if group[-1].is_over else ""
    return text(f"notify_part.{group[-1].event}{over}", count=len(group))


def _paragraph(group: Sequence[Notice], link: str) -> Iterator[str]:
    event = group[0].event
    if event in OF_SCANS:
        yield from _scans(group, link)
        return
    for notice in group:
        yield from _summary(notice) if notice.counts else [_condition(notice)]
    if link:
        yield text("notices.system", link=f"{link}/system")


def _condition(notice: Notice) -> str:
    at = moment_words(notice.at)
    if notice.event is Event.DISK_LOW:
        return text("notices.disk_over" if notice.is_over else "notices.disk", at=at)
    return text("notices.silent_over" if notice.is_over else "notices.silent", at=at)


def _scans(group: Sequence[Notice], link: str) -> Iterator[str]:
    yield f"{_part(group)}."
    counted = Counter(kind for notice in group for kind in notice.kinds)
    if group[0].event is not Event.FAILED:
        parts = [text(f"notify_kind.{k}", count=counted[k]) for k in ScanKind if counted[k]]
        yield text("notices.kinds", parts=", ".join(parts))
    if not link:
        return
    scans = [notice.scan_id for notice in group if notice.scan_id]
    for scan_id in scans[:MOST_LINKS]:
        yield f"{link}/scans/{scan_id}"
    if len(scans) < len(group) or len(scans) > MOST_LINKS:
        states = {Event.FAILED: "?state=failed", Event.NEEDS_REVIEW: "?state=review"}
        yield text("notices.further", link=f"{link}/{states.get(group[0].event, '')}")


def _summary(notice: Notice) -> Iterator[str]:
    counts, end = notice.counts, notice.at
    assert counts is not None, "a summary has them"
    begin = (datetime.fromisoformat(end).astimezone() - timedelta(days=1)).replace(tzinfo=None)
    span = {"begin": moment_words(begin.astimezone().isoformat()), "end": moment_words(end)}
    if counts.received or counts.failed:
        told = {"done": counts.done, "review": counts.review, "failed": counts.failed}
        yield text("notices.summary", count=counts.received, **span, **told)
    else:
        yield text("notices.summary_quiet", **span)
    if counts.waiting:
        yield text("notices.summary_waiting", count=counts.waiting)


def _json(message_id: str, subject: str, notices: Sequence[Notice], link: str) -> bytes:
    counted = Counter(notice.event for notice in notices)
    content = {
        "schema": SCHEMA,
        "id": message_id,
        "subject": subject,
        "counts": {event: counted[event] for event in ORDER if counted[event]},
        "events": [_event(notice, link) for notice in notices[:MOST_EVENTS]],
        "link": link,
    }
    return json.dumps(content, ensure_ascii=False).encode()


def _event(notice: Notice, link: str) -> dict[str, object]:
    told: dict[str, object] = {"event": notice.event, "at": notice.at}
    if notice.event in OF_SCANS:
        told |= {"is": sorted(notice.kinds), "scan": notice.scan_id}
        if link and notice.scan_id:
            told["link"] = f"{link}/scans/{notice.scan_id}"
    elif notice.counts is not None:
        told["summary"] = asdict(notice.counts)
    else:
        told["over"] = notice.is_over
    return told
