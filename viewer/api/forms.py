"""The forms of what programs send and get: the bodies are checked by them, the document shows them.

Numbers of lists that the pages know as words are told plainly: ml, ISO 8601, codes.
"""

from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.agreement import Difference, Tally
from daemon.condition import Sign
from daemon.index.lines import Counts, Line
from daemon.index.patients import Patient
from daemon.index.reviews import Decision, Review

JSON = "application/json"
MOST_NUMBER = 2**31
NOT_JSON = "The body must be JSON, sent as application/json."
WRONG_FORM = "The body does not have the form that the document describes"


class Form(BaseModel):
    """Anything of a fixed form: nothing more than is written here, nothing of another kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Search(Form):
    """Words of a patient's name or ID, or the beginning of an accession number."""

    text: str = Field(max_length=100)


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
    """One scan of a patient, latest acquisition first."""

    scan_id: str
    revision: int
    finding: str
    volume_ml: float | None
    acquired_at: str | None
    published_at: str


class OnePatient(Form):
    """Everything that people entered about a patient, and the patient's scans."""

    patient: Patient
    scans: list[ScanOfPatient]


class Entered(Form):
    """What people enter about a patient; dates are ISO 8601, '' is not known."""

    name: str = ""
    birth_date: str = ""
    gender: str = ""
    phone: str = ""
    address: str = ""
    emergency_contact: str = ""
    insurance: str = ""
    doctor: str = ""
    family_history: str = ""
    symptoms: str = ""
    previous_conditions: str = ""
    medications: str = ""
    biopsy: str = ""
    histology: str = ""
    diagnosis_date: str = ""
    treatment_type: str = ""
    treatment_start: str = ""
    treatment_response: str = ""


class NewPatient(Form):
    """A patient to be entered; the folder of the patient's scans is named by this ID."""

    patient_id: str
    entered: Entered = Entered()


class ChangedPatient(Form):
    """The fields that change, and the version of the record that they were read from."""

    version: int = Field(ge=1, le=MOST_NUMBER)
    entered: Entered


class Confirmed(Form):
    """The ID of the patient whom to delete, as a person would type it."""

    patient_id: str


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
    report: dict[str, Any]
    reviews: list[Review]
    seen: str
    files: list[FileLink]


class NewReview(Form):
    """A statement about the mask of a revision. seen: as the scan's answer gave it.

    reason: of a rejection: missed, not_tumor, border, place, scan or other; else ''.
    """

    decision: Decision
    revision: int = Field(ge=1, le=MOST_NUMBER)
    seen: str
    reason: str = ""
    comment: str = ""


class AcquiredOn(Form):
    """The day on which a scan was acquired, ISO 8601; '' takes it back."""

    acquired_on: str


class PixelSpacing(Form):
    """Millimetres between pixels, and between slices (null for a picture); all null: not known."""

    across: float | None = None
    down: float | None = None
    between: float | None = None


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


class QueueAction(Form):
    """What to do; scan: an id of a scan or a number of a drop, where the action needs one.

    confirmed: for reprocess_older, how many scans that is.
    """

    action: str
    scan: str = Field("", max_length=100)
    confirmed: str = Field("", max_length=20)


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


class Problem(BaseModel):
    """An error (RFC 9457); detail: one sentence, without patient data."""

    type: str
    title: str
    status: int
    detail: str


SomeForm = TypeVar("SomeForm", bound=Form)


async def read_body(request: web.Request, form: type[SomeForm]) -> SomeForm:
    """The body of a request; HTTPUnsupportedMediaType or HTTPBadRequest for another."""
    if request.content_type != JSON:
        raise web.HTTPUnsupportedMediaType(text=NOT_JSON)
    try:
        return form.model_validate_json(await request.read())
    except ValidationError as error:
        named = {str(place) for each in error.errors() for place in each["loc"]}
        known = sorted(named & form.model_fields.keys())  # others may be anything, names too
        where = f": {', '.join(known)}." if known else "."
        raise web.HTTPBadRequest(text=WRONG_FORM + where) from None


def answer(said: Form, status: int = 200) -> web.Response:
    """A form as JSON."""
    return web.Response(text=said.model_dump_json(), status=status, content_type=JSON)
