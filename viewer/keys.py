"""Typed names of what the application and a request carry for the handlers."""

from aiohttp import web

from daemon.index.database import Database
from daemon.passwords import Passwords
from daemon.settings import Settings
from viewer.sessions import Session, Sessions

SETTINGS = web.AppKey("settings", Settings)
INDEX = web.AppKey("index", Database)
RECORDS = web.AppKey("records", Database)
JOINED = web.AppKey("joined", Database)  # reads both
PASSWORDS = web.AppKey("passwords", Passwords)
SESSIONS = web.AppKey("sessions", Sessions)
SESSION = web.RequestKey("session", Session)
