"""The words of a report, once: for the report, the PDF, the pictures and the viewer."""

from collections.abc import Mapping
from datetime import datetime

from daemon.outputs.catalogue import text, words
from daemon.report import Measurements, Report, Sized
from daemon.report_parts import Change, Lesion

SMALLEST_SHARE = 10  # per cent of a lesion in a lobe that is worth a word


def side_words(lesion: Lesion) -> str:
    """The side of a lesion, and how far it reaches across the head's midline."""
    side, crosses = lesion.side, lesion.crosses_midline
    if side == "midline" and crosses is False:
        return text("side_of.at_midline")
    if side in ("left", "right") and crosses:
        reach = lesion.across_midline_mm
        return text("side_of.crossing", side=text(f"side_of.{side}"), mm=reach)
    return text(f"side_of.{side}")


def position_words(lesion: Lesion) -> str:
    """Where in the brain its centre lies, by thirds; empty where that is not known."""
    depth, height = lesion.anterior_posterior, lesion.superior_inferior
    if depth is None or height is None:
        return ""
    return f"{text(f'depth.{depth}')}, {text(f'height.{height}')}"


def lobe_words(shares: Mapping[str, float] | None) -> str:
    """The lobes that hold a lesion, the largest share first; small shares are left out."""
    if not shares:
        return text("lobe.unknown")
    told = [(name, share) for name, share in shares.items() if share >= SMALLEST_SHARE]
    return ", ".join(text("lobe.share", lobe=name, percent=share) for name, share in told)


def main_lobe(lesion: Lesion) -> str:
    """The lobe that holds most of a lesion, with its share; empty where it is not determined."""
    shares = lesion.lobes
    if not shares:
        return ""
    name, share = next(iter(shares.items()))
    return text("lobe.share", lobe=words("lobe").get(name, name), percent=share)


def place_words(lesion: Lesion) -> str:
    """Reach across the midline, lobes and position of a lesion, as far as they are known."""
    across = lesion.across_midline_mm if lesion.crosses_midline else None
    reach = "" if across is None else text("report.across", mm=across)
    parts = (reach, lesion.lobe_words or text("lobe.unknown"), position_words(lesion))
    return "; ".join(part for part in parts if part)


def shift_words(measured: Measurements) -> str:
    """Where the brain's own midline was pushed to; empty if nowhere, or that is not known."""
    towards = measured.midline_shift_to
    if towards is None:
        return ""
    return text(f"report.shift_to_{towards}", mm=measured.midline_shift_mm)


def midline_words(measured: Measurements) -> str:
    """The midline shift; empty for a scan that shows too little to look for one."""
    if measured.midline_shift_score is None:
        return ""
    if measured.midline_shift_mm is None:
        return text("report.shift_unknown")
    return shift_words(measured) or text("report.no_shift")


FINDING_WORDS, OF_A_PART = words("finding"), words("finding_part")
SIDES, KINDS = words("side"), words("kind")
MOST_LESIONS = 6  # that have a picture and a line on paper; all stand in the report for machines
TIMES = " \u00d7 "
ISO_DAY = len("2026-05-12")
HASH_CHARACTERS = 12  # of a SHA-256 that people compare by eye
CORRECTED = "identity_corrected"  # code of a note
WHY_REVISED = (  # codes: of one revision alone
    *("late_files", "judged_again", "compared_again", CORRECTED),
)


def not_known() -> str:
    """What stands where a value would."""
    return text("report.not_known")


def finding_words(report: Report) -> str:
    """The answer in a few words; of an incomplete scan they do not speak of a whole."""
    return (OF_A_PART if report.is_incomplete else FINDING_WORDS)[report.finding]


def finding_sentence(report: Report) -> str:
    """What was found, in one sentence without patient data."""
    if report.finding == "not_judged":
        reasons = [note.message for note in report.quality]
        if not reasons:
            return text("report.not_analyzed")
        return text("report.not_analyzed_because", reason=reasons[0])
    what, shift = finding_words(report), shift_words(report)
    if report.finding == "no_tumor":
        key = "report.none_found_shift" if shift else "report.none_found"
        return text(key, what=what, shift=shift)
    first = report.lesions[0]
    where = "report.lesions_unknown" if first.side == "unknown" else "report.lesions_where"
    places = text(where, count=len(report.lesions), side=side_words(first))
    about = ", ".join(part for part in (places, main_lobe(first), diameter_words(first)) if part)
    size = " ".join(part for part in (size_words(report), _range_words(report)) if part)
    key = "report.found_shift" if shift else "report.found"
    return text(key, what=what, size=size, about=about, shift=shift)


def size_words(found: Sized) -> str:
    """The size of all lesions: ml where known, else the area in pixels or mm2."""
    if found.volume_ml is not None:
        return text("size.ml", ml=found.volume_ml)
    if found.area_mm2 is not None:
        return text("size.mm2_on_slices", mm2=found.area_mm2)
    return text("size.pixels_no_scale", count=found.area_px)


def _range_words(measured: Measurements) -> str:
    limits = measured.volume_ml_range
    return text("size.range_short", low=limits[0], high=limits[1]) if limits else ""


def diameter_words(lesion: Lesion) -> str:
    """The two in-plane diameters of a lesion, in mm where known, else in pixels."""
    if lesion.longest_diameter_mm is not None:
        longest, across = lesion.longest_diameter_mm, lesion.perpendicular_diameter_mm
        return text("size.diameters_mm", longest=longest, perpendicular=across)
    pixels, across_px = lesion.longest_diameter_px, lesion.perpendicular_diameter_px
    return text("size.diameters_pixels", longest=pixels, perpendicular=across_px)


def lesion_size(lesion: Lesion) -> str:
    """A lesion's volume where known, else its area."""
    if lesion.volume_ml is not None:
        return text("size.ml_fine", ml=lesion.volume_ml)
    if lesion.area_mm2 is not None:
        return text("size.mm2", mm2=lesion.area_mm2)
    if lesion.area_px is not None:
        return text("size.pixels", count=lesion.area_px)
    return not_known()


def confidence_words(measured: Measurements) -> str:
    """How well the mask should agree with a person's, or '' where that is not known."""
    confidence = measured.confidence
    return "" if confidence is None else text("report.confidence", dice=confidence)


def range_words(measured: Measurements) -> str:
    """The range in which the volume lies, or '' where the report gives none."""
    limits = measured.volume_ml_range
    if measured.volume_ml is None or limits is None:
        return ""
    return text("size.range", low=limits[0], high=limits[1])


def change_words(report: Report) -> str:
    """What became of it since the patient's scan before, or that there is none to compare."""
    return (report.change.words if report.change else "") or text("report.no_earlier")


def repeat_words(change: Change) -> str:
    """Whether a change is more than repeated measuring varies; '' where that is not known."""
    if change.beyond_repeat is None:
        return ""
    key = "change.beyond_repeat" if change.beyond_repeat else "change.within_repeat"
    return text(key, amount=repeat_amount(change))


def repeat_amount(change: Change) -> str:
    """By how much repeated measuring varies, in per cent if known; '' where nothing is known."""
    if change.repeat_percent is not None:
        return text("size.percent", percent=change.repeat_percent)
    return text("size.ml", ml=change.repeat_range_ml[1]) if change.repeat_range_ml else ""


def study_words(date: str, accession: str) -> str:
    """Date and accession number of a DICOM study, as far as they are known."""
    if not date:
        return text("report.accession", accession=accession) if accession else ""
    key = "report.study_of_accession" if accession else "report.study_of"
    return text(key, date=date, accession=accession)


def moment_words(moment: str | None) -> str:
    """An ISO 8601 time, to the minute: one with a zone as the time here, with the zone's name."""
    if not moment:
        return not_known()
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    if len(moment) == ISO_DAY:
        return moment
    if at.tzinfo is None:
        return text("date.moment", moment=at)
    return text("date.moment_here", moment=at.astimezone())


def network_words(report: Report) -> str:
    """Which network analyzed, with which weights; of a corrected mask, that it was so before."""
    used, mask = report.model, report.mask
    weights = (used.weights_sha256 or not_known())[:HASH_CHARACTERS]
    if mask:
        said = "report.network_corrected"
        return text(said, name=used.name, weights=weights, by=mask.by)
    return text("report.network", name=used.name, weights=weights)


def spacing_words(report: Report) -> str:
    """The voxel's size along the file's own axes."""
    spacing = report.input.spacing_mm or ()
    told = [value for value in spacing if value is not None]  # a picture has two
    if not told:
        return not_known()
    key = "report.spacing_entered" if report.spacing_entered else "report.spacing"
    return text(key, spacing=TIMES.join(f"{value:.2f}" for value in told))
