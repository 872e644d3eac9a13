"""Errors whose text is one sentence that a nurse can read, without patient data or file names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class GliowatchError(Exception):
    """Base of every error that a person is meant to read; `str(error)` is the sentence."""


class NoSuchSlice(GliowatchError):
    """The slice that was asked for is not there."""


class UnreadableScan(GliowatchError):
    """The dropped files cannot be turned into a volume; the sentence says why."""


class WeightsError(GliowatchError):
    """The network's weights are missing, damaged, or of another network."""


class MaskError(GliowatchError):
    """A mask that was given for measuring is not a binary mask, or lies on another grid."""


@contextmanager
def naming(path: Path, setting: str = "") -> Iterator[None]:
    """For the command line: an error's sentence inside begins with the path that it is about.

    setting: the one that names the path, '' where the path was typed.
    """
    try:
        yield
    except GliowatchError as error:
        told = f"{setting}, {path}" if setting else f"{path}"
        raise type(error)(f"{told}: {error}") from error
