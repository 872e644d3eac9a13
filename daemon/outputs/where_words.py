"""Where it lies, in words: side, reach across the midline, lobes, position, midline shift."""

from typing import Any

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


def side_words(lesion: dict[str, Any]) -> str:
    """The side of a lesion, and how far it reaches across the head's midline."""
    side, crosses = lesion["side"], lesion.get("crosses_midline")
    if side == "midline" and crosses is False:
        return "at the midline"
    if side in ("left", "right") and crosses:
        reach = lesion["across_midline_mm"]
        return f"mostly {SIDE_WORDS[side]} and {reach:.0f} mm across the midline"
    return SIDE_WORDS[side]


def position_words(lesion: dict[str, Any]) -> str:
    """Where in the brain its centre lies, by thirds; empty where that is not known."""
    depth, height = lesion.get("anterior_posterior"), lesion.get("superior_inferior")
    if depth is None or height is None:
        return ""
    return f"{DEPTH_WORDS[depth]} and {HEIGHT_WORDS[height]} in the brain"


def lobe_words(shares: dict[str, float] | None) -> str:
    """The lobes that hold a lesion, the largest share first; small shares are left out."""
    if not shares:
        return NO_LOBE
    told = [f"{name} {share:.0f} %" for name, share in shares.items() if share >= SMALLEST_SHARE]
    return ", ".join(told)


def main_lobe(lesion: dict[str, Any]) -> str:
    """The lobe that holds most of a lesion, with its share; empty where it is not determined."""
    shares = lesion.get("lobes")
    if not shares:
        return ""
    name, share = next(iter(shares.items()))
    return f"{LOBE_NAMES.get(name, name)} {share:.0f} %"


def place_words(lesion: dict[str, Any]) -> str:
    """Reach across the midline, lobes and position of a lesion, as far as they are known."""
    across = lesion.get("across_midline_mm") if lesion.get("crosses_midline") else None
    reach = "" if across is None else f"{across:.0f} mm across the midline"
    position = position_words(lesion).removesuffix(" in the brain")  # a table has little room
    parts = (reach, lesion.get("lobe_words", NO_LOBE), position)
    return "; ".join(part for part in parts if part)


def shift_words(report: dict[str, Any]) -> str:
    """Where the brain's own midline was pushed to; empty if nowhere, or that is not known."""
    towards = report.get("midline_shift_to")
    return "" if towards is None else f"{report['midline_shift_mm']:.0f} mm to the {towards}"


def midline_words(report: dict[str, Any]) -> str:
    """The midline shift; empty for a scan that shows too little to look for one."""
    if report.get("midline_shift_score") is None:
        return ""
    if report["midline_shift_mm"] is None:
        return "Midline shift: not determined"
    return f"Midline shift: {shift_words(report) or 'none of 3 mm or more'}"
