"""All ways in by the hospital's accounts, and the way out of a provider (RP-Initiated Logout)."""

from collections import OrderedDict

from aiohttp import web

from daemon.settings.login import LoginSettings
from viewer.hospital_login.directory import Directory
from viewer.hospital_login.errors import ProviderAway
from viewer.hospital_login.login_state import RoundTrips
from viewer.hospital_login.provider import Provider, with_query
from viewer.sessions import Session

MOST_HINTS = 1000


class Providers:
    """By name. What each session was proven by stays in memory, for its logout alone."""

    def __init__(self, settings: LoginSettings) -> None:
        self.trips = RoundTrips()
        self.directory = Directory(settings.ldap) if settings.ldap.on else None
        self._providers = {each.name: Provider(each) for each in settings.oidc}
        self._proofs: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def __getitem__(self, name: str) -> Provider:
        """Raises HTTPNotFound."""
        if name not in self._providers:
            raise web.HTTPNotFound
        return self._providers[name]

    def keep(self, session_key: str, name: str, id_token: str) -> None:
        """Remember by what a session was begun; the oldest is forgotten."""
        self._proofs[session_key] = (name, id_token)
        if len(self._proofs) > MOST_HINTS:
            self._proofs.popitem(last=False)

    async def farewell(self, session: Session, back: str) -> str:
        """Where this session's browser logs out of the provider too; '' = nowhere.

        back: where the provider sends it then. After a start of the viewer no proof is left, and
        the provider's own session stays.
        """
        name, id_token = self._proofs.pop(session.key, ("", ""))
        if not name:
            return ""
        provider = self._providers[name]
        try:
            address = (await provider.metadata()).end_session_endpoint
        except ProviderAway:
            return ""
        values = {"client_id": provider.settings.client_id, "post_logout_redirect_uri": back}
        return address and with_query(address, id_token_hint=id_token, **values)


PROVIDERS = web.AppKey("providers", Providers)
