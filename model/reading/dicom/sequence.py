"""Which sequence a DICOM header tells: its numbers first, then its words.

A FLAIR is an inversion recovery whose inversion time nulls fluid (1.4 to 3.2 s at 0.5 to 7 T)
and whose echo time gives T2 weighting (Hajnal et al., J Comput Assist Tomogr 1992; De Coene et
al., AJNR 1992). A short inversion time is that of STIR or a T1-weighted series.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

from pydicom.dataset import Dataset

from model.reading.dicom.frames import number_of, text_of
from model.rules import RULES, FlairRules
from model.volume import Note, note

HEAD = re.compile(r"HEAD|BRAIN|SKULL|CRAN|NEURO|CEREB|ORBIT|PITUIT|KOPF|TETE|CABEZA|CERVEAU|ENCEF")
OTHER_PARTS = re.compile(
    r"SPINE|NECK|CHEST|THORAX|BREAST|HEART|ABDOMEN|LIVER|KIDNEY|PELVIS|PROSTATE|UTERUS|HIP"
    r"|SHOULDER|ARM|ELBOW|WRIST|HAND|LEG|THIGH|KNEE|ANKLE|FOOT|EXTREMITY|CALF"
)
FLAVORS = {  # the third value of an Enhanced MR ImageType (PS3.3 C.8.13.3.1.1), where it tells
    "FLUID_ATTENUATED": "flair",
    **dict.fromkeys(("T1", "T2_STAR", "PROTON_DENSITY", "STIR", "LOCALIZER", "FMRI"), "other"),
    **dict.fromkeys(("DIFFUSION", "PERFUSION", "ANGIO", "ANGIO_TIME", "TAGGING"), "other"),
}
DIFFUSION = 1.0  # s/mm2: from this b-value on a picture is diffusion weighted


class Sequence(StrEnum):
    """What the header says."""

    FLAIR = "flair"
    OTHER = "other"
    UNKNOWN = "unknown"


def sequence_of(header: Dataset, rules: FlairRules = RULES) -> Sequence:
    """What the acquisition's numbers say, then what people called it, then what is missing.

    A number may contradict the name; that one is absent may not, since exports drop them.
    """
    series = plain_words(header, "SeriesDescription")
    b_value = number_of(header, "DiffusionBValue") or 0
    if b_value >= DIFFUSION or has_word(series, rules.never_names):
        return Sequence.OTHER
    by_numbers = _by_numbers(header, rules)
    if by_numbers is not Sequence.UNKNOWN:
        return by_numbers
    if (flavor := FLAVORS.get(_flavor(header))) is not None:
        return Sequence(flavor)
    if has_word(series, rules.flair_names):
        return Sequence.FLAIR
    kinds = _kinds(header)
    shown = "EP" in kinds or number_of(header, "EchoTime") is not None
    if (kinds and "IR" not in kinds and shown) or has_word(series, rules.other_names):
        return Sequence.OTHER
    return _by_protocol(header, bool(series), rules)


def names_flair(header: Dataset, rules: FlairRules = RULES) -> bool:
    """Whether the series' own description says FLAIR, and not its numbers or protocol alone."""
    return has_word(plain_words(header, "SeriesDescription"), rules.flair_names)


def has_contrast(header: Dataset, rules: FlairRules = RULES) -> bool:
    """Whether the header says that a contrast agent had been given."""
    agent = plain_words(header, "ContrastBolusAgent")
    named = has_word(plain_words(header, "SeriesDescription"), rules.contrast_names)
    return named or agent not in ("", "no", "none", "n", "0")


def why_unfit(header: Dataset, rules: FlairRules = RULES) -> Note | None:
    """The reason not to analyze a series that its header says is no FLAIR of a head, or None."""
    part = text_of(header, "BodyPartExamined").upper()
    if OTHER_PARTS.search(part) and not HEAD.search(part):
        return note("not_head", "header_not_head")
    if sequence_of(header, rules) is Sequence.OTHER:
        return note("not_flair", "header_not_flair")
    return None


def plain_words(header: Dataset, tag: str) -> str:
    """A text of a header in small letters without accents, with single blanks between words."""
    text = unicodedata.normalize("NFKD", text_of(header, tag).casefold())
    bare = "".join(letter for letter in text if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", bare))


def has_word(words: str, names: Iterable[str]) -> bool:
    """Whether one of the names is among the words; "diff*" is any word that begins so."""
    return any(_pattern(name).search(words) for name in names)


def _pattern(name: str) -> re.Pattern[str]:
    if not name.isascii():  # in writing without blanks a name may stand anywhere
        return re.compile(re.escape(unicodedata.normalize("NFKD", name)))
    start = re.escape(name.removesuffix("*"))
    return re.compile(rf"\b{start}" + ("" if name.endswith("*") else r"\b"))


def _by_protocol(header: Dataset, has_name: bool, rules: FlairRules) -> Sequence:
    """A protocol's name may be that of the whole examination, so it is asked last."""
    protocol = plain_words(header, "ProtocolName")
    if has_word(protocol, rules.flair_names):
        return Sequence.FLAIR
    is_other = not has_name and has_word(protocol, rules.other_names)
    return Sequence.OTHER if is_other else Sequence.UNKNOWN


def _by_numbers(header: Dataset, rules: FlairRules) -> Sequence:
    inversion, echo = number_of(header, "InversionTime"), number_of(header, "EchoTime")
    if not inversion:
        return Sequence.UNKNOWN
    low, high = rules.inversion_ms
    fits = low <= inversion <= high and (echo is None or echo >= rules.shortest_echo_ms)
    return Sequence.FLAIR if fits else Sequence.OTHER


def _flavor(header: Dataset) -> str:
    """The third value of ImageType, or ""."""
    values = header.get("ImageType") or ()
    words = [values] if isinstance(values, str) else [str(value) for value in values]
    return words[2] if len(words) > 2 else ""


def _kinds(header: Dataset) -> set[str]:
    kinds = header.get("ScanningSequence") or ()
    return {kinds} if isinstance(kinds, str) else {str(kind) for kind in kinds}
