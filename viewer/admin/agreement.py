"""The page on how people agree with the network's masks: the site's own accuracy."""

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from aiohttp import web

from daemon.index.people.reviews import (
    CorrectedMask,
    corrected_masks,
    judged_by_month,
    last_words,
    people,
    rejected_masks,
)
from daemon.index.scans import find_scan
from daemon.outputs.wording import HASH_CHARACTERS, NOT_KNOWN, moment_words
from daemon.records import reviews
from daemon.records.reviews import FEW, Difference, Tally
from viewer.lookups import known_patients
from viewer.scans.reviews import REASONS
from viewer.sessions import INDEX, RECORDS
from viewer.templating import render

MOST_LISTED = 10
NOTHING = "Nobody has reviewed a mask of the network yet."


@dataclass(frozen=True)
class Case:
    """One mask in a list: a link to its scan, whose it is, when and by whom, and what about it."""

    scan_id: str
    patient: str
    at: str
    by: str
    about: str


@dataclass(frozen=True)
class Person:
    """How often somebody accepted, rejected, asked for a correction, and corrected."""

    name: str
    accepted: int = 0
    rejected: int = 0
    needs_correction: int = 0
    corrected: int = 0


async def show_agreement(request: web.Request) -> web.StreamResponse:
    """`/agreement`: counts, Dice and volumes, all of them noted when they came, none made here."""
    records = request.app[RECORDS]
    words, corrected = await last_words(records), await corrected_masks(records)
    judged = await judged_by_month(request.app[INDEX])
    rejected = await rejected_masks(records, MOST_LISTED)
    months = reviews.by_month(words, corrected)
    networks = reviews.by_network(words, corrected)
    values = {
        "title": "Agreement",
        "section": "agreement",
        "sentence": sentence(reviews.overall(words, corrected)),
        "few": FEW,
        "corrected": len(corrected),
        "months": [(each, judged.get(each.name, 0)) for each in months],
        "networks": [replace(each, name=network_name(each.name)) for each in networks],
        "difference": difference_words(reviews.difference_of(corrected)),
        "worst": await _cases(
            request,
            [
                (mask.scan_id, mask.at, mask.by, about_mask(mask))
                for mask in reviews.worst(corrected, MOST_LISTED)
            ],
        ),
        "rejected": await _cases(
            request,
            [
                (mask.scan_id, mask.at, mask.by, REASONS.get(mask.reason, "No reason given"))
                for mask in rejected
            ],
        ),
        "people": await _people(request),
        "points": points(corrected),
    }
    return render(request, "agreement.html", values)


def sentence(whole: Tally) -> str:
    """What became of all masks that people looked at; no share of a few."""
    if not whole.reviewed:
        return NOTHING
    said = (
        f"accepted {whole.accepted}, corrected {whole.corrected}, rejected {whole.rejected},"
        f" still to be corrected {whole.needs_correction}"
    )
    if whole.reviewed < FEW:
        noun = "mask was" if whole.reviewed == 1 else "masks were"
        return (
            f"{whole.reviewed} {noun} reviewed ({said}): too few to tell how good the network is."
        )
    share = 100 * whole.accepted / whole.reviewed
    return f"{share:.0f} % of {whole.reviewed} reviewed masks were accepted as they were ({said})."


def difference_words(difference: Difference | None) -> str:
    """How far the network's volumes are off, where people corrected them."""
    if difference is None:
        return "No corrected mask has a volume yet."
    more = "more" if difference.mean >= 0 else "less"
    said = f"On average the network marked {abs(difference.mean):.1f} ml {more} than the person"
    if difference.limits is None:
        return f"{said}; from {difference.count} corrected masks that is too few to tell."
    low, high = difference.limits
    return f"{said}; 95 % of such differences lie between {low:+.1f} and {high:+.1f} ml."


def about_mask(mask: CorrectedMask) -> str:
    """Dice and both volumes of a corrected mask."""
    if mask.model_ml is None or mask.corrected_ml is None:
        return f"Dice {mask.dice:.2f}"
    return f"Dice {mask.dice:.2f}, {mask.model_ml:.1f} ml became {mask.corrected_ml:.1f} ml"


def network_name(weights: str) -> str:
    """A network by the beginning of its weights' hash."""
    return weights[:HASH_CHARACTERS] or NOT_KNOWN


def points(corrected: list[CorrectedMask]) -> str:
    """The chart's data as JSON: of each network its name, Unix seconds and Dice."""
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for mask in corrected:
        at = datetime.fromisoformat(mask.at).timestamp()
        series[network_name(mask.weights)].append((at, mask.dice))
    return json.dumps([{"name": name, "points": series[name]} for name in series])


async def _cases(request: web.Request, told: list[tuple[str, str, str, str]]) -> list[Case]:
    """Whose scans they are; one that the index does not know is left out."""
    scans = {scan_id: await find_scan(request.app[INDEX], scan_id) for scan_id, *_ in told}
    known = [scan.patient_id for scan in scans.values() if scan]
    patients = await known_patients(request, known)
    return [
        Case(
            scan_id, patients[scan.patient_id].name or scan.patient_id, moment_words(at), by, about
        )
        for scan_id, at, by, about in told
        if (scan := scans[scan_id])
    ]


async def _people(request: web.Request) -> list[Person]:
    found: dict[str, dict[str, int]] = {}
    for each in await people(request.app[RECORDS]):
        person = found.setdefault(each.name, {})
        person["corrected" if each.decision is None else each.decision.value] = each.count
    names = sorted(found, key=str.casefold)
    return [Person(name, **found[name]) for name in names]
