"""settings.toml: complete, true to the code, and strict about what it does not know."""

import tomllib
from pathlib import Path

import pytest

from daemon.settings import Settings, SettingsError, load_settings
from tests.conftest import ROOT


def write(folder: Path, text: str) -> Path:
    (folder / "settings.toml").write_text(text)
    return folder / "settings.toml"


def test_the_file_holds_every_key_with_its_default() -> None:
    written = tomllib.loads((ROOT / "settings.toml").read_text())
    assert written == Settings().model_dump(mode="json")


def test_every_key_has_a_comment() -> None:
    for line in (ROOT / "settings.toml").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            assert line.partition("#")[2].strip(), line


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[daemon]\nrest_second = 3", "There is no setting named daemon.rest_second."),
        ("[deamon]\nrest_seconds = 3", "There is no setting named deamon."),
        ("[model]\nthreshold = 2", "The setting model.threshold is not valid"),
        ('[model]\nquality = "good"', "The setting model.quality is not valid"),
        ("[daemon\n", "is not valid TOML"),
    ],
)
def test_a_mistake_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text))
    assert sentence in str(caught.value)


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
    with pytest.raises(SettingsError, match=r"no setting named daemon\.inbx"):
        load_settings(write(tmp_path, ""))


def test_the_token_is_not_shown(tmp_path: Path) -> None:
    file = write(tmp_path, '[viewer]\nmetrics_token = "very-secret-token-1"')
    shown = load_settings(file).model_dump_json()
    assert "very-secret" not in shown
