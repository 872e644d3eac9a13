"""Whether the daemon is at work, in one sentence for the pages."""

from aiohttp import web

from daemon.condition import last_sign_of_life
from daemon.outputs.sentences import moment_words
from viewer.keys import INDEX, SETTINGS

NEVER = "The daemon has not run yet: what you send waits in the inbox until it does."
STOPPED = "The daemon has not run since {since} (UTC): what you send waits until it does."


async def stopped_sentence(request: web.Request) -> str:
    """That the daemon is stopped and since when; '' while it is at work."""
    every = request.app[SETTINGS].daemon.reconcile_seconds
    sign = await last_sign_of_life(request.app[INDEX], every)
    if sign.is_alive:
        return ""
    return STOPPED.format(since=moment_words(sign.at)) if sign.at else NEVER
