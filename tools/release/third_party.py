"""What of other people a site gets with gliowatch: installed packages, and files in the wheel."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from model.errors import GliowatchError

OURS = "gliowatch"
OF_DEVELOPERS = ("dev", "int8", "scale")  # extras that no site installs
LONGEST_NAME = 60  # of a licence; what is longer under `License` is its text
ROW = re.compile(r"^\| (`.+?`[^|]*) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


class MissingPart(GliowatchError):
    """A package that gliowatch can use is not installed here, so its licence is not known."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The package {name} is not installed here; make test installs all.")


@dataclass(frozen=True)
class Package:
    """One package; `is_optional`: only some sites install it, by an extra."""

    name: str
    version: str
    licence: str
    is_optional: bool
    needs: tuple[str, ...]


@dataclass(frozen=True)
class VendoredFiles:
    """Files of other people that the wheel holds, as a row of LICENSES.md tells them."""

    paths: tuple[str, ...]
    licence: str
    origin: str


def packages() -> list[Package]:
    """All packages that gliowatch needs here, and those of its extras for sites, by name.

    Raises MissingPart.
    """
    always = set(_needed((), {}))
    links: dict[str, tuple[str, ...]] = {}
    names = _needed(site_extras(), links)
    return [_package(name, links[name], is_optional=name not in always) for name in sorted(names)]


def needed_directly() -> tuple[str, ...]:
    """The packages that gliowatch itself names, those of extras for sites too."""
    return tuple(sorted({name for name, _ in _direct(OURS, site_extras())}))


def site_extras() -> tuple[str, ...]:
    """The extras that a site may install."""
    named = distribution(OURS).metadata.get_all("Provides-Extra") or []
    return tuple(extra for extra in named if extra not in OF_DEVELOPERS)


def _needed(extras: tuple[str, ...], links: dict[str, tuple[str, ...]]) -> set[str]:
    """The names of all that is needed; `links` gets what each of them needs itself."""
    found: set[str] = set()
    waiting = [(OURS, extras)]
    seen = set(waiting)
    while waiting:
        name, its_extras = waiting.pop()
        needs = sorted(_direct(name, its_extras))
        links[name] = tuple(sorted({*links.get(name, ()), *(each for each, _ in needs)}))
        found.update(each for each, _ in needs)
        fresh = [each for each in needs if each not in seen]
        seen.update(fresh)
        waiting += fresh
    return found


def _direct(name: str, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for text in _installed(name).requires or ():
        wanted = Requirement(text)
        marker = wanted.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(wanted.name), tuple(sorted(wanted.extras))


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise MissingPart(name) from error


def _package(name: str, needs: tuple[str, ...], *, is_optional: bool) -> Package:
    version = _installed(name).version.partition("+")[0]
    return Package(name, version, licence_of(name), is_optional, needs)


def licence_of(name: str) -> str:
    """The licence as the package's metadata name it; "" if they do not."""
    metadata = _installed(name).metadata
    for expression in metadata.get_all("License-Expression") or ():
        return str(expression)
    for stated in metadata.get_all("License") or ():
        if stated and len(stated) <= LONGEST_NAME and "\n" not in stated:
            return str(stated).removeprefix("OSI Approved :: ")
    kinds = metadata.get_all("Classifier") or ()
    return ", ".join(each.rpartition(" :: ")[2] for each in kinds if each.startswith("License :: "))


def vendored(licences: Path) -> list[VendoredFiles]:
    """The rows of LICENSES.md about files that the wheel holds."""
    rows: list[VendoredFiles] = []
    for what, licence, origin in ROW.findall(licences.read_text("utf-8")):
        above = rows[-1] if rows else None
        told = [_plain(each) for each in (licence, origin)]
        if above:
            told = [
                before if now == "as above" else now
                for now, before in zip(told, (above.licence, above.origin), strict=True)
            ]
        rows.append(VendoredFiles(tuple(re.findall(r"`([^`]+)`", what)), *told))
    inside = ("daemon/", "model/", "training/", "viewer/")
    return [row for row in rows if row.paths[0].startswith(inside)]


def _plain(text: str) -> str:
    """Without links and marks."""
    return re.sub(r" ?\(\[[^\]]*\]\([^)]*\)\)", "", text).replace("`", "").strip()
