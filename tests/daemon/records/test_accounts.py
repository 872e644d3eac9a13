"""Accounts, logins, sessions, tokens and the audit, below the pages: what counts and what ends."""

import asyncio
import io
import itertools
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from daemon.index.database import Database, open_records
from daemon.index.people import accounts
from daemon.index.people.accounts import add_token, end_all_of, find_bearer, revoke_token, tokens_of
from daemon.index.people.audit import Action, note, page_of_audit
from daemon.index.people.logins import (
    Limits,
    add_link,
    begin_session,
    end_session,
    find_session,
    sweep_sessions,
)
from daemon.operations.backup import make_copy
from daemon.permissions import RIGHTS, Right, Role, may
from daemon.records.accounts import (
    LoginRefused,
    Passwords,
    WeakPassword,
    check_strength,
    log_in,
    log_in_by_link,
)
from daemon.settings import Settings
from tests.conftest import gliowatch

LIMITS = Limits(900.0, 43200.0)
GOOD = "a long enough secret"


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    """Records with two accounts: ada, a reviewer, and bob, a reader."""
    async with open_records(tmp_path / "records.sqlite") as opened:
        kept = await Passwords().hash(GOOD, "ada")
        await accounts.add_account(opened, "ada", "Ada L.", Role.REVIEWER, kept)
        await accounts.add_account(opened, "bob", "Bob", Role.READER, kept)
        yield opened


async def account(records: Database, name: str = "ada") -> accounts.Account:
    found = await accounts.find_account(records, name)
    assert found is not None
    return found


async def begin(records: Database) -> str:
    """A new session of ada."""
    ada = await account(records)
    return await begin_session(records, ada.account_id, ada.password_hash)


async def new_token(records: Database, ends_on: date) -> str:
    """A new token of ada."""
    ada = await account(records)
    return await add_token(
        records, ada.account_id, "script", Role.READER, ends_on, ada.password_hash
    )


def test_each_role_has_all_that_the_one_below_has() -> None:
    order = [Role.READER, Role.UPLOADER, Role.REVIEWER, Role.ADMIN]
    for lower, higher in itertools.pairwise(order):
        assert RIGHTS[lower] < RIGHTS[higher]
    assert not may(Role.READER, Right.UPLOAD)
    assert not may(Role.REVIEWER, Right.ADMIN)


@pytest.mark.parametrize(
    "password", ["", "short", "aaaaaaaaaaaaaaaa", "x" * 2000, "i am ada byron"]
)
def test_weak_passwords_are_refused_with_a_sentence(password: str) -> None:
    with pytest.raises(WeakPassword, match=r"\.$"):
        check_strength(password, "ada")


async def test_the_hash_is_argon2id_of_rfc_9106(records: Database) -> None:
    assert (await account(records, "ADA")).password_hash.startswith(
        "$argon2id$v=19$m=65536,t=3,p=4$"
    )


async def test_a_login_gives_a_session_and_stands_in_the_audit(records: Database) -> None:
    key = await log_in(records, Passwords(), " Ada ", GOOD, "::1")
    session = await find_session(records, key, LIMITS)
    assert session is not None
    assert (session.name, session.full_name, session.role) == ("ada", "Ada L.", Role.REVIEWER)
    stored = await records.rows("SELECT * FROM login_sessions")
    assert key not in str([tuple(row) for row in stored])
    assert [entry.action for entry in await page_of_audit(records)] == [Action.LOGIN]


async def test_wrong_name_and_wrong_password_are_told_in_the_same_words(records: Database) -> None:
    said = set()
    for name in ("ada", "nobody"):
        with pytest.raises(LoginRefused) as refused:
            await log_in(records, Passwords(), name, "not the password", "::1")
        said.add(str(refused.value))
    assert len(said) == 1
    entries = await page_of_audit(records)
    assert [entry.account for entry in entries] == ["-", "ada"]  # a typed password may be a name


async def test_who_fails_again_and_again_waits_even_with_the_right_password(
    records: Database,
) -> None:
    passwords = Passwords()
    for _ in range(6):
        try:
            await log_in(records, passwords, "ada", "not the password", "::1")
        except LoginRefused as refused:
            last = str(refused)
    with pytest.raises(LoginRefused, match="Too many failed logins"):
        await log_in(records, passwords, "ada", GOOD, "::2")
    with pytest.raises(LoginRefused, match="Too many failed logins"):
        await log_in(records, passwords, "bob", GOOD, "::1")  # the address has to wait too
    assert last
    await records.change("UPDATE login_failures SET at = at - 120")
    assert await log_in(records, passwords, "ada", GOOD, "::1")


async def test_a_session_ends_by_idleness_by_age_by_logout_and_by_a_newer_login(
    records: Database,
) -> None:
    number = (await account(records)).account_id
    idle = await begin(records)
    await records.change("UPDATE login_sessions SET seen = seen - 901")
    assert await find_session(records, idle, LIMITS) is None
    old = await begin(records)
    await records.change(
        "UPDATE login_sessions SET began = began - 43201, seen = ?", (time.time(),)
    )
    assert await find_session(records, old, LIMITS) is None
    await sweep_sessions(records, LIMITS)
    assert await records.rows("SELECT 1 FROM login_sessions") == []
    key, other = await begin(records), await begin(records)
    await end_session(records, key)
    assert await find_session(records, key, LIMITS) is None
    assert await find_session(records, other, LIMITS)
    assert await end_all_of(records, number) == 1


async def test_what_a_page_asks_by_itself_keeps_no_session_alive(records: Database) -> None:
    key = await begin(records)
    await records.change("UPDATE login_sessions SET seen = seen - 800")
    assert await find_session(records, key, LIMITS, is_activity=False)
    row = await records.row("SELECT ? - seen FROM login_sessions", (time.time(),))
    assert row is not None
    assert row[0] > 790
    assert await find_session(records, key, LIMITS)
    row = await records.row("SELECT ? - seen FROM login_sessions", (time.time(),))
    assert row is not None
    assert row[0] < 10


async def test_two_admins_at_once_cannot_leave_none(records: Database) -> None:
    for name in ("ada", "bob"):
        await accounts.set_role(records, (await account(records, name)).account_id, Role.ADMIN)
    path = Path(str((await records.rows("PRAGMA database_list"))[0]["file"]))
    async with open_records(path) as other:
        ended = await asyncio.gather(
            accounts.set_role(records, 1, Role.READER),
            accounts.set_enabled(other, 2, False),
            return_exceptions=True,
        )
    assert {type(each) for each in ended} == {accounts.LastAdmin, type(None)}
    left = [each for each in await accounts.list_accounts(records) if each.enabled]
    assert [each.role for each in left].count(Role.ADMIN) == 1


@pytest.mark.parametrize("how", ["disabled", "new password"])
async def test_sessions_and_tokens_end_with_the_account(records: Database, how: str) -> None:
    number = (await account(records)).account_id
    key = await begin(records)
    token = await new_token(records, date.today())
    assert await find_bearer(records, token, date.today())
    if how == "disabled":
        await accounts.set_enabled(records, number, False)
        assert await find_bearer(records, token, date.today()) is None
        with pytest.raises(LoginRefused):
            await log_in(records, Passwords(), "ada", GOOD, "::1")
    else:
        await accounts.set_password(records, number, "$argon2id$other")
    assert await find_session(records, key, LIMITS) is None


async def test_a_token_ends_after_its_day_and_when_it_is_revoked(records: Database) -> None:
    number, today = (await account(records)).account_id, date.today()
    token = await new_token(records, today)
    assert await find_bearer(records, token, today + timedelta(days=1)) is None
    assert await find_bearer(records, "glw_guess", today) is None
    [listed] = await tokens_of(records, number)
    assert await revoke_token(records, listed.token_id)
    assert not await revoke_token(records, listed.token_id)
    assert await find_bearer(records, token, today) is None


async def test_a_link_lets_in_once_and_not_for_long(records: Database) -> None:
    number = (await account(records)).account_id
    link = await add_link(records, number, 60)
    assert await find_session(records, await log_in_by_link(records, link, "::1"), LIMITS)
    late = await add_link(records, number, 60)
    await records.change("UPDATE login_links SET ends_at = 0")
    for useless in (link, late, "", "guess"):
        with pytest.raises(LoginRefused, match="works once"):
            await log_in_by_link(records, useless, "::1")


def test_the_audit_cannot_be_changed_and_a_change_past_the_triggers_shows(
    hospital: Settings,
) -> None:
    daemon = hospital.daemon
    asyncio.run(_three_entries(hospital))
    make_copy(daemon.records, daemon.copies, 3)
    assert gliowatch(hospital, "verify").returncode == 0
    for sql, number in (
        ("UPDATE audit SET account = 'bob' WHERE number = 2", 2),
        ("DELETE FROM audit WHERE number = 3", 3),  # the last one: only a copy knows of it
    ):
        with closing(sqlite3.connect(daemon.records)) as by_hand, by_hand:
            by_hand.execute("DROP TRIGGER IF EXISTS audit_is_not_changed")
            by_hand.execute("DROP TRIGGER IF EXISTS audit_is_not_deleted")
            before = by_hand.execute("SELECT * FROM audit").fetchall()
            by_hand.execute(sql)
        said = gliowatch(hospital, "verify")
        assert said.returncode == 1
        assert f"Entry {number} of the audit" in said.stdout
        with closing(sqlite3.connect(daemon.records)) as by_hand, by_hand:
            by_hand.execute("DELETE FROM audit")
            by_hand.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", before)


async def _three_entries(hospital: Settings) -> None:
    async with open_records(hospital.daemon.records) as records:
        for scan in ("one", "two", "three"):
            await note(records, "ada", Action.VIEW, scan)
        for sql in ("UPDATE audit SET account = 'bob'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                await records.change(sql)


def test_the_command_makes_changes_and_disables_accounts(
    hospital: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def users(*words: str, typed: str = "") -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
        done = gliowatch(hospital, "users", *words)
        return done.returncode, done.stdout + done.stderr

    assert "There are no accounts" in users("list")[1]
    assert users("add", "eve", "--role", "admin", "--name", "Eve", typed="weak")[0] == 2
    assert users("add", "eve", "--role", "admin", "--name", "Eve", typed=GOOD)[0] == 0
    code, said = users("add", "EVE", typed=GOOD)
    assert code == 2
    assert "already" in said
    assert "eve: Eve, admin" in users("list")[1]
    for change in (("disable", "eve"), ("role", "eve", "--role", "reader")):
        code, said = users(*change)
        assert code == 2
        assert said.startswith("gliowatch: This is the last admin, so nothing was changed")
    assert users("add", "ada", "--role", "admin", typed=GOOD)[0] == 0
    assert users("role", "eve") == (
        2,
        "gliowatch: Nothing was changed: eve is admin; name the new role with --role, one of"
        " reader, uploader, reviewer, admin.\n",
    )
    assert users("disable", "eve")[0] == 0
    assert "eve: Eve, admin, disabled" in users("list")[1]
    assert users("disable", "ada")[0] == 2
    assert users("enable", "eve")[0] == 0
    assert users("role", "eve", "--role", "reader")[0] == 0
    assert users("reset", "eve", typed="another long secret")[0] == 0
    assert users("disable", "nobody") == (2, "gliowatch: There is no account named nobody.\n")
