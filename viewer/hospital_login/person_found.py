"""Whom a directory tells."""

import re
from dataclasses import dataclass

from daemon.index.people.hospital_accounts import Person

WAY = "ldap"


@dataclass(frozen=True)
class Found:
    """A person of the directory. groups: their DNs, as `same_dn` writes them."""

    person: Person
    groups: frozenset[str]


def same_dn(dn: str) -> str:
    """A DN in one way, however it is written in capitals and with blanks."""
    return re.sub(r"\s*([,=])\s*", r"\1", dn.strip()).lower()
