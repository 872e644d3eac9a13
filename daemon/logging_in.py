"""A login: throttled, checked, noted in the audit, and a session at its end."""

from daemon.index.accounts import Account, find_account
from daemon.index.audit import Action, note
from daemon.index.database import Database
from daemon.index.login_links import use_link
from daemon.index.login_sessions import begin_session
from daemon.index.throttle import forget_failures, note_failure, seconds_to_wait
from daemon.passwords import Passwords
from model.errors import GliowatchError

LONGEST_NAME = 100  # characters
NOBODY = "-"  # in the audit, for a name that no account has: it may be a mistyped password


class LoginRefused(GliowatchError):
    """Wrong name or password, or too many failures before; the sentence says which."""


async def log_in(
    records: Database, passwords: Passwords, name: str, password: str, address: str
) -> str:
    """The key of a new session. Raises LoginRefused, with the same words whatever was wrong."""
    name = name.strip()[:LONGEST_NAME]
    subjects = (f"account {name.lower()}", f"address {address}")
    wait = await seconds_to_wait(records, subjects)
    if wait > 0:
        raise LoginRefused(
            f"There were too many failed logins; please wait {round(wait) + 1} seconds."
        )
    account = await find_account(records, name)
    kept = account.password_hash if account and account.enabled else ""
    if not await passwords.is_right(password, kept) or account is None:
        await note_failure(records, subjects)
        await note(records, account.name if account else NOBODY, Action.LOGIN_REFUSED)
        raise LoginRefused("The name or the password is not right.")
    await forget_failures(records, subjects[0])
    return await _begin(records, account, "password")


async def log_in_by_link(records: Database, secret: str) -> str:
    """The key of a new session, by a link that is good once. Raises LoginRefused."""
    account = await use_link(records, secret)
    if account is None:
        await note(records, NOBODY, Action.LOGIN_REFUSED, detail="link")
        raise LoginRefused("This link is not valid: each lets in once, and not for long.")
    return await _begin(records, account, "link")


async def _begin(records: Database, account: Account, how: str) -> str:
    key = await begin_session(records, account.account_id)
    await note(records, account.name, Action.LOGIN, detail=how)
    return key
