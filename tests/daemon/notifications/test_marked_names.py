"""A run with a marked name in folders, files, tags, series and a label: no mail, hook or chat holds
it."""

import asyncio
import json
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from daemon.index import queue
from daemon.index.database import Database, open_index, open_joined, open_records
from daemon.index.notices import SINCE
from daemon.notifications.events import Watch, here
from daemon.notifications.process import Notifier
from daemon.records.scan_triage import put_on
from daemon.settings import Settings, load_settings
from daemon.settings.notify import Event
from tests.conftest import drain, until
from tests.daemon.notifications.receivers import Hook, hook, mail_server, make_certificate
from tests.daemon.notifications.test_process import SECRET, with_tables
from tests.phantoms.dicom_series import Series, write_series

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated"),  # apprise asks for it
]

MARK = "XMARKX"
LABEL = f"{MARK} board"
# Whatever the time of day is now.
DIGEST = (here() + timedelta(hours=12)).astimezone().replace(second=0, microsecond=0)


def marked(number: int, image: Dataset) -> None:
    """Whatever a scanner may write of a patient and a study."""
    for name in ("PatientName", "PatientID", "SeriesDescription", "StudyDescription"):
        setattr(image, name, f"{MARK} FLAIR")
    image.ProtocolName, image.InstitutionName, image.StationName = MARK, MARK, MARK
    image.AccessionNumber, image.PatientComments = MARK, MARK
    image.StudyDate = "19770707"


def drop_all(inbox: Path) -> None:
    """A study, an urgent file that cannot be read, and another."""
    study = inbox / f"{MARK}-1" / f"{MARK} study"
    study.mkdir(parents=True)
    write_series(study, series=Series(name=f"{MARK} FLAIR", prefix=MARK, change=marked))
    for place in (f"{MARK}-2/URGENT", f"{MARK}-3"):
        (inbox / place).mkdir(parents=True)
        (inbox / place / f"{MARK}.nii.gz").write_bytes(f"{MARK}, no scan".encode())


def receivers(its: Hook, chat: Hook, folder: Path) -> str:
    """Two by each way, told all; one of them of scans with a label alone."""
    told = json.dumps([str(each) for each in Event])
    (folder / "chats").write_text(f"# ours\n{chat.url.replace('http', 'json')}\n")
    labels = f'labels = ["{LABEL}"]'
    tables = {
        "people": 'addresses = ["ada@hospital.example"]',
        "board": f'addresses = ["board@hospital.example"]\n{labels}',
        "desk": f'by = "webhook"\nurl = "{its.url}"\nsecret_file = "secret"',
        "chat": 'by = "chat"\nsecret_file = "chats"',
        "labelled-desk": f'by = "webhook"\nurl = "{its.url}"\nsecret_file = "secret"\n{labels}',
        "labelled-chat": f'by = "chat"\nsecret_file = "chats"\n{labels}',
    }
    return "".join(
        f'[[notify.to]]\nname = "{name}"\n{how}\nevents = {told}\n' for name, how in tables.items()
    )


def words_of(mail: EmailMessage) -> str:
    """All that a mail says, decoded."""
    heads = "\n".join(f"{name}: {value}" for name, value in mail.items())
    return f"{heads}\n{mail.get_content()}"


async def test_the_mark_is_in_nothing_that_anybody_gets(hospital: Settings) -> None:
    folder = hospital.daemon.inbox.parent
    certificate, key = make_certificate(folder)
    async with hook() as its, hook() as chat, mail_server(certificate, key) as box:
        with_tables(
            hospital,
            receivers(its, chat, folder),
            link="https://flair.hospital.example",
            mail_host="localhost",
            mail_port=box.port,
            mail_ca=str(certificate),
            mail_from="gliowatch@hospital.example",
            group_seconds=1,
            digest_at=f"{DIGEST:%H:%M}",
        )
        settings = load_settings(folder / "settings.toml")
        drop_all(settings.daemon.inbox)
        await tell_of_a_night(settings)
        mails = [words_of(mail) for mail in box.mails]
    hooks = [json.dumps(headers) + body.decode() for headers, body in its.came]
    chats = [body.decode() for _, body in chat.came]
    for came in (mails, hooks, chats):
        whole = "\n".join(came)
        for event in ("1 urgent scan", "scans failed", "scan done", "needs review", "sign of life"):
            assert event in whole
        for event in ("disk nearly full", "arrived: 0 done, 1 to be reviewed, 2 failed"):
            assert event in whole or came is hooks
        assert MARK.casefold() not in whole.casefold()
        assert "1977" not in whole
        assert SECRET not in whole
        assert len(came) < 12  # grouped
    of_label = "\n".join(each for each in mails if "To: board@hospital.example" in each)
    assert "1 scan done" in of_label
    assert "scans failed" not in of_label
    assert '"summary": {"received": 3, "done": 0, "review": 1, "failed": 2' in "\n".join(hooks)


async def all_is_told(joined: Database) -> bool:
    """Whether every notice is in a message to everybody, and every message is sent."""
    states = await joined.rows("SELECT DISTINCT state, code, reason FROM notify_messages")
    assert {row["state"] for row in states} <= {"waiting", "handed", "sent"}, [*map(tuple, states)]
    left = await joined.rows(
        "SELECT 1 FROM notices n JOIN notify_targets t ON t.receiver = n.receiver"
        " AND n.number > t.told"
    )
    return {row["state"] for row in states} == {"sent"} and not left


async def tell_of_a_night(settings: Settings) -> None:
    """Analyze what lies in the inbox, let the disk be full and the daemon silent, and tell."""
    daemon = settings.daemon
    async with (
        open_index(daemon.index),
        open_records(daemon.records) as records,
        open_joined(daemon.index, daemon.records) as joined,
    ):
        notifier = Notifier(joined, records, settings, 1)
        await notifier.begin()
        done = await asyncio.to_thread(drain, daemon.inbox.parent)
        assert done.returncode == 1, done.stderr
        scans = [row["scan_id"] for row in await joined.rows("SELECT scan_id FROM scans")]
        assert await put_on(joined, records, scans, LABEL, "ada") == 1
        await queue.set_switch(joined, "disk_low", 1)
        assert here() < DIGEST
        assert await queue.switch(joined, SINCE) < DIGEST.timestamp()
        notifier._watch = Watch(joined, records, settings, 1, lambda: DIGEST)
        await notifier._watch.tell_silent()
        await notifier.look()

        async with asyncio.timeout(120):
            while not await all_is_told(joined):
                await notifier.look()
                await asyncio.sleep(0.3)
        await until(lambda: not notifier._is_busy())
        await notifier.end()
