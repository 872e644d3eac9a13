"""Names of folders and files: which are safe to make in the inbox, and how to show any of them."""

import hashlib
from urllib.parse import quote

UNASSIGNED = "unassigned"
SOURCE = "source"  # below a scan in the outbox: the files that came
URGENT = b"URGENT"
MAX_NAME_BYTES = 200
_PLAIN = " !#$&'()+,;=@[]{}^~"


def folder_name(patient_id: str) -> str:
    """The patient's folder for a PatientID: unsafe characters percent-encoded, one to one.

    Letters and digits of any script stay; '/', '%', control characters and a leading dot do
    not. Different ids never share a folder. An empty or overlong id gives `unassigned`.
    """
    name = "".join(_safe(character) for character in patient_id)
    if name.startswith("."):
        name = "%2E" + name[1:]
    if name.endswith((" ", "~")):
        name = name[:-1] + quote(name[-1], safe="").replace("~", "%7E")
    return name if 0 < len(name.encode()) <= MAX_NAME_BYTES else UNASSIGNED


def file_name(claimed: str) -> str:
    """A safe name for an uploaded file that keeps its ending; never hidden, never a path."""
    last = claimed.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(character if character.isprintable() else "_" for character in last)
    plain = plain.strip().lstrip(".") or "file"
    encoded = plain.encode("utf-8", "replace")
    return encoded[-MAX_NAME_BYTES:].decode("utf-8", "ignore").lstrip(".") or "file"


def readable(name: bytes) -> str:
    """Any file name as text, one to one: bytes that are not UTF-8 are shown as \\xNN.

    So that no other name is shown alike, a backslash before an x is then shown as \\x5c.
    """
    return name.replace(b"\\x", b"\\x5cx").decode("utf-8", "backslashreplace")


def _safe(character: str) -> str:
    if character.isalnum() or character in "-_." or character in _PLAIN:
        return character
    return quote(character, safe="", errors="replace")


def hash_scan(patient_id: str, content_sha256: str) -> str:
    """The scan's opaque id: 20 hexadecimal digits from the patient and the content."""
    key = f"gliowatch scan\0{patient_id}\0{content_sha256}"
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:20]
