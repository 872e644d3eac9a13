"""The forms of what programs get: plain numbers, ISO 8601 and codes, where pages have words."""

from typing import Self

from daemon.index.people.patients import Patient
from daemon.index.people.reviews import Review
from daemon.index.queue import Counts, Line
from daemon.index.sent_objects import SentObject
from daemon.operations.status import Sign
from daemon.quality.monthly_figures import Figures, OfScanner
from daemon.records.reviews import Difference, Tally
from daemon.report import Report
from viewer.api.request_fields import Form
from viewer.patients.merge import MergeLine


class SearchKey(Form):
    """What stands in an address in place of the words, as `q`. It is forgotten after a while."""

    q: str


class WorklistRow(Form):
    """One scan, or files that are none yet. arrived_at: UTC; acquired_at: as the scanner said."""

    state: str
    patient_key: str
    patient_id: str
    patient_name: str
    arrived_at: str
    acquired_at: str | None
    scan_id: str | None
    finding: str | None
    volume_ml: float | None
    flags: list[str]
    decision: str
    reviewer: str | None
    reason: str | None
    labels: list[str]
    assignee: str | None


class Worklist(Form):
    """A page of rows. next: the address of the page after it, or null."""

    rows: list[WorklistRow]
    next: str | None


class PatientRow(Form):
    """One patient in a list."""

    patient_key: str
    patient_id: str
    name: str
    birth_date: str
    scans: int
    last_scan: str


class PatientList(Form):
    """A page of patients. next: the address of the page after it, or null."""

    patients: list[PatientRow]
    next: str | None


class ScanOfPatient(Form):
    """One scan of a patient, latest acquisition first. patient_id: under which it came."""

    scan_id: str
    revision: int
    finding: str
    volume_ml: float | None
    acquired_at: str | None
    published_at: str
    patient_id: str


class MergedPatient(Form):
    """That two records are of one patient: the scans of the first are shown with the second."""

    number: int
    patient_key: str
    into_key: str
    reason: str
    merged_by: str
    merged_at: str

    @classmethod
    def of(cls, line: MergeLine, patient: Patient) -> Self:
        """A statement about this patient."""
        pair = (line.other, patient) if line.is_into else (patient, line.other)
        return cls(
            number=line.told.merge,
            patient_key=pair[0].patient_key,
            into_key=pair[1].patient_key,
            reason=line.told.reason,
            merged_by=line.told.merged_by,
            merged_at=line.told.merged_at,
        )


class OnePatient(Form):
    """Everything that people entered about a patient, and the patient's scans.

    merges: those that stand, in either place; scans: with those of records merged into this one.
    """

    patient: Patient
    scans: list[ScanOfPatient]
    merges: list[MergedPatient]


class FileLink(Form):
    """A file of a scan, and where it is."""

    role: str
    content_type: str
    label: str
    url: str


class OneScan(Form):
    """One revision of a scan. report: gliowatch/report/1; seen: to be sent with a review."""

    scan_id: str
    revision: int
    revisions: list[int]
    patient_key: str
    published_at: str
    removed_at: str | None
    report: Report
    reviews: list[Review]
    seen: str
    files: list[FileLink]


class SentLine(Form):
    """One object for one archive. revision: 0 = made after the result; code: the last answer, a
    DICOM status or one of HTTP, '' before any; at: UTC, when it was wanted, sent or given up.
    commitment: whether the archive keeps it: '' (not asked), asked, committed, refused,
    unanswered."""

    destination: str
    kind: str
    revision: int
    sha256: str
    state: str
    tries: int
    code: str
    reason: str
    at: str
    commitment: str

    @classmethod
    def of(cls, each: SentObject) -> Self:
        """A row of the index."""
        return cls(
            destination=each.destination,
            kind=each.kind,
            revision=each.revision,
            sha256=each.sha256,
            state=each.state,
            tries=each.tries,
            code=each.code,
            reason=each.reason,
            at=each.ended_at or each.wanted_at,
            commitment=each.commitment,
        )


class SentList(Form):
    """All that was to go of a scan."""

    objects: list[SentLine]


class ScanNamed(Form):
    """The scan to which something was done."""

    scan_id: str


class Received(Form):
    """How many files of an upload lie in the inbox now."""

    files: int


class QueuePage(Form):
    """A page of a list of the queue. next: the address of the page after it, or null."""

    drops: list[Line]
    next: str | None


class Done(Form):
    """How many scans it was."""

    count: int


class SystemNow(Form):
    """How gliowatch is. minutes_left, share_free: null where nothing tells."""

    daemon: Sign
    paused: bool
    disk_low: bool
    counts: Counts
    minutes_left: float | None
    share_free: float | None


class Agreement(Form):
    """How people agree with the network's masks; dice: the median of the corrected ones."""

    overall: Tally
    months: list[Tally]
    networks: list[Tally]
    difference: Difference | None


class MonthsAndScanners(Form):
    """How scans fared: months, newest first, and scanners, busiest first; what is usual of each."""

    months: list[Figures]
    scanners: list[OfScanner]
