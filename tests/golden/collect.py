"""Everything that gliowatch gives out over two small hospitals, item by item."""

import io
import random
import re
import zipfile
from gzip import decompress
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests.golden.site import ROOT, Hospital, Reader
from tests.golden.steady import steady_dicom, steady_text

SAMPLES = ROOT / "samples" / "inbox"
SHARED = ROOT.parent / "shared" / "data"
JUDGED = "TCGA_CS_4944_20010208"  # the sample with a drawn mask
DRAWN = ROOT / "samples" / "reference" / f"{JUDGED}_seg.nii.gz"
PICTURE = "a-picture/TCGA_DU_5851_slice_19.png"
COMMANDS = (
    *(
        "init",
        "config",
        "run",
        "segment",
        "measure",
        "train",
        "evaluate",
        "bench",
        "queue",
        "users",
    ),
    "verify",
    *("export", "info", "records"),
)
STARTS = (
    *("/", "/?arrived=all", "/?sort=volume&dir=desc", "/?sort=patient&dir=asc", "/?state=review"),
    *("/patients/new", "/patients/deleted", "/upload/sent", "/not-there"),
)
API = ("openapi.json", "system", "worklist", "patients", "queue", "agreement")
LINK = re.compile(r'(?:href|src|hx-get|data-[a-z-]+)="(/[^"#]*)"')
NOT_FOLLOWED = re.compile(r"^/(logout|next|live|audit\.csv)|[?&](sort|state)=|/files/source-\d\d")

JUDGES_ALL = {
    "GLIOWATCH_MODEL__LEAST_FLAIR": "0",
    "GLIOWATCH_MODEL__FLAIR_NAMES": '["t2*"]',
    "GLIOWATCH_MODEL__OTHER_NAMES": '["dwi*"]',
}

Items = dict[str, str | bytes]


def collect_shipped(folder: Path) -> Items:
    """Of the samples, a file that is no scan, and a made-up second study of one patient."""
    hospital = Hospital(folder)
    for patient in sorted(SAMPLES.iterdir()):
        for scan in sorted(patient.iterdir()):
            hospital.drop(scan, patient.name)
    noise = folder / "noise.nii.gz"
    noise.write_bytes(random.Random(7).randbytes(5000))
    hospital.drop(noise, "BAD")
    items: Items = {"log of run --once": _once(hospital)}
    hospital.drop(_second_study(folder / "later"), "from-the-pacs")
    items["log of the second run --once"] = _once(hospital)
    return items | _all_of(hospital) | _asked(hospital)


def collect_shared(folder: Path) -> Items:
    """Of a real study with two series, an Enhanced MR file and a picture, beside the repository."""
    hospital = Hospital(folder)
    for series in ("brainix_flair", "brainix_epi"):
        hospital.drop(SHARED / "dicom" / series, "BRAINIX")
    _drop_unlike(hospital)
    items: Items = {"log of run --once": _once(hospital)}
    items |= _all_of(hospital)
    analyzed = Hospital(folder / "judges all", environment=JUDGES_ALL)
    _drop_unlike(analyzed)
    _once(analyzed)
    return items | {f"{name}, judged": item for name, item in _files(analyzed).items()}


def _drop_unlike(hospital: Hospital) -> None:
    """What is analyzed only where everything is: it is no axial FLAIR of a head."""
    hospital.drop(SHARED / "dicom" / "nema_enhanced_t2", "NEMA")
    hospital.drop(SHARED / "pictures" / "s_brats2021_00005_1086_flair.png", "PICTURE")


def _once(hospital: Hospital) -> str:
    return steady_text(hospital.command("run", "--once", *hospital.settings), hospital.swaps)


def _second_study(folder: Path) -> Path:
    """The DICOM sample a hundred days later, moved by two columns and a little darker."""
    folder.mkdir()
    for path in sorted((SAMPLES / "from-the-pacs" / "study").iterdir()):
        image = pydicom.dcmread(path)
        image.decompress(generate_instance_uid=False)
        moved = np.roll(image.pixel_array, 2, axis=1) * 0.97
        image.PixelData = moved.astype(np.uint16).tobytes()
        image.StudyDate = image.SeriesDate = "20200411"
        for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
            number = int(str(image[name].value).removeprefix("2.25."))
            image[name].value = UID(f"2.25.{number + 1}")
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(folder / path.name)
    return folder


def _all_of(hospital: Hospital) -> Items:
    """What lies in its outbox, and what its viewer shows before and after a review."""
    items = _files(hospital)
    with hospital.viewer() as reader:
        pages = _pages(reader, hospital)
        page = reader.get(f"/scans/{_a_scan(hospital)}")[1].decode()
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        form = hidden | {"decision": "accepted", "reason": "", "comment": "As seen."}
        head, body = reader.send(f"/scans/{_a_scan(hospital)}/reviews", form)
        text = head + "\n" + body.decode()
        pages["page after a review"] = steady_text(text, hospital.swaps)
    return items | pages


def _a_scan(hospital: Hospital) -> str:
    """The id of one analyzed scan: the last in the order of names."""
    return max(hospital.folder.glob("outbox/*/*/*_seg.*")).parent.name


def _files(hospital: Hospital) -> Items:
    items: Items = {}
    outbox = hospital.folder / "outbox"
    for path in sorted(outbox.rglob("*")):
        name = f"outbox {path.relative_to(outbox)}"
        if path.is_file() and "/source/" not in name:
            items |= _file(name, path, hospital.swaps)
    for path in sorted((hospital.folder / "inbox").rglob("*.reason.txt")):
        items[f"inbox {path.name}"] = path.read_bytes()
    items["outbox, all names"] = "\n".join(
        f"{path.relative_to(outbox)} {path.stat().st_mode:o}" for path in sorted(outbox.rglob("*"))
    )
    return items


def _file(name: str, path: Path, swaps: dict[str, str]) -> Items:
    """A file's bytes; and, to tell what of it changed, its pixels, voxels or DICOM elements."""
    if path.suffix == ".dcm":
        return {name: steady_dicom(str(path))}
    if path.suffix == ".json":
        return {name: steady_text(path.read_text("utf-8"), swaps)}
    items: Items = {name: path.read_bytes()}
    if path.suffix == ".png":
        with Image.open(path) as image:
            items[f"{name}, pixels"] = f"{image.mode} {image.size} ".encode() + image.tobytes()
    elif path.suffix == ".gz":
        items[f"{name}, unpacked"] = decompress(path.read_bytes())
    return items


def _pages(reader: Reader, hospital: Hospital) -> Items:
    """Every page, picture and script that a link leads to, and the lists of the API."""
    scans = sorted(path.name for path in hospital.folder.glob("outbox/*/*") if path.is_dir())
    waiting = [*STARTS, *(f"/api/v1/{name}" for name in API)]
    waiting += [f"/api/v1/scans/{scan}" for scan in scans]
    items: Items = {}
    seen = set(waiting)
    while waiting:
        path = waiting.pop(0)
        head, body = reader.get(path)
        name = "GET " + steady_text(path, hospital.swaps)
        items[name] = _body(path, head, body, hospital.swaps)
        if "text/html" in head:
            found = {link.replace("&amp;", "&") for link in LINK.findall(body.decode())}
            new = [link for link in found - seen if not NOT_FOLLOWED.search(link)]
            waiting += sorted(new, key=lambda link: steady_text(link, hospital.swaps))
            seen |= found
    return items


def _body(path: str, head: str, body: bytes, swaps: dict[str, str]) -> str | bytes:
    plain = path.partition("?")[0]
    if plain.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            return "\n".join([head, *packed.namelist()])
    if plain.endswith((".dcm", "report.json")):
        return head  # the body lies in the outbox
    if re.search(r"(?i)content-type: (text/html|application/json)", head):
        return steady_text(f"{head}\n{body.decode()}", swaps)
    return head.encode() + b"\n" + body


def _asked(hospital: Hospital) -> Items:
    """What the commands say that ask about a hospital."""
    asked = ("verify --json", "export", "queue list", "users list", "info --json")
    items = {each: hospital.command(*each.split(), *hospital.settings) for each in asked}
    return {name: steady_text(said, hospital.swaps) for name, said in items.items()}


def collect_commands(folder: Path) -> Items:
    """What the commands say and write that need no inbox, and the help of all."""
    hospital = Hospital(folder)
    scan = str(SAMPLES / JUDGED / f"{JUDGED}_flair.nii.gz")
    picture = str(SAMPLES / PICTURE)
    calls = {f"{each} --help": [each, "--help"] for each in COMMANDS}
    calls |= {
        "measure": ["measure", str(DRAWN)],
        "measure --json": ["measure", str(DRAWN), "--scan", scan, "--json"],
        "segment": ["segment", "--explain", picture, "-o", str(folder / "judged")],
        "segment --json": [
            *("segment", "--quality", "best", "--json", "-o", str(folder / "best")),
            *("--patient", "Somebody", picture, scan),
        ],
        "segment what is none": ["segment", str(folder / "settings.toml"), "-o", str(folder)],
    }
    said = {name: hospital.command(*words) for name, words in calls.items()}
    items: Items = {name: steady_text(text, hospital.swaps) for name, text in said.items()}
    return items | _evaluated(hospital) | _explained(folder)


def _explained(folder: Path) -> Items:
    pictures = (folder / "judged" / ".extra").rglob("*.png")
    items: Items = {}
    for path in sorted(pictures):
        items |= _file(f"segment --explain {path.name}", path, {})
    return items


def _evaluated(hospital: Hospital) -> Items:
    """The figures and the page of `evaluate` over the one sample with a drawn mask."""
    data = hospital.folder / "drawn" / JUDGED
    data.mkdir(parents=True)
    for path in (SAMPLES / JUDGED / f"{JUDGED}_flair.nii.gz", DRAWN):
        (data / path.name).write_bytes(path.read_bytes())
    figures, page = hospital.folder / "figures.json", hospital.folder / "figures.png"
    words = ("--data", str(data.parent), "--json", str(figures), "--page", str(page))
    said = hospital.command("evaluate", *words)
    items: Items = {"evaluate": steady_text(said, hospital.swaps)}
    items["evaluate --json"] = steady_text(figures.read_text(), {})
    return items | _file("evaluate --page", page, {})
