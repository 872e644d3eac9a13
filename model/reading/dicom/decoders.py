"""Which library unpacks which transfer syntax: `CODECS` is the whole choice, by name.

pydicom by itself asks every library that it finds, an old OpenJPEG first. Here each frame goes to
one library alone, and one that is refused by it is refused: no damaged frame is shown around.
"""

import ctypes
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gdcm
from numpy.typing import NDArray
from openjpeg.utils import get_openjpeg_version
from PIL import features
from pydicom.dataset import Dataset
from pydicom.pixels.decoders import gdcm as by_gdcm
from pydicom.pixels.decoders import pillow as by_pillow
from pydicom.pixels.decoders import pyjpegls as by_pyjpegls
from pydicom.pixels.decoders import pylibjpeg as by_pylibjpeg
from pydicom.pixels.decoders import rle as by_pydicom
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

PLUGIN = "gliowatch"  # this module, among pydicom's decoders
END, PADDED_END = b"\xff\xd9", b"\x00\xff\xd9"  # of a JPEG stream

Decode = Callable[[bytes, DecodeRunner], bytes | bytearray]


@dataclass(frozen=True)
class Codec:
    """One row of the choice. fits: whether the library gives back the very voxels of a frame.

    package: as pip names it; inside: the library in it that does the work, with its version
    where it tells it.
    """

    name: str
    syntaxes: tuple[UID, ...]
    package: str
    decode: Decode
    inside: Callable[[], str]
    fits: Callable[[DecodeRunner], bool] = lambda runner: True


@dataclass(frozen=True)
class CodecInUse:
    """A row for people: what unpacks a codec here, and in which version."""

    codec: str
    library: str
    version: str
    inside: str


def _keeps_voxels(runner: DecodeRunner) -> bool:
    """Pillow makes colours of more than 8 bits coarser, and shifts numbers with a sign where the
    header says that there is none."""
    bits = runner.get_option("j2k_precision", runner.bits_stored)
    is_signed = runner.get_option("j2k_is_signed", runner.pixel_representation)
    fits_sign = not is_signed or runner.pixel_representation == 1
    return bool(fits_sign and bits <= (16 if runner.samples_per_pixel == 1 else 8))


def _jpeg_ls(src: bytes, runner: DecodeRunner) -> bytes | bytearray:
    """Some writers fill up a stream of an odd length before its end, not after: NEMA's own do."""
    try:
        return by_pyjpegls._decode_frame(src, runner)
    except RuntimeError:
        place = src.rfind(PADDED_END)
        if place < 0:
            raise
        return by_pyjpegls._decode_frame(src[:place] + END, runner)


def _charls() -> str:
    """CharLS tells its version to C alone."""
    found = find_spec("_CharLS")
    if found is None or found.origin is None:
        return "CharLS"
    tell = ctypes.CDLL(found.origin).charls_get_version_string
    tell.restype = ctypes.c_char_p
    return f"CharLS {tell().decode()}"


def _openjpeg() -> str:
    return f"OpenJPEG {'.'.join(map(str, get_openjpeg_version()))}"


_J2K = (JPEG2000Lossless, JPEG2000)
_HTJ2K = (HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
CODECS = (  # the first one that fits a frame unpacks it
    Codec("RLE", (RLELossless,), "pydicom", by_pydicom._decode_frame, lambda: "pydicom itself"),
    Codec(
        "JPEG of 8 bits",
        (JPEGBaseline8Bit, JPEGExtended12Bit),
        "pillow",
        by_pillow._decode_frame,
        lambda: f"libjpeg-turbo {features.version_feature('libjpeg_turbo')}",
    ),
    Codec(
        "JPEG lossless",
        (JPEGLossless, JPEGLosslessSV1),
        "python-gdcm",
        by_gdcm._decode_frame,
        lambda: f"GDCM {gdcm.Version.GetVersion()}",
    ),
    Codec("JPEG-LS", (JPEGLSLossless, JPEGLSNearLossless), "pyjpegls", _jpeg_ls, _charls),
    Codec(
        "JPEG 2000",
        _J2K,
        "pillow",
        by_pillow._decode_frame,
        lambda: f"OpenJPEG {features.version_codec('jpg_2000')}",
        _keeps_voxels,
    ),
    Codec(
        "JPEG 2000 that Pillow would change",
        _J2K,
        "pylibjpeg-openjpeg",
        by_pylibjpeg._decode_frame,
        _openjpeg,
    ),
    Codec(
        "High-Throughput JPEG 2000",
        _HTJ2K,
        "pylibjpeg-openjpeg",
        by_pylibjpeg._decode_frame,
        _openjpeg,
    ),
)
DECODER_DEPENDENCIES = {  # by this name pydicom asks for it
    syntax: (codec.package,) for codec in CODECS for syntax in codec.syntaxes
}


def is_available(uid: str) -> bool:
    """Whether a transfer syntax is in the table; pydicom asks it of every decoder."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes | bytearray:
    """One packed frame as bytes, by the library that the table names; pydicom calls it.

    The runner knows the header, and of JPEG 2000 what the packed frame itself says. Raises
    whatever the library raises.
    """
    return codec_of(runner).decode(src, runner)


def codec_of(runner: DecodeRunner) -> Codec:
    """The row of the table for one frame."""
    syntax = runner.transfer_syntax
    return next(codec for codec in CODECS if syntax in codec.syntaxes and codec.fits(runner))


def pictures(
    source: Path | Dataset,
    indices: Iterable[int] | None = None,
    correct_unused_bits: bool = True,
) -> Iterator[NDArray[Any]]:
    """The frames of a file, (rows, columns) or (rows, columns, samples), as they are stored.

    indices: which frames, from 0; all by default. correct_unused_bits: whether pydicom masks what
    stands above BitsStored. Raises many kinds of exceptions, as pydicom and the libraries do.
    """
    return iter_pixels(
        source,
        indices=indices,
        decoding_plugin=PLUGIN,
        correct_unused_bits=correct_unused_bits,
    )


def codecs_in_use() -> tuple[CodecInUse, ...]:
    """The table as it is installed here, with the versions that the libraries tell."""
    return tuple(
        CodecInUse(codec.name, codec.package, version(codec.package), codec.inside())
        for codec in CODECS
    )


for _syntax in DECODER_DEPENDENCIES:
    if PLUGIN not in (_decoder := get_decoder(_syntax)).available_plugins:
        _decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
