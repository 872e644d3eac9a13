"""Which of the files that came together are scans, and which lie beside one: by their names alone.

A study comes as a folder, as a CD with its viewer and pictures, as a case of a public data set
(BraTS: all names begin alike; BIDS: `sub-01_ses-1_FLAIR`), or as a zip of one of these. What
lies beside a scan is its companion: kept with it, told in its report, and never a scan itself.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from model.rules import Kind, is_archive, kind_by_name

OF_DICOM = b""  # what a companion of the DICOM files is beside
SIDECARS = (b".json", b".bval", b".bvec", b".txt")
DOCUMENTS = (  # endings that no export gives to DICOM files
    *(b".txt", b".json", b".bval", b".bvec", b".tsv", b".csv", b".xml", b".xsl", b".md", b".pdf"),
    *(b".doc", b".docx", b".xls", b".xlsx", b".rtf", b".htm", b".html", b".css", b".js", b".inf"),
    *(b".exe", b".dll", b".jar", b".ini", b".cfg", b".log", b".bat", b".sh", b".ico", b".gif"),
    *(b".bmp", b".svg", b".mat", b".lta", b".mp4", b".avi"),
)
DICOMDIR = b"dicomdir"  # the table of contents of a CD; it holds no picture itself
PAPERS = (b"readme", b"changes", b"license", b"citation.cff", DICOMDIR)
FLAIRS = {b"flair", b"t2f"}
MASKS = {
    *(b"seg", b"segm", b"segmentation", b"dseg", b"probseg", b"mask", b"masks", b"label"),
    *(b"labels", b"labelmap", b"roi", b"glistrboost"),
}
SEQUENCES = {
    *(b"t1", b"t1w", b"t1n", b"t1c", b"t1ce", b"t1gd", b"t1km", b"t2", b"t2w", b"t2star", b"pd"),
    *(b"pdw", b"dwi", b"adc", b"dti", b"swi", b"asl", b"bold", b"fa", b"md"),
}
# How folders are called that exports fill with pictures of their DICOM, and those of the DICOM.
_RENDERED = re.compile(
    rb"jpe?g|png|tif|bmp|pictur|im+ag|\bimg|thumb|view|screen|render|snap|bild|html|\bweb|ihe_pdi"
)
_OF_DICOM = re.compile(rb"dicom|dcm|^(?:pa|pt|st|se)\d{3,}$")
_BIDS = re.compile(rb"(sub-[^_]+(?:_ses-[^_]+)?)_(?:.+_)?([a-z0-9]+)")
_BETWEEN = re.compile(rb"[_\-. ]+")


@dataclass(frozen=True)
class _Name:
    """One file. stem: in small letters, without its ending; bids: its subject and session."""

    path: bytes

    @cached_property
    def folder(self) -> bytes:
        return os.path.dirname(self.path)

    @cached_property
    def base(self) -> bytes:
        return os.path.basename(self.path).lower()

    @cached_property
    def stem(self) -> bytes:
        return os.path.splitext(self.base.removesuffix(b".gz"))[0]

    @cached_property
    def kind(self) -> Kind:
        return kind_by_name(os.fsdecode(self.base))

    @cached_property
    def is_flair(self) -> bool:
        return self.kind is Kind.NIFTI and _BETWEEN.split(self.stem)[-1] in FLAIRS

    @cached_property
    def bids(self) -> bytes:
        found = _BIDS.fullmatch(self.stem) if self.kind is Kind.NIFTI else None
        return found[1] if found else b""

    def cuts(self) -> Iterator[tuple[bytes, set[bytes]]]:
        """Each beginning of the stem with the words that follow it, the longest one first."""
        for gap in reversed(list(_BETWEEN.finditer(self.stem))):
            yield self.stem[: gap.start()], set(_BETWEEN.split(self.stem[gap.end() :]))
        yield b"", set(_BETWEEN.split(self.stem))


def companions(paths: Sequence[bytes], top: bytes | None = None) -> dict[bytes, bytes]:
    """Of the files of one patient, or of one archive, those that lie beside a scan.

    The value is the path of that scan, or OF_DICOM. top: the patient's own folder, where a
    picture is always a scan; None for an archive, or a folder that is one scan.
    """
    names = [_Name(path) for path in paths]
    if all(name.kind is Kind.DICOM for name in names):
        return {}
    return dict(_Delivery(names, top).beside())


def is_document(name: bytes) -> bool:
    """Whether a name is that of a text or a program, and of no DICOM picture."""
    base = os.path.basename(name).lower()
    return base.endswith(DOCUMENTS) or base in PAPERS


@dataclass
class _Delivery:
    names: list[_Name]
    top: bytes | None
    cases: dict[bytes, bytes] = field(default_factory=dict)  # its folder, and its FLAIR
    above_cases: dict[bytes, bytes] = field(default_factory=dict)

    def beside(self) -> Iterator[tuple[bytes, bytes]]:
        """Each companion with what it is beside."""
        found = {n.path: scan for n in self.names if (scan := self._scan_beside(n)) is not None}
        self._find_cases(found)
        for name in self.names:
            if name.path not in found and (scan := self._in_case(name)) is not None:
                found[name.path] = scan
        for path, scan in found.items():
            while scan in found:  # the companion of a companion
                scan = found[scan]
            yield path, scan

    def _scan_beside(self, name: _Name) -> bytes | None:
        is_scan = name.kind is not Kind.DICOM
        if not is_scan and name.base.endswith(SIDECARS):
            return self.stems.get((name.folder, name.stem))
        if not is_scan or self._is_own(name):
            return None
        if name.kind is Kind.IMAGE:
            if self._is_near_dicom(name):
                return OF_DICOM
            alike = self.stems[name.folder, name.stem]
            return alike if not _is_picture(alike) else self._marked(name)
        if name.is_flair:
            return None
        scan = self._marked(name) or self._of_case(name)
        if scan is None and set(_BETWEEN.split(name.stem)) & MASKS and self._is_near_dicom(name):
            return OF_DICOM
        return scan

    def _is_own(self, name: _Name) -> bool:
        return name.kind is Kind.IMAGE and name.folder == self.top

    def _marked(self, name: _Name) -> bytes | None:
        """The scan beside it whose name a mask bears."""
        for beginning, words in name.cuts():
            scan = self.stems.get((name.folder, beginning))
            if scan is not None and words & MASKS and scan != name.path:
                return scan
        return None

    def _of_case(self, name: _Name) -> bytes | None:
        """The FLAIR of the case that another sequence, or a mask, is of."""
        if name.bids:
            return self.flairs.get((b"sub-", name.bids))
        for beginning, words in name.cuts():
            flair = self.flairs.get((name.folder, beginning))
            others = words & (SEQUENCES | MASKS)
            if flair is not None and (others if beginning else words == others):
                return flair
        return None

    @cached_property
    def stems(self) -> dict[tuple[bytes, bytes], bytes]:
        """The scan of each name in each folder; of two, a NIfTI file before a picture."""
        scans = [name for name in self.names if name.kind is not Kind.DICOM]
        scans.sort(key=lambda name: name.kind is Kind.NIFTI)
        return {(name.folder, name.stem): name.path for name in scans}

    @cached_property
    def flairs(self) -> dict[tuple[bytes, bytes], bytes]:
        """The first FLAIR of each case: by folder and how its name begins, or by its BIDS name."""
        found: dict[tuple[bytes, bytes], bytes] = {}
        for name in self.names:
            if name.is_flair:
                beginning = next(name.cuts())[0]
                key = (b"sub-", name.bids) if name.bids else (name.folder, beginning)
                found.setdefault(key, name.path)
        return found

    def _find_cases(self, found: dict[bytes, bytes]) -> None:
        """The folders of cases: where a FLAIR has other NIfTI files beside it, or a BIDS name."""
        with_others = {scan for path, scan in found.items() if _Name(path).kind is Kind.NIFTI}
        for name in self.names:
            if not name.is_flair or not (name.bids or name.path in with_others):
                continue
            folder = _folder_of_subject(name) if name.bids else name.folder
            self.cases.setdefault(folder, name.path)
            for above in _upwards(folder, self.top):
                self.above_cases.setdefault(above, name.path)

    def _in_case(self, name: _Name) -> bytes | None:
        """The FLAIR of the case in whose folder a picture, a mask or a document lies."""
        if is_document(name.path) and name.folder in self.above_cases:
            return self.above_cases[name.folder]
        is_mask = name.kind is Kind.NIFTI and set(_BETWEEN.split(name.stem)) & MASKS
        is_picture = name.kind is Kind.IMAGE and not self._is_own(name)
        if not (is_mask or is_picture or is_document(name.path)):
            return None
        inside = (self.cases.get(each) for each in _upwards(name.folder, self.top))
        return next((flair for flair in inside if flair is not None), None)

    def _is_near_dicom(self, name: _Name) -> bool:
        """Whether DICOM files, or a DICOMDIR, lie beside it, above it, or in the same delivery."""
        below, with_dicom = self._dicom
        upwards = list(_upwards(name.folder, self.top))
        if any(each in with_dicom for each in upwards):
            return True
        return (len(upwards) > 1 and upwards[-2] in below) or self._is_rendered(name, upwards[:-1])

    def _is_rendered(self, name: _Name, inside: Sequence[bytes]) -> bool:
        """Whether a folder of pictures lies beside the folder of DICOM that they show.

        Both are called so, or one of them is and each picture is named like a file of the other.
        """
        for folder in inside:
            is_called = bool(_RENDERED.search(os.path.basename(folder).lower()))
            path = _below(folder, name)
            for other in self._siblings.get(os.path.dirname(folder), set()) - {folder}:
                is_dicom = bool(_OF_DICOM.search(os.path.basename(other).lower()))
                is_alike = path in self._stems_of_dicom[other]
                if (is_called and (is_dicom or is_alike)) or (
                    is_dicom and is_alike and b"/" in path
                ):
                    return True
        return False

    @cached_property
    def _siblings(self) -> dict[bytes, set[bytes]]:
        """The folders that hold DICOM files at any depth, by the folder in which each lies."""
        found: dict[bytes, set[bytes]] = {}
        for folder in self._stems_of_dicom:
            found.setdefault(os.path.dirname(folder), set()).add(folder)
        return found

    @cached_property
    def _stems_of_dicom(self) -> dict[bytes, set[bytes]]:
        """Of each folder below the top the DICOM files at any depth, without their endings."""
        found: dict[bytes, set[bytes]] = {}
        for name in self.names:
            if _is_of_dicom(name) and name.base != DICOMDIR:
                for folder in list(_upwards(name.folder, self.top))[:-1]:
                    paths = _below(folder, name), _below(os.path.dirname(folder), name)
                    found.setdefault(folder, set()).update(paths)
        return found

    @cached_property
    def _dicom(self) -> tuple[set[bytes], set[bytes]]:
        """The folders below the top that hold DICOM files at any depth; those that hold them."""
        folders = {name.folder for name in self.names if _is_of_dicom(name)}
        chains = (list(_upwards(folder, self.top)) for folder in folders)
        return {chain[-2] for chain in chains if len(chain) > 1}, folders


def _is_of_dicom(name: _Name) -> bool:
    """Whether a file is DICOM by its name, or the table of contents of a CD."""
    if name.kind is not Kind.DICOM or is_archive(os.fsdecode(name.base)):
        return False
    return name.base == DICOMDIR or not is_document(name.path)


def _below(folder: bytes, name: _Name) -> bytes:
    """The path of a file below a folder that it lies in, in small letters, without its ending."""
    return os.path.splitext(os.path.relpath(name.path, folder).lower())[0]


def _folder_of_subject(name: _Name) -> bytes:
    """The folder `sub-01` that a BIDS file lies in, else its own."""
    subject = name.bids.split(b"_")[0]
    inside = (each for each in _upwards(name.folder, None) if os.path.basename(each) == subject)
    return next(inside, name.folder)


def _upwards(folder: bytes, top: bytes | None) -> Iterable[bytes]:
    """The folder and those that it lies in, up to the top."""
    yield folder
    while folder != (top or b"") and (above := os.path.dirname(folder)) != folder:
        folder = above
        yield folder


def _is_picture(path: bytes) -> bool:
    return kind_by_name(os.fsdecode(path)) is Kind.IMAGE
