"""Rows 6, 8, 9 and 10: damaged content, bombs, hostile names, and what is no plain file."""

import gzip
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib

from tests.faults import scans
from tests.faults.account import Outcome, settle
from tests.faults.hospital import Hospital, until

MOST_WORKER_MEMORY = 1200 << 20  # bytes; 890 MB were measured when torch still analyzed
BOMB_BYTES = 3_000_000_000


def truncations(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 6: each format cut at 50 offsets, and empty: never a crash, always a reason."""
    hospital = Hospital(folder, weights)
    whole = {
        "cut.nii": scans.nifti(1, packed=False),
        "cut.nii.gz": scans.nifti(1),
        "cut.dcm": scans.dicom(1)[0],
        "cut.png": scans.png(1),
        "cut.jpg": scans.jpeg(1),
        "cut.zip": scans.archive(1),
    }
    cuts = max(4, round(50 * scale))
    for name, content in whole.items():
        for number in range(cuts):
            length = number * len(content) // cuts  # 0: an empty file
            hospital.drop(f"{name}-{number}/{name}", content[:length])
            hospital.fault()
    with hospital.once() as daemon:
        code = daemon.wait(600)
        trouble = [each for each in daemon.events() if each["event"] in ("attempt_failed",)]
    hospital.check(code == 1, f"the run ended with {code}: {daemon.said()}")
    hospital.check(not trouble, f"{len(trouble)} attempts died or failed in an unknown way")
    results = sorted(path.parent.name for path in hospital.published())
    hospital.check(not results, f"published though cut off: {results}")
    reasons = {path.read_text() for path in hospital.inbox.rglob("*.reason.txt")}
    return settle(hospital, "truncated files", f"{len(reasons)} different reasons")


def bombs(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 8: files that unpack to far more than their size; the worker's memory stays low."""
    hospital = Hospital(folder, weights)
    zeros = _packed_zeros(BOMB_BYTES if scale > 0.2 else BOMB_BYTES // 10)
    hospital.drop("A/bomb.nii.gz", zeros)
    hospital.drop("B/claim.nii", _nifti_of_1_tb())
    hospital.drop("C/claim.nii.gz", gzip.compress(_nifti_of_1_tb()))
    hospital.drop("D/bomb.zip", scans.zipped({"scan.nii": bytes(300_000_000)}))
    nested = scans.zipped({f"{number}.nii": bytes(50_000_000) for number in range(3)})
    hospital.drop("E/nested.zip", scans.zipped({"inner.zip": nested}))
    hospital.drop("F/bomb.png", _png_bomb(60_000))
    hospital.drop("G/bomb.png", _png_bomb(6_000))
    hospital.drop("H/healthy.png", scans.png(8))
    hospital.fault(7)
    with hospital.once() as daemon:
        code = daemon.wait(600)
        died = sum(each["event"] == "attempt_failed" for each in daemon.events())
    hospital.check(code == 1, f"the run ended with {code}: {daemon.said()}")
    hospital.check(not died, f"{died} attempts killed their worker")
    hospital.check(list(hospital.outbox.glob("H/*")), "the healthy scan was not judged")
    taken = daemon.worker_memory
    hospital.check(taken < MOST_WORKER_MEMORY, f"the worker took {taken >> 20} MB")
    return settle(hospital, "bombs", f"worker {taken >> 20} MB at most")


def _packed_zeros(count: int) -> bytes:
    """A gzip file of a NIfTI header and zeros, made without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(10_000_000)
    parts = [packer.compress(_header(16, 16, 16))]
    parts += [packer.compress(block) for _ in range(count // len(block))]
    return b"".join([*parts, packer.flush()])


def _nifti_of_1_tb() -> bytes:
    return _header(32767, 32767, 1000) + bytes(1000)


def _header(*shape: int) -> bytes:
    header = nib.Nifti1Header()
    header["dim"] = [3, *shape, 1, 1, 1, 1]
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    return bytes(header.binaryblock) + bytes(4)


def _png_bomb(side: int) -> bytes:
    """A black grey PNG whose header says so many pixels square, in a few kilobytes."""
    packer = zlib.compressobj(9)
    row = bytes(side + 1)
    data = b"".join([*(packer.compress(row) for _ in range(min(side, 6_000))), packer.flush()])
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


NAMES = (
    b"a..",
    b"..a",
    b"a\\..\\b",
    b"x" * 255,
    "é".encode() * 127,
    b"line\nbreak",
    b"tab\tbell\x07",
    b"-rf",
    b"--help",
    "right\u202eto left".encode(),
    b"not\xff\xfeutf8",
    "Mu\u0308ller".encode(),  # NFD
    "M\u00fcller".encode(),  # NFC
    b"CASE",
    b"case",
    b"%2e%2e",
    b"$(touch x)",
    b"'; DROP TABLE drops; --",
    b"URGENT",
    b" ",
    b"con",
)


def hostile_names(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 9: such names of patients, folders and files; each patient keeps what is theirs."""
    hospital = Hospital(folder, weights)
    same = scans.png(0)
    for number, name in enumerate(NAMES):
        hospital.drop(name + b"/same.png", same)  # one content for all: a twin would show
        hospital.drop(b"files/" + name[-251:] + b".png", scans.png(100 + number))
        hospital.drop(b"folders/" + name + b"/deep/a.nii", b"none, deep %d" % number)
        hospital.drop(b"bad/" + name[-251:] + b".nii", b"no scan %d" % number)
    for number, content in enumerate(scans.dicom(1)):
        hospital.drop(b"study/" + NAMES[number + 8] + b"/" + NAMES[10 - number], content)
    hidden = [name for name in NAMES if name.startswith(b".")]
    hospital.waits = sum(3 + (len(name) <= 251) for name in hidden)
    hospital.fault(4 * len(NAMES))
    before = set(os.listdir(folder))
    hospital.drain()
    made = {name for name in set(os.listdir(folder)) - before if "sqlite" not in name}
    made -= {"outbox", "copies", "log.jsonl"}
    hospital.check(not made, f"made outside inbox and outbox: {made}")
    own = sum(1 for name in NAMES if name not in hidden)
    kept = len(list(hospital.outbox.glob("*/*/source/same.png")))
    hospital.check(kept == own, f"the same picture of {own} patients became {kept} scans")
    return settle(hospital, "hostile names")


def shown_alike(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 9b: a name that is not UTF-8, and the name that it is shown as, are two patients."""
    hospital = Hospital(folder, weights)
    for name in (b"not\xff\xfeutf8", b"not\\xff\\xfeutf8"):
        hospital.drop(name + b"/same.png", scans.png(0))
    hospital.fault(2)
    hospital.drain()
    kept = len(hospital.published())
    hospital.check(kept == 2, f"the same picture of 2 patients became {kept} scans")
    return settle(hospital, "two names that are shown alike")


def no_plain_files(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 10: links out of the inbox are not followed, special files not opened."""
    hospital = Hospital(folder, weights)
    secret = _outside(folder)
    inbox = hospital.inbox
    (inbox / "P").mkdir()
    (inbox / "P" / "link.png").symlink_to(secret / "a.png")
    (inbox / "P" / "folder").symlink_to(secret)
    (inbox / "patient").symlink_to(secret)
    (inbox / "P" / "loop").symlink_to(inbox)
    os.mkfifo(inbox / "P" / "fifo.png")
    os.mkfifo(inbox / "P" / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(inbox / "P" / "s.png"))
        os.link(secret / "hard.png", inbox / "P" / "hard.png")
        hospital.expect((secret / "hard.png").read_bytes())
        hospital.drop("P/a.png", scans.png(3))
        hospital.fault(7)
        hospital.drain()
    hospital.check(len(list(secret.iterdir())) == 2, "something was taken from outside the inbox")
    hospital.check(len(hospital.published()) == 2, f"{len(hospital.published())} results, not 2")
    return settle(hospital, "symlinks, hardlinks, FIFOs, sockets")


def swapped_folder(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 10b: while a scan is analyzed, its folder is moved away and a link put in its place."""
    hospital = Hospital(folder, weights)
    gate, secret = folder / "gate", folder / "moved"
    hospital.drop("P/x/a.png", scans.png(1))
    plan = {
        "at": "daemon.pipeline.worker_tasks:analyze_into",
        "do": "pause",
        "nth": 1,
        "gate": str(gate),
    }
    with hospital.once((plan,)) as daemon:
        hospital.check(until(gate.with_suffix(".reached").exists), "no scan was judged")
        (hospital.inbox / "P" / "x").rename(secret)
        (hospital.inbox / "P" / "x").symlink_to(secret)
        hospital.fault()
        gate.with_suffix(".open").touch()
        daemon.wait()
    hospital.check((secret / "a.png").exists(), "a file outside the inbox was removed")
    hospital.drain()
    return settle(hospital, "a folder swapped for a link")


def _outside(folder: Path) -> Path:
    secret = folder / "secret"
    secret.mkdir()
    (secret / "a.png").write_bytes(scans.png(1))
    (secret / "hard.png").write_bytes(scans.png(2))
    return secret


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {
    "6": truncations,
    "8": bombs,
    "9": hostile_names,
    "9b": shown_alike,
    "10": no_plain_files,
    "10b": swapped_folder,
}
