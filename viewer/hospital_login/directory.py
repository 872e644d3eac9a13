"""Login by a directory: people prove who they are with their password there; wrong ones wait."""

import asyncio

from daemon.index.database import Database
from daemon.index.people.audit import Action, note
from daemon.index.people.logins import forget_attempt, note_failure
from daemon.outputs.catalogue import text
from daemon.records.accounts import LONGEST, LONGEST_NAME, NOBODY, LoginRefused, TooBusy, counted
from daemon.records.hospital_accounts import come_in
from daemon.settings.login import LdapDirectory
from viewer.hospital_login.errors import ProviderAway
from viewer.hospital_login.person_found import WAY, Found, same_dn

MOST_AT_ONCE = 8  # logins that wait for the directory, each in a thread


class Directory:
    """The directory of the settings, asked in threads."""

    def __init__(self, settings: LdapDirectory) -> None:
        self.settings = settings
        self._asking = 0

    async def log_in(self, records: Database, name: str, password: str, address: str) -> str:
        """The key of a new session. Raises LoginRefused, ProviderAway, TooBusy."""
        name = name.strip()[:LONGEST_NAME]
        subjects = (f"{WAY} {name.lower()}", f"address {address}")
        attempt = await counted(records, subjects)
        try:
            found = await self._find(name, password)
        except (ProviderAway, TooBusy):
            await forget_attempt(records, attempt, right=False)
            raise
        if found is None:
            await note_failure(records, attempt)
            await note(records, NOBODY, Action.LOGIN_REFUSED, detail=WAY)
            raise LoginRefused(text("account_fault.wrong_login"))
        await forget_attempt(records, attempt, right=True)
        role = self.settings.role_of(found.groups, same_dn)
        return await come_in(records, found.person, role, self.settings.shown)

    async def _find(self, name: str, password: str) -> Found | None:
        if not name or not password or "\0" in name + password or len(password) > LONGEST:
            return None
        from viewer.hospital_login.ldap_search import who_is  # ldap3, where it is wanted

        if self._asking >= MOST_AT_ONCE:
            raise TooBusy
        self._asking += 1
        try:
            return await asyncio.to_thread(who_is, self.settings, name, password)
        finally:
            self._asking -= 1
