"""Login by LDAP against Debian's slapd: who comes in, and what people could try at it."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient

from daemon.index.people.accounts import find_account, list_accounts
from daemon.index.people.audit import page_of_audit
from daemon.permissions import Role
from daemon.settings.login import LdapDirectory, LoginSettings
from tests.programs import program
from tests.viewer.test_house import House, _Server, settings_in
from viewer.app import make_app
from viewer.hospital_login.errors import ProviderAway
from viewer.hospital_login.ldap_search import who_is
from viewer.hospital_login.person_found import same_dn
from viewer.sessions import RECORDS

pytestmark = pytest.mark.long
TOP = "dc=hospital,dc=example"
PEOPLE, GROUPS = f"ou=people,{TOP}", f"ou=groups,{TOP}"
CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile FOLDER/pid
TLSCACertificateFile FOLDER/ca.pem
TLSCertificateFile FOLDER/localhost.pem
TLSCertificateKeyFile FOLDER/key.pem
allow bind_anon_cred
referral ldap://127.0.0.1:REFERRED
database mdb
suffix "dc=hospital,dc=example"
directory FOLDER/data
"""
CONTENT = f"""
dn: {TOP}
objectClass: dcObject
objectClass: organization
dc: hospital
o: Hospital

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

dn: cn=search,{TOP}
objectClass: person
cn: search
sn: search
userPassword: the password of the search

dn: uid=ada,{PEOPLE}
objectClass: inetOrgPerson
uid: ada
cn: Dr. Ada Lovelace
sn: Lovelace
userPassword: the password of ada

dn: uid=eve,{PEOPLE}
objectClass: inetOrgPerson
uid: eve
cn: Eve
sn: Eve
userPassword: the password of eve

dn: uid=o\\,neil \\28m\\29,{PEOPLE}
objectClass: inetOrgPerson
uid: o,neil (m)
cn: O'Neil
sn: Neil
userPassword: the password of o'neil

dn: uid=away,{PEOPLE}
objectClass: referral
objectClass: extensibleObject
uid: away
ref: ldap://127.0.0.1:REFERRED/uid=away,{PEOPLE}

dn: cn=mri,{GROUPS}
objectClass: groupOfNames
cn: mri
member: uid=ada,{PEOPLE}
member: uid=o\\,neil \\28m\\29,{PEOPLE}
"""


@dataclass(frozen=True)
class Slapd:
    """A directory that runs. folder: with its certificates; referred: the port it refers to."""

    folder: Path
    referred: int
    plain: str
    encrypted: str

    def settings(self, **changes: object) -> LdapDirectory:
        """A table of the settings: people are searched, over TLS."""
        (self.folder / "secret").write_text("the password of the search\n")
        values = {
            "on": True,
            "label": "the directory",
            "url": self.encrypted,
            "ca": str(self.folder / "ca.pem"),
            "bind_dn": f"cn=search,{TOP}",
            "secret_file": str(self.folder / "secret"),
            "base": PEOPLE,
            "groups_attribute": "",
            "group_base": GROUPS,
            "readers": (f"CN=MRI, {GROUPS}",),
            "answer_seconds": 60.0,
        }
        return LdapDirectory.model_validate(values | changes)


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    folder = tmp_path_factory.mktemp("slapd")
    make_certificates(folder)
    (folder / "data").mkdir()
    referred = free_port()
    for name, content in (("slapd.conf", CONFIG), ("content.ldif", CONTENT.lstrip())):
        written = content.replace("FOLDER", str(folder)).replace("REFERRED", str(referred))
        (folder / name).write_text(written)
    words = [program("slapadd"), "-f", str(folder / "slapd.conf")]
    subprocess.run([*words, "-l", str(folder / "content.ldif")], check=True, capture_output=True)
    plain, encrypted = (f"{kind}://localhost:{free_port()}" for kind in ("ldap", "ldaps"))
    with running(folder, f"{plain} {encrypted}"):
        yield Slapd(folder, referred, plain, encrypted)


@contextmanager
def running(folder: Path, urls: str) -> Iterator[None]:
    words = [program("slapd"), "-f", str(folder / "slapd.conf"), "-h", urls, "-d", "0"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port, end = int(urls.rpartition(":")[2]), time.monotonic() + 60
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificates(folder: Path) -> None:
    """An authority and what it signed: of localhost, and of another name; and another authority."""
    openssl = program("openssl")
    for name in ("ca", "stranger"):
        words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj"
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        command = [openssl, *words.split(), f"/CN={name}", *files]
        subprocess.run(command, check=True, capture_output=True)
    for name in ("localhost", "other.example"):
        words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        signer = ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key")]
        subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        command = [openssl, *words.split(), *subject, *signer, *files]
        subprocess.run(command, check=True, capture_output=True)
    shutil.copy(folder / "localhost.key", folder / "key.pem")


@pytest.mark.parametrize("how", ["ldaps", "StartTLS", "without a search"])
def test_a_person_is_found_with_the_groups(slapd: Slapd, how: str) -> None:
    changes: dict[str, dict[str, object]] = {
        "ldaps": {},
        "StartTLS": {"url": slapd.plain},
        "without a search": {"user_dn": f"uid={{name}},{PEOPLE}", "bind_dn": "", "base": ""},
    }
    settings = slapd.settings(**changes[how])
    for name, full_name in (("ada", "Dr. Ada Lovelace"), ("o,neil (m)", "O'Neil")):
        word = "o'neil" if name != "ada" else "ada"
        found = who_is(settings, name, f"the password of {word}")
        assert found is not None
        assert (found.person.name, found.person.full_name) == (name, full_name)
        assert settings.role_of(found.groups, same_dn) is Role.READER
        assert len(bytes.fromhex(found.person.subject)) == 36
    assert who_is(settings, "ada", "the password of eve") is None
    assert who_is(settings, "nobody", "the password of eve") is None


@pytest.mark.parametrize("template", ["", f"uid={{name}},{PEOPLE}"])
def test_a_name_is_no_part_of_a_question(slapd: Slapd, template: str) -> None:
    settings = slapd.settings(user_dn=template)
    names = (
        "*",
        "a*",
        "ada)(uid=*",
        "*)(objectClass=*",
        "ada,ou=people",
        "ada+cn=Dr. Ada Lovelace",
    )
    for name in (*names, f"ada,{PEOPLE}", "a\\64a", "ada)(|(uid=ada", "(&)"):
        assert who_is(settings, name, "the password of ada") is None, name


def test_a_certificate_of_somebody_else_gets_no_password(slapd: Slapd, tmp_path: Path) -> None:
    for changes in ({"ca": str(slapd.folder / "stranger.pem")}, {"ca": ""}):
        for url in (slapd.encrypted, slapd.plain):
            with pytest.raises(ProviderAway):
                who_is(slapd.settings(url=url, **changes), "ada", "the password of ada")
    config = (slapd.folder / "slapd.conf").read_text()
    config = config.replace("localhost.pem", "other.example.pem").replace(
        "key.pem", "other.example.key"
    )
    (tmp_path / "data").mkdir()
    config = config.replace(f"{slapd.folder}/data", str(tmp_path / "data"))
    (tmp_path / "slapd.conf").write_text(config.replace(f"{slapd.folder}/pid", f"{tmp_path}/pid"))
    plain, encrypted = (f"{kind}://localhost:{free_port()}" for kind in ("ldap", "ldaps"))
    with running(tmp_path, f"{plain} {encrypted}"):
        for url in (plain, encrypted):
            with pytest.raises(ProviderAway):
                who_is(slapd.settings(url=url), "ada", "the password of ada")


def test_no_referral_takes_the_password_elsewhere(slapd: Slapd) -> None:
    template, elsewhere = f"uid={{name}},{PEOPLE}", "ou=people,dc=elsewhere"
    with socket.create_server(("127.0.0.1", slapd.referred)) as other:
        other.setblocking(False)
        for changes in ({}, {"user_dn": template}, {"user_dn": f"uid={{name}},{elsewhere}"}):
            assert who_is(slapd.settings(**changes), "away", "the password of ada") is None
        with pytest.raises(ProviderAway):  # all that is asked for lies there
            who_is(slapd.settings(base=elsewhere), "away", "the password of ada")
        with pytest.raises(BlockingIOError):  # nobody came
            other.accept()


async def log_in(
    house: House, name: str, password: str, whose: str = "hospital"
) -> tuple[int, str]:
    fields = {"name": name, "password": password, "whose": whose, "next": "/account"}
    answer = await house.client.post("/login", data=fields, allow_redirects=False)
    return answer.status, await answer.text()


async def test_people_log_in_by_the_directory_and_nobody_else(tmp_path: Path, slapd: Slapd) -> None:
    login = LoginSettings(ldap=slapd.settings())
    app = make_app(settings_in(tmp_path).model_copy(update={"login": login}))
    async with TestClient(_Server(app)) as client:
        house = House(client, app, settings_in(tmp_path))
        assert "the directory" in await house.page("/login")
        await house.come_in("ada", Role.ADMIN)  # an account of gliowatch
        house.client.session.cookie_jar.clear()
        for password in ("", " ", "\0", "the password of eve"):
            status, page = await log_in(house, "ada", password)
            assert (status, "Incorrect user name" in page) == (403, True), password
        status, page = await log_in(house, "ada", "the password of ada", whose="")
        assert (status, '<option value="" selected>' in page) == (403, True)
        await house.app[RECORDS].change("DELETE FROM login_failures")
        assert (await log_in(house, "ada", "the password of ada"))[0] == 303
        page = await house.page("/account")
        assert "ada (ldap)" in page
        known = await find_account(house.app[RECORDS], "ada (ldap)")
        assert known is not None
        assert (known.role, known.full_name) == (Role.READER, "Dr. Ada Lovelace")
        status, page = await log_in(house, "eve", "the password of eve")
        assert (status, "have no role here" in page) == (403, True)
        assert {each.name for each in await list_accounts(house.app[RECORDS])} == {
            "ada",
            "ada (ldap)",
        }
        for _ in range(5):
            await log_in(house, "ada", "a guess")
        status, page = await log_in(house, "ada", "the password of ada")
        assert (status, "Too many failed logins" in page) == (403, True)
        said = await page_of_audit(house.app[RECORDS])
        assert ("ada (ldap)", "login", "ldap") in {(e.account, e.action, e.detail) for e in said}


async def test_a_directory_that_is_away_is_told(tmp_path: Path, slapd: Slapd) -> None:
    login = LoginSettings(ldap=slapd.settings(url="ldaps://127.0.0.1:9"))
    app = make_app(settings_in(tmp_path).model_copy(update={"login": login}))
    async with TestClient(_Server(app)) as client:
        house = House(client, app, settings_in(tmp_path))
        status, page = await log_in(house, "ada", "the password of ada")
        assert (status, "There is no answer from" in page) == (503, True)
        assert await house.app[RECORDS].rows("SELECT 1 FROM login_failures") == []
