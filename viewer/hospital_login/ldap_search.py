"""What a directory is asked by LDAP: whose name it is, whether the password is right, which groups.

Nothing is said before TLS, and the certificate must be of the name in `url`. No referral is
followed, since it would take the password elsewhere. An empty password is never sent: a directory
takes it for a bind as nobody, and answers success (RFC 4513, 5.1.2). What a person types is
escaped, so that it is a name and no part of a question. Loaded only where a directory is set:
ldap3 is an extra.
"""

import logging
import math
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ldap3 import ANONYMOUS, BASE, NONE, SIMPLE, SUBTREE, SYNC, Connection, Server, Tls
from ldap3.core.exceptions import LDAPException
from ldap3.core.results import (
    RESULT_CONSTRAINT_VIOLATION,
    RESULT_INVALID_CREDENTIALS,
    RESULT_NO_SUCH_OBJECT,
    RESULT_SUCCESS,
    RESULT_UNWILLING_TO_PERFORM,
)
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn

from daemon.index.people.hospital_accounts import Person
from daemon.records.hospital_accounts import plain_name
from daemon.settings.login import LdapDirectory
from viewer.hospital_login.errors import ProviderAway
from viewer.hospital_login.person_found import WAY, Found, same_dn

LOG = logging.getLogger(__name__)
# What some directories answer for an account that is unknown, locked or expired.
REFUSED = (RESULT_NO_SUCH_OBJECT, RESULT_UNWILLING_TO_PERFORM, RESULT_CONSTRAINT_VIOLATION)
ENTRY = "searchResEntry"  # all else that a search gives leads to other directories


@dataclass(frozen=True)
class Entry:
    """One entry. told: its attributes by name in small letters."""

    dn: str
    told: dict[str, list[bytes]]

    def word(self, attribute: str) -> str:
        """The first value as a name for people; '' for none."""
        values = self.told.get(attribute.lower(), [])
        return plain_name(values[0].decode("utf-8", "replace")) if values else ""


def who_is(settings: LdapDirectory, name: str, password: str) -> Found | None:
    """The person of this name, if the password is theirs; None for anybody else.

    password: not empty. Raises ProviderAway.
    """
    try:
        if settings.user_dn:
            return _by_dn(settings, settings.user_dn.replace("{name}", escape_rdn(name)), password)
        return _by_search(settings, name, password)
    except (LDAPException, OSError, ValueError) as error:
        why = f"{type(error).__name__} {error}" if type(error) is ValueError else type(error)
        LOG.warning("The directory does not answer as it should: %s", why)
        raise ProviderAway(settings.shown) from None


def _by_dn(settings: LdapDirectory, dn: str, password: str) -> Found | None:
    with _connected(settings) as own:
        return _found(settings, own, dn) if _is_persons(own, dn, password) else None


def _by_search(settings: LdapDirectory, name: str, password: str) -> Found | None:
    condition = settings.user_filter.replace("{name}", escape_filter_chars(name))
    with _connected(settings) as searching:
        if not _is_bound(searching, settings.bind_dn, settings.secret()):
            raise ValueError("bind_dn")
        people = _entries(searching, settings.base, condition)
        if len(people) != 1:
            return None
        with _connected(settings) as own:
            is_right = _is_persons(own, people[0].dn, password)
        return _found(settings, searching, people[0].dn) if is_right else None


@contextmanager
def _connected(settings: LdapDirectory) -> Iterator[Connection]:
    """An encrypted connection to whom the settings name. Raises LDAPException, OSError."""
    server = Server(
        settings.url,
        tls=_tls(settings.ca),
        get_info=NONE,
        connect_timeout=settings.answer_seconds,
    )
    connection = Connection(
        server,
        client_strategy=SYNC,
        auto_referrals=False,
        read_only=True,
        receive_timeout=math.ceil(settings.answer_seconds),
    )
    try:
        connection.open(read_server_info=False)
        if not server.ssl and not connection.start_tls(read_server_info=False):
            raise ValueError("StartTLS")
        yield connection
    finally:
        with suppress(LDAPException, OSError):
            connection.unbind()
        if connection.socket:  # ldap3 leaves one open that did not come to a connection
            connection.socket.close()


def _tls(ca: str) -> Tls:
    """ldap3's own, which looks at certificates by Python's rules and not by rules of its own."""
    context = ssl.create_default_context(cafile=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    def wrap(connection: Connection, do_handshake: bool = False) -> None:
        host = connection.server.host
        connection.socket = context.wrap_socket(connection.socket, server_hostname=host)

    tls = Tls()
    tls.wrap_socket = wrap
    return tls


def _is_persons(connection: Connection, dn: str, password: str) -> bool:
    """Whether the password is that of this person, who may come in. Raises ValueError."""
    try:
        return _is_bound(connection, dn, password)
    except ValueError:
        if connection.result["result"] in REFUSED:
            return False
        raise


def _is_bound(connection: Connection, dn: str, password: str) -> bool:
    """Whether the password is that of this DN. dn: '' = nobody, who may search in some places.

    Raises ValueError for an answer that is neither yes nor no, as a referral.
    """
    if bool(dn) != bool(password):
        return False
    connection.user, connection.password = dn or None, password or None
    connection.authentication = SIMPLE if dn else ANONYMOUS
    connection.bind(read_server_info=False)
    code = connection.result["result"]
    if code not in (RESULT_SUCCESS, RESULT_INVALID_CREDENTIALS):
        raise ValueError(f"result {code}")
    return bool(code == RESULT_SUCCESS)


def _entries(
    connection: Connection,
    base: str,
    condition: str,
    attributes: tuple[str, ...] = (),
    scope: str = SUBTREE,
) -> list[Entry]:
    """What is found here; what lies in other directories is left out. Raises ValueError."""
    connection.search(base, condition, search_scope=scope, attributes=attributes or None)
    code = connection.result["result"]
    if code not in (RESULT_SUCCESS, RESULT_NO_SUCH_OBJECT):
        raise ValueError(f"result {code}")
    return [
        Entry(each["dn"], {key.lower(): told for key, told in each["raw_attributes"].items()})
        for each in connection.response or ()
        if each["type"] == ENTRY
    ]


def _found(settings: LdapDirectory, connection: Connection, dn: str) -> Found | None:
    attributes = (
        settings.id_attribute,
        settings.name_attribute,
        settings.full_name_attribute,
        *((settings.groups_attribute,) if settings.groups_attribute else ()),
    )
    own = _entries(connection, dn, "(objectClass=*)", attributes, BASE)
    if len(own) != 1:
        raise ValueError("entry")
    ids = own[0].told.get(settings.id_attribute.lower(), [])
    name = own[0].word(settings.name_attribute)
    if len(ids) != 1 or not name:
        raise ValueError("attributes")
    full_name = own[0].word(settings.full_name_attribute) or name
    person = Person(issuer=WAY, subject=ids[0].hex(), name=name, full_name=full_name, way=WAY)
    return Found(person, _groups(settings, connection, own[0]))


def _groups(settings: LdapDirectory, connection: Connection, person: Entry) -> frozenset[str]:
    listed = person.told.get(settings.groups_attribute.lower(), [])
    names = [each.decode("utf-8", "replace") for each in listed]
    if settings.group_base:
        condition = settings.group_filter.replace("{dn}", escape_filter_chars(person.dn))
        names += [each.dn for each in _entries(connection, settings.group_base, condition)]
    return frozenset(same_dn(each) for each in names)
