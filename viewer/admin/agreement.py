"""The page on how people agree with the network's masks: the site's own accuracy."""

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from aiohttp import web

from daemon.index.people.reviews import (
    CorrectedMask,
    analyzed_by_month,
    corrected_masks,
    last_words,
    people,
    rejected_masks,
)
from daemon.index.scans import find_scan
from daemon.outputs.catalogue import text
from daemon.outputs.wording import HASH_CHARACTERS, moment_words, not_known
from daemon.records import reviews
from daemon.records.reviews import FEW, Difference, Tally
from viewer.lookups import known_patients
from viewer.scans.reviews import REASONS
from viewer.sessions import INDEX, RECORDS
from viewer.templating import id_words, render

MOST_LISTED = 10


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
    analyzed = await analyzed_by_month(request.app[INDEX])
    rejected = await rejected_masks(records, MOST_LISTED)
    months = reviews.by_month(words, corrected)
    networks = reviews.by_network(words, corrected)
    values = {
        "title": text("agreement.title"),
        "section": "agreement",
        "sentence": sentence(reviews.overall(words, corrected)),
        "few": FEW,
        "corrected": len(corrected),
        "months": [(each, analyzed.get(each.name, 0)) for each in months],
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
                (
                    mask.scan_id,
                    mask.at,
                    mask.by,
                    REASONS.get(mask.reason, text("agreement.no_reason")),
                )
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
        return text("agreement.nothing")
    counts = text(
        "agreement.counts",
        accepted=whole.accepted,
        corrected=whole.corrected,
        rejected=whole.rejected,
        needs_correction=whole.needs_correction,
    )
    if whole.reviewed < FEW:
        return text("agreement.few", count=whole.reviewed, counts=counts)
    share = 100 * whole.accepted / whole.reviewed
    return text("agreement.share", percent=share, count=whole.reviewed, counts=counts)


def difference_words(difference: Difference | None) -> str:
    """How far the network's volumes are off, where people corrected them."""
    if difference is None:
        return text("agreement.no_volume")
    is_more, ml = difference.mean >= 0, abs(difference.mean)
    if difference.limits is None:
        few = "agreement.more_few" if is_more else "agreement.less_few"
        return text(few, ml=ml, count=difference.count)
    low, high = difference.limits
    return text("agreement.more" if is_more else "agreement.less", ml=ml, low=low, high=high)


def about_mask(mask: CorrectedMask) -> str:
    """Dice and both volumes of a corrected mask."""
    if mask.model_ml is None or mask.corrected_ml is None:
        return text("agreement.dice", dice=mask.dice)
    before, after = mask.model_ml, mask.corrected_ml
    return text("agreement.dice_volumes", dice=mask.dice, before=before, after=after)


def network_name(weights: str) -> str:
    """A network by the beginning of its weights' hash."""
    return weights[:HASH_CHARACTERS] or not_known()


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
            scan_id,
            patients[scan.patient_id].name or id_words(scan.patient_id),
            moment_words(at),
            by,
            about,
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
