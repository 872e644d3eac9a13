"""Searches for names: typed text goes into the session, and only an opaque key into the address."""

import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from viewer.keys import SESSION
from viewer.pages import read_form
from viewer.sessions import Session

LISTS = ("/", "/patients")  # the pages that have a search box
LONGEST = 100  # characters
MOST_SEARCHES = 50  # of a session; the oldest goes
PLACES = ("q", "after", "before")  # what a new search does not keep of an address
GONE = "This search is no longer known; please type it again."


def remember(session: Session, text: str) -> str:
    """The key of a search in this session; the same text has the same key."""
    for key, known in session.searches.items():
        if known == text:
            return key
    key = secrets.token_urlsafe(9)
    session.searches[key] = text
    if len(session.searches) > MOST_SEARCHES:
        del session.searches[next(iter(session.searches))]
    return key


def recall(session: Session, key: str) -> str | None:
    """What was typed, or None if it is not known any more."""
    return session.searches.get(key)


async def search(request: web.Request) -> web.StreamResponse:
    """`POST /searches`: keep `text`, and lead back to the list at `back` with the key as `q`.

    The filters of the list stay; an empty text ends the search.
    """
    form = await read_form(request)
    back = urlsplit(form.get("back", ""))
    if back.path not in LISTS or back.netloc or back.scheme:
        raise web.HTTPBadRequest(text="There is no such list to search.")
    fields = [(name, value) for name, value in parse_qsl(back.query) if name not in PLACES]
    text = " ".join(form.get("text", "").split())
    if len(text) > LONGEST:
        raise web.HTTPBadRequest(text=f"Please search with at most {LONGEST} characters.")
    if text:
        fields.append(("q", remember(request[SESSION], text)))
    raise web.HTTPSeeOther(back.path + (f"?{urlencode(fields)}" if fields else ""))
