"""Settings that contradict each other, or this machine: each told in a sentence, and only those."""

import fcntl
import os
import socket
from pathlib import Path

import pytest

from daemon.operations import machine
from daemon.operations.contradictions import contradictions
from daemon.operations.machine import all_faults, memory_bytes, network_of
from daemon.settings import Settings, SettingsError, load_settings
from daemon.settings.errors import Stops
from daemon.settings.login import LoginSettings

TOKEN = 'metrics_token = "0123456789abcdef"\n'
FHIR_TOKEN = '[fhir]\nurl = "https://c/r4"\ntoken_file = "gone"'


def settings_in(folder: Path, text: str = "") -> Settings:
    """Of a site whose folders are there."""
    for name in ("inbox", "outbox"):
        (folder / name).mkdir(exist_ok=True)
    tables = text if "[viewer]" in text else f"{text}\n[viewer]\nport = 0\n"
    (folder / "settings.toml").write_text(tables)
    return load_settings(folder / "settings.toml")


@pytest.mark.parametrize(
    ("text", "keys", "words", "stops"),
    [
        ('[daemon]\noutbox = "inbox"', "daemon.inbox daemon.outbox", "the same folder", "run"),
        ('[daemon]\noutbox = "./x/../inbox/"', "daemon.inbox daemon.outbox", "the same", "run"),
        ('[daemon]\noutbox = "link"', "daemon.inbox daemon.outbox", "the same folder", "run"),
        ('[daemon]\noutbox = "inbox/out"', "daemon.inbox daemon.outbox", "is inside", "run"),
        ('[daemon]\ninbox = "outbox/in"', "daemon.inbox daemon.outbox", "is inside", "run"),
        ('[daemon]\nindex = "inbox/i.sqlite"', "daemon.index daemon.inbox", "is inside", "run"),
        ('[daemon]\nrecords = "inbox/a/r"', "daemon.records daemon.inbox", "is inside", "run"),
        ('[daemon]\ncopies = "inbox/copies"', "daemon.copies daemon.inbox", "is inside", "run"),
        ('[daemon]\ncopies = "link/copies"', "daemon.copies daemon.inbox", "is inside", "run"),
        ('[model]\nweights = "inbox/w"', "model.weights daemon.inbox", "is inside", "run"),
        ('[daemon]\nrecords = "index.sqlite"', "daemon.index daemon.records", "same file", "run"),
        ('[daemon]\nrecords = "copies"', "daemon.records daemon.copies", "two places", "run"),
        ('[daemon]\nwait_suffixes = [".gz"]', "daemon.wait_suffixes", ".nii.gz would wait", ""),
        ('[viewer]\nhost = "0.0.0.0"', "viewer.host viewer.tls_certificate", "0.0.0.0", "viewer"),
        ('[viewer]\nmetrics_token = "x"', "viewer.metrics_token", "16 characters", "viewer"),
        ('[viewer]\ntls_key = "k"', "viewer.tls_key viewer.tls_certificate", "nothing is", ""),
        (
            '[viewer]\ntrusted_proxies = ["a"]\nhost_names = ["b"]',
            *("viewer.trusted_proxies", "not the address", ""),
        ),
        (
            '[viewer]\ntrusted_proxies = ["::1"]',
            *("viewer.trusted_proxies viewer.host_names", "are refused unless", ""),
        ),
        ("[viewer]\nidle_minutes = 721", "viewer.idle_minutes viewer.session_hours", "effect", ""),
        ('[daemon]\nquiet_hours = "07:00-07:00"', "daemon.quiet_hours", "no hour is quiet", ""),
        ('[daemon]\nwait_suffixes = [""]', "daemon.wait_suffixes", "no scan would start", ""),
        ('[daemon]\nwait_suffixes = [".Part"]', "daemon.wait_suffixes", "small letters", ""),
        (
            '[dicom.priors]\non = true\nhost = "c"\ncalled_ae_title = "A"',
            *("dicom.priors.on dicom.on", "to the node", "run"),
        ),
        (
            '[dicom.priors]\non = true\nprotocol = "DICOMweb"',
            *("dicom.priors.url", "DICOMweb needs url", "run"),
        ),
        ('[fhir]\nurl = "fhir.example/r4"', "fhir.url", "no address", "run"),
        ('[fhir]\nurl = "https://a:b@c/r4"', "fhir.url", "a password", "run"),
        ('[fhir]\nurl = "http://c/r4"\ntoken_file = "index.sqlite"', "fhir.url", "https", "run"),
        (
            '[fhir]\nurl = "https://c/r4"\ntoken_file = "t"\nheader_variable = "H"',
            *("fhir.header_variable fhir.token_file", "one is enough", "run"),
        ),
        (
            '[[dicom.send]]\nname = "fhir"\nhost = "c"\ncalled_ae_title = "A"\n'
            '[fhir]\nurl = "https://c/r4"',
            *("fhir.url dicom.send", 'the name "fhir"', "run"),
        ),
        ("[model]\ninversion_ms = [3, 2]", "model.inversion_ms", "[3, 2]", ""),
        ('[model]\nflair_names = ["dir"]', "model.flair_names model.never_names", '"dir"', ""),
        ('[daemon]\ncopies = "~/copies"', "daemon.copies", "no home", ""),
    ],
)
def test_settings_that_contradict_each_other(
    tmp_path: Path, text: str, keys: str, words: str, stops: str
) -> None:
    (tmp_path / "link").symlink_to("inbox")
    found = contradictions(settings_in(tmp_path, text))
    assert [" ".join(fault.settings) for fault in found] == [keys]
    assert words in found[0].sentence
    assert found[0].sentence.endswith(".")
    assert found[0].stops == (stops or Stops.NOTHING)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[daemon]\nindex = "outbox/i"\nrecords = "outbox/r"\ncopies = "outbox/c"',
        '[daemon]\noutbox = "inbox2"',
        '[dicom.priors]\non = true\nprotocol = "DICOMweb"\nurl = "https://c/dicom-web"',
        '[daemon]\nquiet_hours = "22:00-06:00"',
        '[viewer]\nhost = "0.0.0.0"\nport = 0\nallow_plain_http = true',
        '[viewer]\nhost = "::1"\nport = 0',
        '[viewer]\nhost = "0.0.0.0"\nport = 0\ntrusted_proxies = ["10.0.0.5"]\nhost_names = ["a"]',
        f"[viewer]\nport = 0\n{TOKEN}",
    ],
)
def test_settings_that_contradict_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "inbox2").mkdir()
    assert all_faults(settings_in(tmp_path, text)) == []


def test_what_stops_gliowatch_is_told_first(tmp_path: Path) -> None:
    text = '[daemon]\nquiet_hours = "07:00-07:00"\noutbox = "inbox"\n[viewer]\nhost = "0.0.0.0"'
    assert [each.stops for each in contradictions(settings_in(tmp_path, text))] == [
        Stops.RUN,
        Stops.VIEWER,
        Stops.NOTHING,
    ]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('[daemon]\ninbox = "gone"', "daemon.inbox", "is not there"),
        ('[daemon]\noutbox = "file"', "daemon.outbox", "is not a folder"),
        ('[daemon]\nindex = "outbox"', "daemon.index", "is a folder"),
        ('[daemon]\nrecords = "file/records.sqlite"', "daemon.records", "cannot be written"),
        ('[daemon]\ncopies = "file"', "daemon.copies", "is not a folder"),
        ('[daemon]\ngroup = "no-such"', "daemon.group", "is not a group of this machine"),
        ('[model]\nweights = "gone"', "model.weights", "is not there"),
        ('[viewer]\nport = 0\ntls_certificate = "file"', "viewer.tls_certificate", "be read"),
        ('[viewer]\nhost = "192.0.2.1"\nallow_plain_http = true', "viewer.host", "no such address"),
        (FHIR_TOKEN, "fhir.token_file", "cannot be read"),
        ("[daemon]\nworker_memory_gb = 1e6", "daemon.slots", "lower one of them"),
        ("[viewer]\nport = 0\nslice_memory_mb = 1000000000", "viewer.slice_memory_mb", "is more"),
        ("[model]\nthreads = 100000", "model.threads", "processors of this machine"),
        ("[daemon]\nreserve_gb = 1e7", "daemon.reserve_gb", "no scan would ever start"),
        ("[daemon]\nkeep_gb = 1e7", "daemon.keep_gb", "before anything is deleted"),
    ],
)
def test_settings_that_contradict_the_machine(
    tmp_path: Path, text: str, key: str, words: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    found = all_faults(settings_in(tmp_path, text))
    assert [fault.settings[0] for fault in found] == [key]
    assert words in found[0].sentence


def test_a_taken_port_is_told_unless_it_is_our_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = settings_in(tmp_path, f"[viewer]\nport = {other.getsockname()[1]}")
        [fault] = all_faults(settings)
        assert "another program has this port" in fault.sentence
        with (tmp_path / "index.sqlite.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert all_faults(settings) == []


def test_a_folder_that_nobody_may_write_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != settings.daemon.outbox)
    [fault] = all_faults(settings)
    assert fault.sentence.startswith(f"daemon.outbox, {settings.daemon.outbox}, cannot be read")


def test_a_full_disk_and_a_small_container_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path, "[daemon]\nreserve_gb = 2")
    limit = tmp_path / "memory.max"
    limit.write_text("max\n")
    monkeypatch.setattr(machine, "LIMITS", (limit,))
    whole = memory_bytes()
    limit.write_text("9000000000\n")
    assert memory_bytes() == min(whole, 9_000_000_000)
    usage = type("Usage", (), {"total": 500e9, "free": 1e9})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    memory, disk = (fault.sentence for fault in all_faults(settings))
    assert "this machine has 9.0 GB" in memory
    assert "has 1.0 GB free: no scan starts before there is room" in disk


def test_a_network_share_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = tmp_path / "a share"
    share.mkdir()
    mounts = tmp_path / "mounts"
    named = str(share).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nnas:/mri {named} nfs4 rw 0 0\n")
    monkeypatch.setattr(machine, "MOUNTS", mounts)
    assert (network_of(share / "inbox" / "new"), network_of(tmp_path)) == ("nfs4", "")
    text = '[daemon]\nindex = "a share/i.sqlite"\ninbox = "a share/inbox"\n'
    (share / "inbox").mkdir()
    database, watching = all_faults(settings_in(tmp_path, text))
    assert "on a network share (nfs4): name a file on a local disk" in database.sentence
    assert 'set daemon.watch = "polling"' in watching.sentence
    [only] = all_faults(settings_in(tmp_path, f'{text}watch = "polling"'))
    assert only == database


PROVIDER: dict[str, object] = {
    **{"name": "a", "issuer": "https://a.example", "client_id": "c", "readers": ["r"]},
}
LDAP: dict[str, object] = {
    **{"on": True, "url": "ldaps://a.example", "base": "dc=a", "readers": ["r"]},
}


def with_login(folder: Path, **tables: object) -> Settings:
    login = LoginSettings.model_validate(tables)
    return settings_in(folder).model_copy(update={"login": login})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": ""}, "client_id is empty"),
        ({"issuer": "http://a.example"}, "unencrypted"),
        ({"issuer": "a.example"}, "provider's address"),
        ({"readers": []}, "nobody could come in"),
        ({"scopes": []}, 'needs "openid"'),
        ({"secret_file": "s", "secret_variable": "S"}, "one place of the secret"),
    ],
)
def test_providers_that_could_let_nobody_in(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    assert contradictions(with_login(tmp_path, oidc=[PROVIDER])) == []
    [fault] = contradictions(with_login(tmp_path, oidc=[PROVIDER | changes]))
    assert (fault.stops, words in fault.sentence) == (Stops.VIEWER, True)


def test_two_providers_of_one_name_or_issuer_are_refused(tmp_path: Path) -> None:
    two = [PROVIDER, PROVIDER | {"name": "b"}, PROVIDER | {"issuer": "https://b.example"}]
    said = [fault.sentence for fault in contradictions(with_login(tmp_path, oidc=two))]
    assert [each.partition("have the ")[2].split()[0] for each in said] == ["name", "issuer"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "a.example"}, "directory's address"),
        ({"base": ""}, "both empty"),
        ({"user_dn": "uid=ada"}, "same person"),
        ({"user_filter": "(uid=ada)"}, "same person"),
        ({"bind_dn": "cn=a"}, "set together"),
        ({"groups_attribute": ""}, "in a group"),
        ({"readers": []}, "nobody could come in"),
    ],
)
def test_a_directory_that_could_let_nobody_in(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    assert contradictions(with_login(tmp_path, ldap=LDAP)) == []
    assert contradictions(with_login(tmp_path, ldap=LDAP | changes | {"on": False})) == []
    [fault] = contradictions(with_login(tmp_path, ldap=LDAP | changes))
    assert (fault.stops, words in fault.sentence) == (Stops.VIEWER, True)


def test_a_login_whose_package_or_secret_is_missing_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    for tables, words in (
        ({"oidc": [PROVIDER]}, "pip install 'gliowatch[oidc]'"),
        ({"ldap": LDAP}, "pip install 'gliowatch[ldap]'"),
        ({"oidc": [PROVIDER | {"secret_variable": "NO_SUCH"}]}, "gliowatch[oidc]"),
    ):
        with pytest.raises(SettingsError) as refused:
            machine.refuse_contradictions(with_login(tmp_path, **tables), with_viewer=True)
        assert words in str(refused.value)
        machine.refuse_contradictions(with_login(tmp_path, **tables), with_viewer=False)
    monkeypatch.setattr(machine, "find_spec", lambda name: name)
    for change in ({"secret_variable": "NO_SUCH"}, {"secret_file": "/no/such/file"}):
        settings = with_login(tmp_path, oidc=[PROVIDER | change])
        with pytest.raises(SettingsError, match=r"is not set|cannot be read"):
            machine.refuse_contradictions(settings, with_viewer=True)
