"""Mail addresses of accounts, which an administrator enters: who is told by [[notify.to]] role."""

import asyncio
import re

from daemon.index.database import open_records
from daemon.index.people.accounts import find_account
from daemon.index.people.audit import Action, Told, telling
from daemon.index.people.mail_addresses import mail_addresses, set_mail_address
from daemon.outputs.catalogue import text
from daemon.records.accounts import COMMAND_LINE, AccountFault
from daemon.settings import Settings
from daemon.settings.notify import LONGEST_ADDRESS, MAIL_ADDRESS


def run_address_command(settings: Settings, account: str, address: str, is_removed: bool) -> str:
    """List all, or set or remove one; lines for the terminal. Raises AccountFault."""
    return asyncio.run(_run(settings, account, address, is_removed))


async def _run(settings: Settings, name: str, address: str, is_removed: bool) -> str:
    async with open_records(settings.daemon.records) as records:
        if not name or not (address or is_removed):
            found = [each for each in await mail_addresses(records) if name in ("", each[0])]
            lines = [text("notices.address_line", account=n, address=a) for n, a in found]
            return "\n".join(lines) or text("notices.address_none")
        account = await find_account(records, name)
        if account is None:
            raise AccountFault(text("account_fault.no_account", name=name))
        if address and (len(address) > LONGEST_ADDRESS or not re.match(MAIL_ADDRESS, address)):
            raise AccountFault(text("notices.wrong_address", address=address))
        told = Told(COMMAND_LINE, Action.CHANGE, f"account {account.account_id}", "mail address")
        with telling(told):
            await set_mail_address(records, account.account_id, "" if is_removed else address)
        key = "notices.address_gone" if is_removed else "notices.address_set"
        return (
            text(key, account=account.name)
            if is_removed
            else text(key, account=account.name, address=address)
        )
