"""Typed names of what the application and a request carry for the handlers."""

from typing import TYPE_CHECKING

from aiohttp import web

from daemon.index.database import Database
from daemon.settings import Settings
from viewer.sessions import Session, Sessions

if TYPE_CHECKING:
    from viewer.live import Live

SETTINGS = web.AppKey("settings", Settings)
INDEX = web.AppKey("index", Database)
RECORDS = web.AppKey("records", Database)
JOINED = web.AppKey("joined", Database)  # reads both
LIVE: "web.AppKey[Live]" = web.AppKey("live")
SESSIONS = web.AppKey("sessions", Sessions)
SESSION = web.RequestKey("session", Session)
