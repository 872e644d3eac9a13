"""The System page's table of notifications: what was sent to whom, what waits, the last error."""

from dataclasses import dataclass

from aiohttp import web

from daemon.index.notices import MessageState, ReceiverCounts, count_notices
from daemon.notifications.channels import answer_words
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from viewer.sessions import INDEX, SETTINGS


@dataclass(frozen=True)
class NotifiedRow:
    """One receiver in words."""

    name: str
    by: str
    sent: int
    sent_at: str
    waiting: str
    lost: int
    error: str


async def notified_rows(request: web.Request) -> list[NotifiedRow]:
    """A row for each receiver of the settings."""
    to = {each.name: each.by for each in request.app[SETTINGS].now.notify.to}
    return [_row(each, to[each.name]) for each in await count_notices(request.app[INDEX], to)]


def _row(counts: ReceiverCounts, by: str) -> NotifiedRow:
    messages = counts.messages
    lost = messages[MessageState.GIVEN_UP] + messages[MessageState.UNCLEAR]
    open_ = messages[MessageState.WAITING] + messages[MessageState.HANDED]
    return NotifiedRow(
        name=counts.name,
        by=text(f"notify_by.{by}"),
        sent=messages[MessageState.SENT],
        sent_at=moment_words(counts.sent_at) if counts.sent_at else text("notices.never"),
        waiting=text("notices.waiting", messages=open_, count=counts.waiting),
        lost=lost,
        error=answer_words(counts.code, counts.reason),
    )
