"""When the summary of a night is due, and of which hours it tells, by local time."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta


@dataclass(frozen=True)
class Digest:
    """One morning's. begin, end: UTC; a day and night of local time lie between them, so 23 or 25
    hours where clocks are changed."""

    day: date
    begin: datetime
    end: datetime


def last_digest(now: datetime, at: str) -> Digest:
    """The newest one that is due. now: with its zone; at: local time such as "07:00".

    A time that a change of clocks leaves out is taken as that much later, and of one that comes
    twice the first counts: there is one each day.
    """
    day = now.astimezone().date()
    if _moment(day, at) > now:
        day -= timedelta(days=1)
    return Digest(day, _moment(day - timedelta(days=1), at), _moment(day, at))


def _moment(day: date, at: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(at)).astimezone().astimezone(UTC)
