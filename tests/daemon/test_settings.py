"""settings.toml: complete, true to the code, and strict about what it does not know."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from daemon.settings import DEFAULTS, Settings, SettingsError, load_settings, read_settings
from daemon.settings.archives import Destination
from daemon.settings.errors import MUST, RETIRED
from daemon.settings.login import OidcProvider
from daemon.settings.notify import Receiver
from tests.conftest import ROOT


def write(folder: Path, text: str) -> Path:
    (folder / "settings.toml").write_text(text)
    return folder / "settings.toml"


def test_the_file_holds_every_key_with_its_default() -> None:
    written = tomllib.loads((ROOT / "settings.toml").read_text())
    written["dicom"]["send"] = []  # tables that are none as shipped; an example stands there
    written["notify"]["to"] = []
    written["login"]["oidc"] = []
    assert written == Settings().model_dump(mode="json")


def example_of(table: str) -> tuple[dict[str, Any], list[str]]:
    """The example of a list of tables as it is filled in, and its lines."""
    _, _, rest = (ROOT / "settings.toml").read_text().partition(f"# [[{table}]]\n")
    lines = rest.partition("\n\n")[0].splitlines()
    return tomllib.loads("\n".join(line.removeprefix("# ") for line in lines)), lines


def test_the_example_of_a_provider_holds_every_key_with_its_default() -> None:
    example, lines = example_of("login.oidc")
    given = ("name", "issuer", "client_id")
    assert sorted(example) == sorted(OidcProvider.model_fields)
    assert OidcProvider(**example) == OidcProvider(**{name: example[name] for name in given})
    assert all(line.partition("#")[2].partition("#")[2].strip() for line in lines)


def test_the_example_of_a_destination_holds_every_key_with_its_default() -> None:
    example, lines = example_of("dicom.send")
    shown = Destination(**example)
    assert sorted(example) == sorted(Destination.model_fields)
    assert shown == Destination(name="pacs", host="pacs.hospital.example", called_ae_title="PACS1")
    assert all(line.partition("#")[2].partition("#")[2].strip() for line in lines)


def test_the_example_of_a_receiver_holds_every_key() -> None:
    text = (ROOT / "settings.toml").read_text().partition("# [[notify.to]]\n")[2]
    lines = text.partition("\n\n")[0].splitlines()
    example = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines))
    assert sorted(example) == sorted(Receiver.model_fields)
    assert Receiver(**example) == Receiver(name="night-team", role="reviewer")
    assert all(line.partition("#")[2].partition("#")[2].strip() for line in lines)


def test_every_key_has_a_comment() -> None:
    for line in (ROOT / "settings.toml").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            assert line.partition("#")[2].strip(), line


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[daemon]\nrest_second = 3",
            "There is no setting named daemon.rest_second in FILE:"
            " did you mean daemon.rest_seconds?",
        ),
        (
            "[deamon]\nrest_seconds = 3",
            "There is no setting named deamon in FILE: did you mean the table [daemon]?",
        ),
        (
            'inbox = "x"',
            "There is no setting named inbox in FILE: did you mean daemon.inbox?",
        ),
        (
            "[daemon]\nport = 80",
            "There is no setting named daemon.port in FILE: did you mean viewer.port?",
        ),
        ("[model]\nqqqqqqq = 1", "There is no setting named model.qqqqqqq in FILE."),
        (
            "[model]\nthreshold = 2",
            "The setting model.threshold in FILE must be less than 1; it is 2.",
        ),
        (
            '[model]\nquality = "good"',
            'The setting model.quality in FILE must be "fast" or "best"; it is "good".',
        ),
        (
            "[daemon]\nslots = 1.5",
            "The setting daemon.slots in FILE must be a whole number; it is 1.5.",
        ),
        (
            "[daemon]\nkeep_gb = inf",
            "The setting daemon.keep_gb in FILE must be a finite number; it is Infinity.",
        ),
        (
            '[daemon]\nquiet_hours = "7-19"',
            'The setting daemon.quiet_hours in FILE must be "", or two times of day such as'
            ' "07:00-19:00"; it is "7-19".',
        ),
        (
            "[model]\ninversion_ms = [1]",
            "The setting model.inversion_ms in FILE must have as many values as its default.",
        ),
        ("daemon = 3", "The setting daemon in FILE must be a table; it is 3."),
        (
            "[viewer]\nmetrics_token = 1234567890123456",
            "The setting viewer.metrics_token in FILE must be text in quotation marks.",
        ),
        (
            '[viewer]\ntoken = "x"',
            "The setting viewer.token is gone, since people log in with accounts: delete it in"
            " FILE, and make the first account with: gliowatch users add NAME --role admin.",
        ),
        (
            '[dicom.priors]\nhots = "b"',
            "There is no setting named dicom.priors.hots in FILE: did you mean dicom.priors.host?",
        ),
        (
            "[dicom.priors]\nnewest = 0",
            "The setting dicom.priors.newest in FILE must be 1 or more; it is 0.",
        ),
        (
            '[[dicom.send]]\nname = "a"\nhots = "b"',
            "There is no setting named hots of table 1 of [[dicom.send]] in FILE:"
            " did you mean host?",
        ),
        (
            '[[dicom.send]]\nname = "a"\n[[dicom.send]]\nport = 7',
            "The setting name of table 2 of [[dicom.send]] in FILE is missing.",
        ),
        (
            '[[dicom.send]]\nname = "a/b"',
            "The setting name of table 1 of [[dicom.send]] in FILE must have letters, digits, - and"
            ' _ alone, 1 to 32 of them; it is "a/b".',
        ),
        (
            '[[dicom.send]]\nname = "a"\nwhen = "never"',
            "The setting when of table 1 of [[dicom.send]] in FILE must be"
            ' "published", "reviewed" or "accepted"; it is "never".',
        ),
        (
            '[[login.oidc]]\nname = "a"\nisuer = "b"',
            "There is no setting named isuer of table 1 of [[login.oidc]] in FILE:"
            " did you mean issuer?",
        ),
        (
            "[daemon\n",
            "The settings file FILE is not valid TOML: Expected ']' at the end of a table"
            " declaration (at line 1, column 8).",
        ),
    ],
)
def test_a_mistake_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert str(caught.value) == sentence.replace("FILE", str(file))


def test_every_limit_has_words_of_its_own() -> None:
    """No kind of error that our tables can give falls through to the general words."""
    kinds = {"bool_type", "extra_forbidden", "finite_number", "float_type", "int_from_float"}
    kinds |= {"int_type", "literal_error", "path_type", "string_type", "tuple_type"}
    kinds |= {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "missing"}
    assert kinds - {"extra_forbidden"} <= set(MUST)


def test_no_retired_setting_is_one_of_today_and_the_documents_tell_of_each() -> None:
    document = (ROOT / "docs" / "upgrade.md").read_text()
    for setting in RETIRED:
        assert f"| `{setting}` |" in document
        table, _, key = setting.partition(".")
        assert key not in DEFAULTS[table]


def test_all_mistakes_of_a_file_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    reading = read_settings(write(tmp_path, "[daemon]\nslots = 99\nattempts = 5\n[modl]\nx = 1"))
    assert [fault.settings for fault in reading.faults] == [("daemon.slots",), ("modl",)]
    assert reading.settings
    assert (reading.settings.daemon.slots, reading.settings.daemon.attempts) == (2, 5)


def test_paths_count_from_the_files_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, '[daemon]\ninbox = "drop"\noutbox = "/srv/out"')
    monkeypatch.chdir("/")
    daemon = load_settings(file).daemon
    assert daemon.inbox == tmp_path / "drop"
    assert daemon.outbox == Path("/srv/out")
    assert daemon.index == tmp_path / "index.sqlite"


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIOWATCH_DAEMON__INBOX", "/data/inbox")
    settings = load_settings(write(tmp_path, '[daemon]\ninbox = "x"\nrest_seconds = 4'))
    assert settings.daemon.inbox == Path("/data/inbox")
    assert settings.daemon.rest_seconds == 4


def test_a_misspelt_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOWATCH_DAEMON__INBX", "/data/inbox")
    with pytest.raises(SettingsError, match=r"no setting named daemon\.inbx in the variable GLIO"):
        load_settings(write(tmp_path, ""))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GLIOWATCH_DEAMON__INBOX", "x", "daemon.inbox?"),
        ("GLIOWATCH_DAEMON__IGNORE_NAMES", "x", "IGNORE_NAMES must be a list in JSON"),
        ("GLIOWATCH_DAEMON__SLOTS", "two", "in the variable GLIOWATCH_DAEMON__SLOTS must be"),
        ("GLIOWATCH_VIEWER__TOKEN", "x", "delete it in the variable GLIOWATCH_VIEWER__TOKEN"),
    ],
)
def test_a_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, ""))
    assert sentence in str(caught.value)


def test_the_certificate_counts_from_the_files_own_folder(tmp_path: Path) -> None:
    viewer = load_settings(write(tmp_path, '[viewer]\ntls_certificate = "tls/c.pem"')).viewer
    assert viewer.tls_certificate == str(tmp_path / "tls" / "c.pem")
    assert viewer.tls_key == ""


def test_the_token_is_not_shown(tmp_path: Path) -> None:
    file = write(tmp_path, '[viewer]\nmetrics_token = "very-secret-token-1"')
    shown = load_settings(file).model_dump_json()
    assert "very-secret" not in shown
