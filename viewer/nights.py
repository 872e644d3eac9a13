"""Moments as the people of this place see them: the clock on the wall, and when the night began."""

from datetime import UTC, date, datetime, time, timedelta


def night_since(now: datetime, begins: int) -> datetime:
    """The last time before `now` that the clock showed this full hour; now: with a time zone."""
    today = now.replace(hour=begins, minute=0, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


def night_words(since: datetime, now: datetime) -> str:
    """What to call the time since then."""
    return "Since this evening" if since.date() == now.date() else "Last night"


def stored(moment: datetime) -> str:
    """A moment as the databases keep it: UTC, ISO 8601 with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def start_of(day: date) -> datetime:
    """The first moment of a day, by the clock of this machine."""
    return datetime.combine(day, time()).astimezone()


def local_words(moment: str) -> str:
    """A stored moment to the minute, by the clock of this machine."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def clock_words(moment: str) -> str:
    """The time of the day of a stored moment."""
    return local_words(moment)[11:]
