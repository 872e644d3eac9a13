"""Typed names of what the application and a request carry for the handlers."""

from typing import TYPE_CHECKING

from aiohttp import web

from daemon.index.database import Database
from daemon.passwords import Passwords
from daemon.settings import Settings
from viewer.sessions import Session, Sessions

if TYPE_CHECKING:
    from viewer.auditing import Seen
    from viewer.doors import Door
    from viewer.live import Live
    from viewer.shared_answers import SharedAnswers
    from viewer.thumbnails import Thumbnails
    from viewer.worklist_rows import KeptRows

SETTINGS = web.AppKey("settings", Settings)
INDEX = web.AppKey("index", Database)
RECORDS = web.AppKey("records", Database)
JOINED = web.AppKey("joined", Database)  # reads both
LIVE: "web.AppKey[Live]" = web.AppKey("live")
SHARED: "web.AppKey[SharedAnswers]" = web.AppKey("shared")
KEPT_ROWS: "web.AppKey[KeptRows]" = web.AppKey("kept_rows")
THUMBNAILS: "web.AppKey[Thumbnails]" = web.AppKey("thumbnails")
SEEN: "web.AppKey[Seen]" = web.AppKey("seen")
DOORS: "web.AppKey[dict[tuple[str, str], Door]]" = web.AppKey("doors")
PASSWORDS = web.AppKey("passwords", Passwords)
SESSIONS = web.AppKey("sessions", Sessions)
SESSION = web.RequestKey("session", Session)
