"""What `gliowatch config check` says of notifications, and that a start refuses it."""

from pathlib import Path

import pytest

from daemon.notifications.settings_check import notify_contradictions, notify_on_machine
from daemon.settings import SettingsError, load_settings

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # apprise asks for it

MAIL = 'mail_host = "mail.example"\nmail_from = "g@mail.example"\n'
TO_MAIL = '[[notify.to]]\nname = "a"\naddresses = ["a@b.example"]\n'
HOOK = '[[notify.to]]\nname = "a"\nby = "webhook"\nsecret_variable = "HOOK"\n'
CHAT = '[[notify.to]]\nname = "a"\nby = "chat"\nsecret_variable = "CHAT"\n'
URL = 'url = "https://desk.example/hook"\n'


def sentences(folder: Path, text: str) -> list[str]:
    (folder / "settings.toml").write_text(f"[notify]\n{text}")
    settings = load_settings(folder / "settings.toml")
    rules = (notify_contradictions, notify_on_machine)
    return [fault.sentence for rule in rules for fault in rule(settings)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('mail_from = "g@m.example"\n' + TO_MAIL, "notify.mail_host is empty"),
        (MAIL + TO_MAIL + TO_MAIL, "two tables have the name"),
        ('mail_host = "m.example"\n' + TO_MAIL, "notify.mail_from is no mail address"),
        (MAIL + 'mail_tls = "none"\n' + TO_MAIL, "unencrypted to another machine"),
        (MAIL + 'mail_user = "g"\n' + TO_MAIL, "and the password is not"),
        (MAIL + 'mail_ca = "nowhere.pem"\n' + TO_MAIL, "cannot be read by this user"),
        (MAIL + '[[notify.to]]\nname = "a"\n', "mail needs addresses or role"),
        (MAIL + TO_MAIL + URL, "url is not for mail"),
        (MAIL + TO_MAIL + "events = []\n", "events is empty"),
        (MAIL + TO_MAIL + 'events = ["summary"]\nscans = ["tumor"]\n', "it has no effect"),
        (MAIL + TO_MAIL + 'events = ["failed"]\nlabels = ["a"]\n', "what failed has no label"),
        (MAIL + TO_MAIL + 'events = ["scan_done"]\nlabels = [" "]\n', "labels: A label has 1 to"),
        (HOOK, "webhook needs url"),
        (HOOK + 'url = "http://desk.example/hook"\n', "over http unencrypted"),
        (HOOK + 'url = "https://a:b@desk.example/"\n', "url holds a name or a password"),
        (HOOK + URL + 'role = "reader"\n', "addresses and role are not for webhook"),
        (HOOK + URL + 'secret_file = "x"\n', "and not both"),
        (HOOK.replace("HOOK", "NO_SUCH") + URL, "its variable is not set"),
        (HOOK.replace("HOOK", "SHORT") + URL, "16 characters or more"),
        (CHAT.replace("CHAT", "HOOK"), "apprise does not know what address 1"),
        ('link = "flair"\n', "notify.link is no address"),
    ],
)
def test_each_fault_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    _secrets(monkeypatch)
    assert sentence in sentences(tmp_path, text)[0]


def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "a secret that is long enough")
    monkeypatch.setenv("SHORT", "short")
    monkeypatch.setenv("CHAT", "# ours\njson://localhost/x\n")


@pytest.mark.parametrize("text", ["", MAIL + TO_MAIL + 'labels = ["a"]\n', HOOK + URL, CHAT])
def test_what_is_right_is_not_found_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    _secrets(monkeypatch)
    assert sentences(tmp_path, text) == []


def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _secrets(monkeypatch)
    monkeypatch.setattr("daemon.notifications.settings_check.find_spec", lambda name: None)
    (found,) = sentences(tmp_path, CHAT)
    assert "pip install 'gliowatch[chat]'" in found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('digest_at = "7"\n', 'must be a time of day such as "07:00"; it is "7".'),
        (TO_MAIL.replace("a@b.example", "a b"), "must be mail addresses such as"),
        (TO_MAIL + 'events = ["all"]\n', "of table 1 of [[notify.to]]"),
        (TO_MAIL + 'evnts = ["failed"]\n', "did you mean events?"),
    ],
)
def test_a_mistake_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        sentences(tmp_path, text)
    assert sentence in str(caught.value)
