"""Real slices in every transfer syntax that is read, and ways to damage them."""

import io
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from tests.conftest import SAMPLES
from tests.model.reading.dicom.test_properties import as_big_endian, pack

STUDY = SAMPLES / "from-the-pacs" / "study"
SLICES = 5
SIDE = 96  # pixels: the middle of each slice, so that more can be tried
PIXELS = b"\xe0\x7f\x10\x00"  # the tag of the pixels, little endian
NUMBERS = {  # elements of the header that decoders follow, as they stand in a little-endian file
    "rows": b"\x28\x00\x10\x00",
    "columns": b"\x28\x00\x11\x00",
    "samples": b"\x28\x00\x02\x00",
    "bits allocated": b"\x28\x00\x00\x01",
    "bits stored": b"\x28\x00\x01\x01",
    "representation": b"\x28\x00\x03\x01",
}
ODD = (0, 1, 2, 7, 8, 9, 16, 24, 32, 64, 255, 4096, 32767, 65535)
OLD_PATIENT, PLAIN = b"FUZZ-0000000", "1.2.826.0.1.3680043.8.498.77"


@dataclass(frozen=True)
class Seed:
    """The slices of one study in one packing, whole."""

    packing: str
    slices: tuple[bytes, ...]

    def numbered(self, number: int) -> tuple[bytes, ...]:
        """The same as the study of another patient, byte for byte as long."""
        patient, study = f"FUZZ-{number:07d}".encode(), _uid(number).encode()
        return tuple(
            each.replace(OLD_PATIENT, patient).replace(_uid(0).encode(), study)
            for each in self.slices
        )


def _uid(number: int) -> str:
    return f"{PLAIN}.1{number:07d}"


@cache
def seeds() -> tuple[Seed, ...]:
    """Slices of the FLAIR among the samples in every packing, made once."""
    plain = _plain_slices()
    in_gdcm = ("JPEG lossless", "JPEG-LS", "JPEG 2000", "deflated")
    in_pydicom = {"RLE": RLELossless, "JPEG-LS": JPEGLSLossless, "JPEG 2000": JPEG2000Lossless}
    made = [Seed("explicit", plain)]
    with TemporaryDirectory() as folder:
        place = Path(folder) / "slice"
        for name in in_gdcm:
            made.append(
                Seed(f"{name} (GDCM)", tuple(_by_gdcm(each, name, place) for each in plain))
            )
        for name, syntax in in_pydicom.items():
            made.append(Seed(name, tuple(_by_pydicom(each, syntax) for each in plain)))
        made.append(Seed("implicit", tuple(_by_gdcm(each, "implicit", place) for each in plain)))
        made.append(Seed("big endian", tuple(_big(each, place) for each in plain)))
        made.append(Seed("JPEG of 8 bits", tuple(map(_as_jpeg, plain))))
    return tuple(made)


def _plain_slices() -> tuple[bytes, ...]:
    found = [pydicom.dcmread(file) for file in STUDY.iterdir()]
    flair = [image for image in found if "tirm" in str(image.SeriesDescription)]
    flair.sort(key=lambda image: int(image.InstanceNumber))
    middle = flair[len(flair) // 2 - 2 :][:SLICES]
    return tuple(map(_plain, middle))


def _plain(image: FileDataset) -> bytes:
    image.decompress(decoding_plugin="pillow", generate_instance_uid=False)
    middle = image.pixel_array[80 : 80 + SIDE, 56 : 56 + SIDE]
    image.Rows, image.Columns, image.PixelData = *middle.shape, middle.tobytes()
    image.PatientID, image.PatientName = OLD_PATIENT.decode(), "Fuzz"
    image.StudyInstanceUID = image.FrameOfReferenceUID = image.SeriesInstanceUID = _uid(0)
    image.SOPInstanceUID = f"{_uid(0)}.{int(image.InstanceNumber)}"
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    return _bytes(image)


def _bytes(image: FileDataset) -> bytes:
    stream = io.BytesIO()
    image.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _by_gdcm(content: bytes, packing: str, place: Path) -> bytes:
    place.write_bytes(content)
    pack(place, packing)
    return place.read_bytes()


def _by_pydicom(content: bytes, syntax: UID) -> bytes:
    image = pydicom.dcmread(io.BytesIO(content))
    image.compress(syntax, generate_instance_uid=False)
    return _bytes(image)


def _big(content: bytes, place: Path) -> bytes:
    place.write_bytes(content)
    as_big_endian(place)
    return place.read_bytes()


def _as_jpeg(content: bytes) -> bytes:
    image = pydicom.dcmread(io.BytesIO(content))
    pixels, packed = image.pixel_array, io.BytesIO()
    grey = (pixels / max(1, pixels.max()) * 255).astype(np.uint8)
    Image.fromarray(grey).save(packed, "JPEG")
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.PixelData = encapsulate([packed.getvalue()])
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return _bytes(image)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The same file with one to four faults, mostly in what a decoder is given."""
    broken = bytearray(content)
    begin = broken.rfind(PIXELS)
    begin = begin if begin > 0 else len(broken) // 3
    for _ in range(chance.choice((1, 1, 2, 4))):
        _strike(broken, min(begin, len(broken) - 1), chance)
    return bytes(broken)


def _strike(broken: bytearray, begin: int, chance: random.Random) -> None:
    """One fault. The first hundred bytes after the pixels' tag say how they are packed."""
    end = len(broken)
    place = chance.randrange(begin, end)
    match chance.randrange(8):
        case 0:
            broken[place] ^= 1 << chance.randrange(8)
        case 1 | 2:
            place = min(begin + chance.randrange(8, 120), end - 1)
            broken[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, chance.randrange(256)))
        case 3:
            length = min(chance.choice((2, 16, 256, 4096)), end - place)
            filling = chance.choice((b"\0", b"\xff", None))
            broken[place : place + length] = (
                chance.randbytes(length) if filling is None else filling * length
            )
        case 4:
            del broken[place : place + chance.choice((1, 3, 64, 2048))]
        case 5:
            piece = bytes(broken[place : place + 512])
            other = chance.randrange(begin, end)
            broken[other:other] = piece
        case 6:
            del broken[place:]
        case _:
            _misstate(broken, chance)


def _misstate(broken: bytearray, chance: random.Random) -> None:
    """Another number in the header, where it stands in the clear: size, bits, samples."""
    place = broken.find(chance.choice(list(NUMBERS.values())))
    if 0 < place < len(broken) - 10:
        broken[place + 8 : place + 10] = chance.choice(ODD).to_bytes(2, "little")
