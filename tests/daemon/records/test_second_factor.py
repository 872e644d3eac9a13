"""Codes of a phone: those of RFC 6238, each once, near its time, and not to be guessed."""

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from daemon.index.database import Database, open_records
from daemon.index.people import accounts, logins
from daemon.index.people.audit import page_of_audit
from daemon.index.people.second_factors import find_factor, offer_factor
from daemon.permissions import Role
from daemon.records.accounts import CodeWanted, LoginRefused, Passwords, log_in, log_in_by_link
from daemon.records.second_factor import (
    STEP,
    HalfLost,
    code_at,
    confirm,
    log_in_with_code,
    new_secret,
)
from daemon.settings import Settings
from tests.conftest import gliowatch

GOOD = "a long enough secret"
OF_RFC = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(moment: int, code: str) -> None:
    assert code_at(OF_RFC, moment // STEP, 8) == code
    assert code_at(OF_RFC, moment // STEP) == code[2:]


class Clock:
    """Stands still until a test moves it."""

    now = 1_800_000_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "time", lambda: made.now)
    return made


@pytest.fixture
async def records(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """Records with ada, who has a password; its hash is quick, since many logins are tried."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("daemon.records.accounts.HASHER", quick)
    async with open_records(tmp_path / "records.sqlite") as opened:
        kept = await Passwords().hash(GOOD, "ada")
        await accounts.add_account(opened, "ada", "Ada L.", Role.REVIEWER, kept)
        yield opened


async def set_up(records: Database, clock: Clock) -> tuple[str, list[str]]:
    """Ada's phone, and her recovery codes; the code that proved the phone is 30 seconds old."""
    secret = new_secret()
    assert await offer_factor(records, 1, secret)
    codes = await confirm(records, 1, secret, now_of(secret, clock))
    clock.now += STEP
    return secret, codes


def now_of(secret: str, clock: Clock, later: int = 0) -> str:
    return code_at(secret, int(clock.now) // STEP + later)


async def half(records: Database) -> str:
    with pytest.raises(CodeWanted) as wanted:
        await log_in(records, Passwords(), "ada", GOOD, "::1")
    return wanted.value.half


async def test_the_password_alone_lets_in_no_more(records: Database, clock: Clock) -> None:
    secret, codes = await set_up(records, clock)
    begun = await half(records)
    assert await records.rows("SELECT 1 FROM login_sessions") == []
    assert await log_in_with_code(records, begun, now_of(secret, clock), "::1")
    [latest, *_] = await page_of_audit(records)
    assert (latest.account, latest.action, latest.detail) == ("ada", "login", "password and code")
    assert len(set(codes)) == 10
    kept = str([tuple(row) for row in await records.rows("SELECT * FROM recovery_codes")])
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)


async def test_a_login_link_lets_in_no_more_alone(records: Database, clock: Clock) -> None:
    await set_up(records, clock)
    link = await logins.add_link(records, 1, 60)
    with pytest.raises(CodeWanted):
        await log_in_by_link(records, link, "::1")
    assert await records.rows("SELECT 1 FROM login_sessions") == []


async def test_a_code_counts_once_and_none_before_it(records: Database, clock: Clock) -> None:
    secret, _ = await set_up(records, clock)
    code = now_of(secret, clock)
    assert await log_in_with_code(records, await half(records), code, "::1")
    for used in (code, now_of(secret, clock, -1)):
        with pytest.raises(LoginRefused, match="not valid"):
            await log_in_with_code(records, await half(records), used, "::1")
    assert await log_in_with_code(records, await half(records), now_of(secret, clock, 1), "::1")


async def test_the_code_that_proved_the_phone_does_not_log_in(
    records: Database, clock: Clock
) -> None:
    secret, _ = await set_up(records, clock)
    with pytest.raises(LoginRefused, match="not valid"):
        await log_in_with_code(records, await half(records), now_of(secret, clock, -1), "::1")


async def test_clocks_may_differ_by_one_step(records: Database, clock: Clock) -> None:
    secret, _ = await set_up(records, clock)
    for drift in (-2, 2, 10):
        with pytest.raises(LoginRefused, match="not valid"):
            await log_in_with_code(
                records, await half(records), now_of(secret, clock, drift), "::1"
            )
    clock.now += 10 * STEP
    for drift in (-1, 0, 1):
        code = now_of(secret, clock, drift)
        assert await log_in_with_code(records, await half(records), code, "::1")


async def test_a_code_of_when_the_clock_was_ahead_keeps_nobody_out(
    records: Database, clock: Clock
) -> None:
    secret, _ = await set_up(records, clock)
    clock.now += 86_400
    assert await log_in_with_code(records, await half(records), now_of(secret, clock), "::1")
    clock.now -= 86_400 - STEP
    code = now_of(secret, clock)
    assert await log_in_with_code(records, await half(records), code, "::1")
    with pytest.raises(LoginRefused, match="not valid"):
        await log_in_with_code(records, await half(records), code, "::1")


async def test_guessing_codes_is_as_slow_as_guessing_passwords(
    records: Database, clock: Clock
) -> None:
    secret, _ = await set_up(records, clock)
    for number in range(5):
        with pytest.raises(LoginRefused, match="not valid"):
            await log_in_with_code(records, await half(records), f"guess{number}", f"::{number}")
    begun = await half(records)  # the right password does not forgive wrong codes
    with pytest.raises(LoginRefused, match="Too many failed logins"):
        await log_in_with_code(records, begun, now_of(secret, clock), "::9")
    clock.now += 61
    assert await log_in_with_code(records, begun, now_of(secret, clock), "::9")
    said = [each.detail for each in await page_of_audit(records) if each.action == "login refused"]
    assert said == ["code"] * 5


async def test_a_recovery_code_counts_once_and_for_its_account(
    records: Database, clock: Clock
) -> None:
    _, codes = await set_up(records, clock)
    kept = await Passwords().hash(GOOD, "bob")
    await accounts.add_account(records, "bob", "Bob", Role.READER, kept)
    secret = new_secret()
    await offer_factor(records, 2, secret)
    of_bob = await confirm(records, 2, secret, now_of(secret, clock))
    typed = codes[0].lower().replace("-", " ")
    assert await log_in_with_code(records, await half(records), typed, "::1")
    for useless in (codes[0], of_bob[0]):
        with pytest.raises(LoginRefused, match="not valid"):
            await log_in_with_code(records, await half(records), useless, "::1")
    factor = await find_factor(records, 1)
    assert factor is not None
    assert factor.codes_left == 9


async def test_half_a_login_ends_by_time_by_its_other_half_and_with_the_password(
    records: Database, clock: Clock
) -> None:
    secret, _ = await set_up(records, clock)
    late = await half(records)
    clock.now += 301
    used = await half(records)
    assert await log_in_with_code(records, used, now_of(secret, clock), "::1")
    clock.now += STEP
    reset = await half(records)
    await accounts.set_password(records, 1, await Passwords().hash("another secret", "ada"))
    for useless in (late, used, reset, "", "guess"):
        with pytest.raises(HalfLost):
            await log_in_with_code(records, useless, now_of(secret, clock), "::1")


async def test_what_is_on_is_not_set_up_anew(records: Database, clock: Clock) -> None:
    secret, _ = await set_up(records, clock)
    other = new_secret()
    assert not await offer_factor(records, 1, other)
    with pytest.raises(LoginRefused):
        await confirm(records, 1, other, now_of(other, clock))
    with pytest.raises(LoginRefused):
        await confirm(records, 1, secret, now_of(secret, clock))


def test_the_command_line_lets_in_who_lost_the_phone(hospital: Settings) -> None:
    import asyncio

    async def make() -> None:
        async with open_records(hospital.daemon.records) as opened:
            made = await accounts.add_account(opened, "ada", "Ada", Role.ADMIN, "")
            assert made is not None
            secret = new_secret()
            await offer_factor(opened, made.account_id, secret)
            await confirm(
                opened, made.account_id, secret, code_at(secret, int(time.time()) // STEP)
            )

    asyncio.run(make())
    for said in ("The password alone lets in now.", "There was no second factor."):
        assert gliowatch(hospital, "users", "no-code", "ada").stdout.strip() == said
