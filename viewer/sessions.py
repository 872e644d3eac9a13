"""What the application and a session carry for the pages, and who signs what is entered."""

import hmac
import secrets
from dataclasses import dataclass, field

from aiohttp import web

from daemon.index.database import Database
from daemon.index.people.accounts import Bearer
from daemon.index.people.logins import LoginSession
from daemon.permissions import Role
from daemon.records.accounts import Passwords
from daemon.settings.reload import SettingsInForce

MOST_SESSIONS = 1000


@dataclass(frozen=True)
class Session:
    """One browser of somebody who has logged in. csrf: stands in each of its forms.

    key: names the session and is no secret; full_name: what this person's statements are signed
    with; searches: what was typed into search boxes, by opaque key (`viewer/lookups.py`);
    token_id: of the token in its place, 0 for a browser.
    """

    key: str
    csrf: str
    account_id: int = 0
    account: str = ""
    full_name: str = ""
    role: Role = Role.READER
    searches: dict[str, str] = field(default_factory=dict, compare=False)
    token_id: int = 0


class Sessions:
    """The searches of all sessions, in memory: they end with the process, and the oldest first."""

    def __init__(self) -> None:
        self._searches: dict[str, dict[str, str]] = {}

    def of(self, login: LoginSession) -> Session:
        """The session of a login, with what it has searched for."""
        who = (login.account_id, login.name, login.full_name, login.role)
        return Session(login.session_id, login.csrf, *who, self._searches_of(login.session_id))

    def of_token(self, bearer: Bearer) -> Session:
        """The same for who asks with a token; no form belongs to it, so its csrf fits none."""
        key = f"token-{bearer.token_id}"
        who = (bearer.account_id, bearer.account, bearer.full_name, bearer.role)
        return Session(key, secrets.token_urlsafe(), *who, self._searches_of(key), bearer.token_id)

    def _searches_of(self, key: str) -> dict[str, str]:
        searches = self._searches.setdefault(key, {})
        if len(self._searches) > MOST_SESSIONS:
            del self._searches[next(iter(self._searches))]
        return searches


def same_secret(claimed: str, secret: str) -> bool:
    """Compare in a time that does not tell how much of `claimed` was right."""
    return hmac.compare_digest(claimed.encode("utf-8", "replace"), secret.encode())


SETTINGS = web.AppKey("settings", SettingsInForce)
INDEX = web.AppKey("index", Database)
RECORDS = web.AppKey("records", Database)
JOINED = web.AppKey("joined", Database)  # reads both
PASSWORDS = web.AppKey("passwords", Passwords)
SESSIONS = web.AppKey("sessions", Sessions)
SESSION = web.RequestKey("session", Session)


def signer(request: web.Request) -> str:
    """The name that stands under a review, a date, a change of a record."""
    return request[SESSION].full_name
