"""Who may read: sessions in memory, opened with the token of the printed link."""

import hmac
import secrets
from dataclasses import dataclass, field

MOST_SESSIONS = 1000


@dataclass(frozen=True)
class Session:
    """One browser that came through the link. csrf: stands in each of its forms.

    searches: what was typed into search boxes, by opaque key (`viewer/searching.py`).
    """

    key: str
    csrf: str
    searches: dict[str, str] = field(default_factory=dict, compare=False)


class Sessions:
    """All open sessions; they end with the process."""

    def __init__(self, token: str) -> None:
        if not token:
            raise ValueError("the viewer needs a token")
        self._token = token
        self._open: dict[str, Session] = {}

    def enter(self, claimed_token: str) -> Session | None:
        """A new session if the token is right, else None; the oldest goes when there are many."""
        if not same_secret(claimed_token, self._token):
            return None
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        self._open[session.key] = session
        if len(self._open) > MOST_SESSIONS:
            del self._open[next(iter(self._open))]
        return session

    def find(self, key: str) -> Session | None:
        """The session with this key, or None."""
        return self._open.get(key)


def same_secret(claimed: str, secret: str) -> bool:
    """Compare in a time that does not tell how much of `claimed` was right."""
    return hmac.compare_digest(claimed.encode("utf-8", "replace"), secret.encode())
