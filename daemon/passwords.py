"""Passwords: argon2id (RFC 9106), one at a time, and what a new one must be like.

The parameters are the second recommended option of RFC 9106, section 4: 3 passes over 64 MiB in
4 lanes. One hash is made at a time, so that a flood of logins takes 64 MiB and not the machine.
"""

import asyncio

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from model.errors import GliowatchError

SHORTEST, LONGEST = 12, 1000  # characters
FEWEST_DIFFERENT = 5  # characters; "aaaaaaaaaaaa" is no password
HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
assert HASHER.type is Type.ID, "argon2id"


class WeakPassword(GliowatchError):
    """A new password that is refused; the sentence says what it lacks."""


class Passwords:
    """Makes and checks hashes in a thread, one at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._of_nobody = ""

    async def hash(self, password: str, account_name: str) -> str:
        """The hash to keep, with salt and parameters in it. Raises WeakPassword."""
        check_strength(password, account_name)
        async with self._turn:
            return await asyncio.to_thread(HASHER.hash, password)

    async def is_right(self, password: str, kept: str) -> bool:
        """Whether `password` made the hash `kept`.

        '', for an account that there is not, takes as long as a wrong password does.
        """
        async with self._turn:
            if not self._of_nobody:
                self._of_nobody = await asyncio.to_thread(HASHER.hash, "nobody's password")
            right = await asyncio.to_thread(_verify, kept or self._of_nobody, password[:LONGEST])
        return right and kept != ""


def check_strength(password: str, account_name: str) -> None:
    """Raises WeakPassword for one that is too short, too long, too plain, or the name itself.

    Length and nothing about kinds of characters, as NIST SP 800-63B, section 5.1.1.2 advises.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"A password has {SHORTEST} to {LONGEST} characters.")
    if len(set(password)) < FEWEST_DIFFERENT:
        raise WeakPassword("This password is too plain: it repeats the same few characters.")
    if account_name.lower() in password.lower():
        raise WeakPassword("The name of the account may not be in its password.")


def _verify(kept: str, password: str) -> bool:
    try:
        return HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
