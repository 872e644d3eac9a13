"""The words of a report, once: for the report, the PDF, the pictures and the viewer."""

from collections.abc import Mapping

from daemon.report import Measurements, Report, Sized
from daemon.report_parts import Lesion

NO_LOBE = "lobe not determined"
SMALLEST_SHARE = 10  # per cent of a lesion in a lobe that is worth a word
LOBE_NAMES = {
    "frontal": "frontal lobe",
    "parietal": "parietal lobe",
    "temporal": "temporal lobe",
    "occipital": "occipital lobe",
    "deep": "deep grey matter",
}
SIDE_WORDS = {
    "left": "on the patient's left",
    "right": "on the patient's right",
    "midline": "across the midline",
    "unknown": "side not known",
}
DEPTH_WORDS = {
    "anterior": "in front",
    "middle": "midway from front to back",
    "posterior": "at the back",
}
HEIGHT_WORDS = {"superior": "high up", "middle": "at middle height", "inferior": "low down"}


def side_words(lesion: Lesion) -> str:
    """The side of a lesion, and how far it reaches across the head's midline."""
    side, crosses = lesion.side, lesion.crosses_midline
    if side == "midline" and crosses is False:
        return "at the midline"
    if side in ("left", "right") and crosses:
        reach = lesion.across_midline_mm
        return f"mostly {SIDE_WORDS[side]} and {reach:.0f} mm across the midline"
    return SIDE_WORDS[side]


def position_words(lesion: Lesion) -> str:
    """Where in the brain its centre lies, by thirds; empty where that is not known."""
    depth, height = lesion.anterior_posterior, lesion.superior_inferior
    if depth is None or height is None:
        return ""
    return f"{DEPTH_WORDS[depth]} and {HEIGHT_WORDS[height]} in the brain"


def lobe_words(shares: Mapping[str, float] | None) -> str:
    """The lobes that hold a lesion, the largest share first; small shares are left out."""
    if not shares:
        return NO_LOBE
    told = [f"{name} {share:.0f} %" for name, share in shares.items() if share >= SMALLEST_SHARE]
    return ", ".join(told)


def main_lobe(lesion: Lesion) -> str:
    """The lobe that holds most of a lesion, with its share; empty where it is not determined."""
    shares = lesion.lobes
    if not shares:
        return ""
    name, share = next(iter(shares.items()))
    return f"{LOBE_NAMES.get(name, name)} {share:.0f} %"


def place_words(lesion: Lesion) -> str:
    """Reach across the midline, lobes and position of a lesion, as far as they are known."""
    across = lesion.across_midline_mm if lesion.crosses_midline else None
    reach = "" if across is None else f"{across:.0f} mm across the midline"
    position = position_words(lesion).removesuffix(" in the brain")  # a table has little room
    parts = (reach, lesion.lobe_words or NO_LOBE, position)
    return "; ".join(part for part in parts if part)


def shift_words(measured: Measurements) -> str:
    """Where the brain's own midline was pushed to; empty if nowhere, or that is not known."""
    towards = measured.midline_shift_to
    return "" if towards is None else f"{measured.midline_shift_mm:.0f} mm to the {towards}"


def midline_words(measured: Measurements) -> str:
    """The midline shift; empty for a scan that shows too little to look for one."""
    if measured.midline_shift_score is None:
        return ""
    if measured.midline_shift_mm is None:
        return "Midline shift: not determined"
    return f"Midline shift: {shift_words(measured) or 'none of 3 mm or more'}"


NOT_KNOWN = "Not known"
NOTHING_DOUBTFUL = "Nothing doubtful was seen."
ELSEWHERE = "{count} more: see the report in JSON."
NO_EARLIER = "No earlier scan to compare."
RANGE_MEANING = "meant to hold the drawn volume in nine of ten scans"
SIDES = {"left": "Left", "right": "Right", "midline": "Midline", "unknown": NOT_KNOWN}
KINDS = {"nifti": "NIfTI", "image": "Picture", "dicom": "DICOM"}
MOST_LESIONS = 6  # that have a picture and a line on paper; all stand in the report for machines
HASH_CHARACTERS = 12  # of a SHA-256 that people compare by eye
RESEARCH_USE = "Research use only. Not a diagnosis."
FOOT = f"{RESEARCH_USE} FLAIR shows tumor and edema together, and tells neither kind nor grade."
FILED_TWICE = "The same scan is filed under another patient as well."
IDENTITY_CONFLICT = (
    "The patient is in doubt: two PatientIDs lie under one folder, or one under two folders."
)
LATE_FILES = "Files of this study came later: this result replaces the one before."
JUDGED_AGAIN = "Judged again in another way: this result replaces the one before."
COMPARED_AGAIN = (
    "The date of this scan, or another scan of the patient, has changed: this result replaces the"
    " one before; mask and pictures are as before."
)
CORRECTED = "The mask was corrected by {name}."
DATE_ENTERED = "The date was entered by a person: the file does not say when it was acquired."
WHY_REVISED = ("late_files", "judged_again", "compared_again")  # codes: of one revision alone
GROWTH_TITLE = "FLAIR abnormality (whole tumor): volume over time"
FINDING_WORDS = {
    "tumor": "FLAIR abnormality (whole tumor)",
    "no_tumor": "No FLAIR abnormality found",
    "not_judged": "Not judged",
}


def finding_sentence(report: Report) -> str:
    """What was found, in one sentence without patient data."""
    if report.finding == "not_judged":
        reasons = report.sentences
        return f"Not judged. {reasons[0]}" if reasons else "Not judged."
    shift = shift_words(report)
    if report.finding == "no_tumor":
        seen = "No FLAIR abnormality was found"
        return f"{seen}, but the midline is shifted {shift}." if shift else f"{seen}."
    first = report.lesions[0]
    count = len(report.lesions)
    places = "one lesion" if count == 1 else f"{count} lesions, the largest"
    parts = [
        f"{places}{',' if first.side == 'unknown' else ''} {side_words(first)}",
        main_lobe(first),
        diameter_words(first),
    ]
    return (
        f"FLAIR abnormality (whole tumor): {size_words(report)}{_range_words(report)},"
        f" {', '.join(part for part in parts if part)}"
        f"{f'; midline shifted {shift}' if shift else ''}."
    )


def size_words(found: Sized) -> str:
    """The size of all lesions: ml where known, else the area in pixels or mm2."""
    if found.volume_ml is not None:
        return f"{found.volume_ml:.1f} ml"
    if found.area_mm2 is not None:
        return f"{found.area_mm2:.0f} mm\u00b2 on the slices given, volume not known"
    return f"{found.area_px} pixels, no scale"


def _range_words(measured: Measurements) -> str:
    limits = measured.volume_ml_range
    return f" ({limits[0]:.1f} to {limits[1]:.1f})" if limits else ""


def diameter_words(lesion: Lesion) -> str:
    """The two in-plane diameters of a lesion, in mm where known, else in pixels."""
    if lesion.longest_diameter_mm is not None:
        return f"{lesion.longest_diameter_mm:.0f} x {lesion.perpendicular_diameter_mm:.0f} mm"
    return f"{lesion.longest_diameter_px:.0f} x {lesion.perpendicular_diameter_px:.0f} pixels"


def lesion_size(lesion: Lesion) -> str:
    """A lesion's volume where known, else its area."""
    if lesion.volume_ml is not None:
        return f"{lesion.volume_ml:.2f} ml"
    if lesion.area_mm2 is not None:
        return f"{lesion.area_mm2:.0f} mm\u00b2"
    if lesion.area_px is not None:
        return f"{lesion.area_px} pixels"
    return NOT_KNOWN


def confidence_words(measured: Measurements) -> str:
    """How well the mask should agree with a person's, or '' where that is not known."""
    confidence = measured.confidence
    return "" if confidence is None else f"expected Dice {confidence:.2f}"


def range_words(measured: Measurements) -> str:
    """The range in which the volume lies, or '' where the report gives none."""
    limits = measured.volume_ml_range
    if measured.volume_ml is None or limits is None:
        return ""
    return f"{limits[0]:.1f} to {limits[1]:.1f} ml"


def change_words(report: Report) -> str:
    """What became of it since the patient's scan before, or that there is none to compare."""
    return (report.change.words if report.change else "") or NO_EARLIER


def study_words(date: str, accession: str) -> str:
    """Date and accession number of a DICOM study, as far as they are known."""
    parts = (("Study of ", date), ("accession ", accession))
    words = ", ".join(f"{label}{value}" for label, value in parts if value)
    return words[:1].upper() + words[1:]


def moment_words(moment: str | None) -> str:
    """An ISO 8601 time, to the minute."""
    return moment[:16].replace("T", " ") if moment else NOT_KNOWN


def network_words(report: Report) -> str:
    """Which network judged, with which weights; of a corrected mask, that it was so before."""
    used, mask = report.model, report.mask
    said = f"{used.name}, weights {(used.weights_sha256 or NOT_KNOWN)[:HASH_CHARACTERS]}"
    return f"{said}; then corrected by {mask.by}" if mask else said


def spacing_words(report: Report) -> str:
    """The voxel's size along the file's own axes."""
    spacing = report.input.spacing_mm or ()
    told = [value for value in spacing if value is not None]  # a picture has two
    if not told:
        return NOT_KNOWN
    by = ", entered by a person" if report.spacing_entered else ""
    return f"{' x '.join(f'{value:.2f}' for value in told)} mm{by}"
