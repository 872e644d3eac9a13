"""Whether the daemon is at work, in one sentence for the pages."""

from aiohttp import web

from daemon.condition import last_sign_of_life
from daemon.outputs.sentences import moment_words
from viewer.keys import INDEX, SETTINGS

NEVER = "Nothing is judged: the daemon has not run yet. What you send waits until it does."
STOPPED = "Nothing is judged: the daemon has stopped, last seen {since} (UTC). What you send waits."


async def stopped_sentence(request: web.Request) -> str:
    """That the daemon is stopped and since when; '' while it is at work."""
    every = request.app[SETTINGS].daemon.reconcile_seconds
    sign = await last_sign_of_life(request.app[INDEX], every)
    if sign.is_alive:
        return ""
    return STOPPED.format(since=moment_words(sign.at)) if sign.at else NEVER
