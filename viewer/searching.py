"""What somebody searches for, kept in the session: a name never stands in an address."""

import secrets
from weakref import WeakKeyDictionary

from viewer.sessions import Session

MOST_SEARCHES = 50  # of one session; the oldest are forgotten
_TEXTS: WeakKeyDictionary[Session, dict[str, str]] = WeakKeyDictionary()


def remember(session: Session, text: str) -> str:
    """An opaque key for what was typed, good in this session alone."""
    texts = _TEXTS.setdefault(session, {})
    key = secrets.token_urlsafe(9)
    texts[key] = text
    if len(texts) > MOST_SEARCHES:
        del texts[next(iter(texts))]
    return key


def recall(session: Session, key: str) -> str | None:
    """What was typed, or None if the key is not of this session."""
    return _TEXTS.get(session, {}).get(key)
