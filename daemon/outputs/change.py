"""What changed since the patient's scan before: as it stands in a report, and in words."""

from typing import Any

from model.measurement.change import Change
from model.volume import Affine

DIFFERS_WORDS = {
    "scale": "a file does not declare its millimetres",
    "spacing": "other voxel sizes",
    "plane": "another plane of the slices",
    "network": "another network or threshold",
    "corrected": "a person corrected one of the masks",
}


def change_object(
    change: Change, prior: dict[str, Any], prior_revision: int, prior_at: str
) -> dict[str, Any]:
    """The report's `change`: null where it is not known. prior: the report of the earlier scan."""
    told = {
        "prior_scan_id": prior["scan_id"],
        "prior_revision": prior_revision,
        "prior_acquired_at": prior_at,
        "days": round(change.days, 2),
        "volume_ml": round(change.volume_ml, 4),
        "volume_percent": _rounded(change.volume_percent),
        "longest_diameter_mm": round(change.longest_mm, 2),
        "longest_diameter_percent": _rounded(change.longest_percent),
        "volume_ml_per_30_days": _rounded(change.volume_ml_per_30_days),
        "ranges_overlap": change.ranges_overlap,
        "new_lesions": _listed(change.new_lesions),
        "gone_lesions": _listed(change.gone_lesions),
        "comparable": change.comparable,
        "measured_differently": list(change.differs),
        "registered": change.registered,
        "to_prior_ras_mm": _matrix(change.to_earlier),
    }
    return told | {"words": change_sentence(told)}


def change_sentence(change: dict[str, Any]) -> str:
    """The change in plain sentences; never a category of response."""
    words = [
        f"FLAIR change vs prior of {change['prior_acquired_at'][:10]} ({_days(change['days'])}):"
        f" {change['volume_ml']:+.1f} ml{_percent(change['volume_percent'])},"
        f" longest diameter {change['longest_diameter_mm']:+.0f} mm"
        f"{_percent(change['longest_diameter_percent'])}."
    ]
    if change["volume_ml_per_30_days"] is not None:
        words.append(f"That is {change['volume_ml_per_30_days']:+.1f} ml in 30 days.")
    if change["ranges_overlap"]:
        words.append("The ranges of both volumes overlap.")
    words += _lesion_words(change)
    if change["measured_differently"]:
        why = ", ".join(DIFFERS_WORDS[code] for code in change["measured_differently"])
        words.append(f"Measured differently: {why}.")
    return " ".join(words)


def _lesion_words(change: dict[str, Any]) -> list[str]:
    if change["new_lesions"] is None or change["gone_lesions"] is None:
        return ["The scans could not be brought into line: lesions were not matched."]
    named = (("New lesions", change["new_lesions"]), ("Lesions gone", change["gone_lesions"]))
    return [f"{label}: {len(lesions)}." for label, lesions in named if lesions]


def _days(days: float) -> str:
    if days < 1:
        return "less than a day"
    return "1 day" if round(days) == 1 else f"{days:.0f} days"


def _percent(value: float | None) -> str:
    return "" if value is None else f" ({value:+.0f} %)"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _matrix(affine: Affine | None) -> list[list[float]] | None:
    return None if affine is None else [[round(float(value), 6) for value in row] for row in affine]


def _listed(numbers: tuple[int, ...] | None) -> list[int] | None:
    return None if numbers is None else list(numbers)
