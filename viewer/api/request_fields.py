"""The forms of what programs send, and how a body is read into one before anything uses it."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.index.people.reviews import Decision
from daemon.outputs.catalogue import text
from viewer.request_forms import read_whole

JSON = "application/json"


class Form(BaseModel):
    """Anything of a fixed form: nothing more than is written here, nothing of another kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        raise web.HTTPUnsupportedMediaType(text=text("api.not_json"))
    try:
        return form.model_validate_json(await read_whole(request))
    except ValidationError as error:
        named = {str(place) for each in error.errors() for place in each["loc"]}
        known = sorted(named & form.model_fields.keys())  # others may be anything, names too
        if not known:
            raise web.HTTPBadRequest(text=text("api.wrong_form")) from None
        fields = ", ".join(known)
        raise web.HTTPBadRequest(text=text("api.wrong_fields", fields=fields)) from None


def answer(said: Form, status: int = 200) -> web.Response:
    """A form as JSON; a report in it as it was written, without fields of a later version."""
    text = said.model_dump_json(by_alias=True, exclude_unset=True)
    return web.Response(text=text, status=status, content_type=JSON)


MOST_NUMBER = 2**31


class Search(Form):
    """Words of a patient's name or ID, or the beginning of an accession number."""

    text: str = Field(max_length=100)


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


class MergeWish(Form):
    """The patient_key of the record with which the scans are shown from now on, and why."""

    into: str
    reason: str


class MergeNumber(Form):
    """Which merge was a mistake."""

    number: int = Field(ge=1, le=MOST_NUMBER)


class NewReview(Form):
    """A statement about the mask of a revision. seen: as the scan's answer gave it.

    reason: of a rejection: missed, not_tumor, border, place, scan or other; else ''.
    """

    decision: Decision
    revision: int = Field(ge=1, le=MOST_NUMBER)
    seen: str
    reason: str = ""
    comment: str = ""


class ScansAction(Form):
    """What to do with scans: settle, take_back, reprocess, label, unlabel or assign.

    reason, comment: of settle alone; no_flair, wrong_patient, not_needed, or other with a comment.
    label: its name; account: the number of the person to whom they are assigned, 0 = to nobody.
    """

    action: str
    scans: list[str] = Field(min_length=1, max_length=200)
    reason: str = ""
    comment: str = ""
    label: str = ""
    account: str = ""


class AcquiredOn(Form):
    """The day on which a scan was acquired, ISO 8601; '' takes it back."""

    acquired_on: str


class PixelSpacing(Form):
    """Millimetres between pixels, and between slices (null for a picture); all null: not known."""

    across: float | None = None
    down: float | None = None
    between: float | None = None


class QueueAction(Form):
    """What to do; scan: an id of a scan or a number of a drop, where the action needs one.

    confirmed: for reprocess_older, how many scans that is.
    """

    action: str
    scan: str = Field("", max_length=100)
    confirmed: str = Field("", max_length=20)
