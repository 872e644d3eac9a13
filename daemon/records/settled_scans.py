"""Which scans need no person although they were not analyzed: by a person's word, or by a rule."""

import zlib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from daemon.index.database import Database
from daemon.index.people.audit import Action, Told, telling
from daemon.index.people.triage.settled_scans import (
    NotSettled,
    add_settlings,
    not_settled_since,
    said_of_any,
)
from daemon.index.queue import set_switch, switch
from daemon.index.scans import find_scan
from daemon.outputs.catalogue import text, words
from daemon.records.overrides import BY_LOOKS
from daemon.report import Report
from daemon.scan_history import judged_revision
from daemon.settings import DaemonSettings
from model.errors import GliowatchError

RULE = "rule"  # the reason of what no person said, and its account in the audit
OTHER = "other"
LONGEST_COMMENT = 500  # characters
DOUBTS = (  # codes of reports that are no matter of routine
    *("identity_conflict", "filed_twice", "identity_corrected", "incomplete", "slices_missing"),
    *("missing_voxels", "may_belong"),
)


def reasons() -> dict[str, str]:
    """What a person may say, by its code."""
    return {code: said for code, said in words("settle_reason").items() if code != RULE}


class CannotSettle(GliowatchError):
    """It cannot be noted; the sentence says why."""


async def settle(
    index: Database,
    records: Database,
    scan_ids: Iterable[str],
    reason: str,
    comment: str,
    who: str,
) -> int:
    """Note of these scans why nothing is left to do about them; how many of them it changed.

    Those that were analyzed, or are settled already, stay as they are. Raises CannotSettle.
    """
    comment = comment.strip()
    if reason not in reasons():
        raise CannotSettle(text("settle.no_reason"))
    if reason == OTHER and not comment:
        raise CannotSettle(text("settle.no_comment"))
    if len(comment) > LONGEST_COMMENT:
        raise CannotSettle(text("settle.long_comment", most=LONGEST_COMMENT))
    revisions = await _not_analyzed(index, scan_ids)
    return len(await add_settlings(records, revisions, reason, comment, who))


async def take_back(
    index: Database, records: Database, scan_ids: Iterable[str], comment: str, who: str
) -> int:
    """These scans need a person again; how many of them were settled."""
    revisions = await _not_analyzed(index, scan_ids)
    return len(await add_settlings(records, revisions, "", comment[:LONGEST_COMMENT], who))


async def _not_analyzed(index: Database, scan_ids: Iterable[str]) -> dict[str, int]:
    """The revision of each that was not analyzed."""
    found = [await find_scan(index, scan_id) for scan_id in dict.fromkeys(scan_ids)]
    return {
        scan.scan_id: judged_revision(scan.report)
        for scan in found
        if scan is not None and scan.finding == "not_judged"
    }


class SettlingRule:
    """`daemon.settle_series` and `daemon.settle_stations`, applied to whatever was not analyzed.

    Each scan is looked at once, and again when the rule has changed. What a person has settled or
    taken back is left alone.
    """

    def __init__(self, daemon: DaemonSettings, index: Database, records: Database) -> None:
        self._series = tuple(each.casefold() for each in daemon.settle_series)
        self._stations = frozenset(each.strip().casefold() for each in daemon.settle_stations)
        self._index, self._records = index, records

    async def look(self) -> None:
        """Settle what has come since the last look, as far as the rule fits."""
        if not self._series and not self._stations:
            return
        found = await not_settled_since(self._index, await self._reached())
        fitting = await self._fitting(found)
        if fitting:
            with telling(Told(RULE, Action.REVIEW)):
                await add_settlings(self._records, fitting, RULE, "", text("settle.by_rule"))
        if found.mark:
            await set_switch(self._index, "settling_reached", found.mark)

    def fits(self, report: Report) -> bool:
        """Whether a scan is one of those that the rule names, and nothing else is odd about it."""
        quality = report.quality
        is_refused = report.finding == "not_judged" and any(n.code in BY_LOOKS for n in quality[:1])
        if not is_refused or any(report.has_note(code) for code in DOUBTS):
            return False
        study = report.input.study
        station = (study.station or "") if study else ""
        return station.strip().casefold() in self._stations or self._is_named(report)

    def _is_named(self, report: Report) -> bool:
        named = [each.description for each in report.input.series or ()]
        named = [each.casefold().strip() for each in named or [report.input.description]]
        return all(any(fnmatchcase(each, like) for like in self._series) for each in named)

    async def _fitting(self, found: NotSettled) -> dict[str, int]:
        told = await said_of_any(self._records, found.revisions)
        fitting = {}
        for scan_id, revision in found.revisions.items():
            scan = None if scan_id in told else await find_scan(self._index, scan_id)
            if scan is not None and self.fits(scan.report):
                fitting[scan_id] = revision
        return fitting

    async def _reached(self) -> int:
        """How far the worklist was looked through under this very rule."""
        rule = zlib.crc32(repr((self._series, sorted(self._stations))).encode())
        if await switch(self._index, "settling_rule") != rule:
            await set_switch(self._index, "settling_reached", 0)
            await set_switch(self._index, "settling_rule", rule)
        return await switch(self._index, "settling_reached")
