"""Names of folders and files in the inbox: which are safe to make, and how to show any of them."""

from urllib.parse import quote

UNASSIGNED = "unassigned"
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
