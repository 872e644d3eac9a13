"""The photo of a patient: sent in a form, drawn anew in another process, and shown."""

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from daemon.drops import UNASSIGNED
from daemon.index.people.patients import find_photo, set_photo
from daemon.outputs.catalogue import text
from daemon.records.photos import NoPhoto, small_photo
from viewer.lookups import asked_patient
from viewer.sessions import RECORDS, SESSION, signer
from viewer.templating import check_csrf, render
from viewer.uploads_streaming import FORM, in_time, read_field

LARGEST = 10 * 2**20  # bytes
MOST_WORD = 1000  # bytes: a form's short fields
REMOVE = "remove"


async def show_photo_form(request: web.Request) -> web.StreamResponse:
    """`GET /patients/{patient_key}/photo`: the photo, and the forms to change or remove it."""
    return await _form(request, "")


async def take_photo(request: web.Request) -> web.StreamResponse:
    """`POST /patients/{patient_key}/photo`: keep the file that was sent, or remove the photo."""
    form, content = await _read(request)
    check_csrf(request[SESSION], form.get("csrf", ""))
    who = signer(request)
    patient = await asked_patient(request)
    if patient.patient_id == UNASSIGNED:
        raise web.HTTPNotFound(text=text("fault.no_patient"))
    try:
        jpeg = None if form.get("action") == REMOVE else await small_photo(content)
    except NoPhoto as error:
        return await _form(request, str(error))
    await set_photo(request.app[RECORDS], patient, jpeg, who)
    raise web.HTTPSeeOther(f"/patients/{patient.patient_key}")


async def send_photo(request: web.Request) -> web.StreamResponse:
    """`GET /patients/{patient_key}/photo.jpg`: the small picture."""
    patient = await asked_patient(request)
    jpeg = await find_photo(request.app[RECORDS], patient.photo_id)
    if jpeg is None:
        raise web.HTTPNotFound(text=text("fault.no_photo"))
    return web.Response(body=jpeg, headers={hdrs.CONTENT_TYPE: "image/jpeg"})


async def _read(request: web.Request) -> tuple[dict[str, str], bytes]:
    """The short fields and the file of the form; nothing is kept of one that is too large."""
    form: dict[str, str] = {}
    content = b""
    if request.content_type != FORM:
        raise web.HTTPForbidden(text=text("fault.stale_form"))
    try:
        reader = await request.multipart()
        while (part := await in_time(reader.next())) is not None:
            if not isinstance(part, BodyPartReader):
                raise ValueError("a form in a form")
            if part.name == "photo":
                content = await _bytes(part, LARGEST)
            else:
                form[part.name or ""] = (await _bytes(part, MOST_WORD)).decode("utf-8", "replace")
    except (ValueError, AssertionError, HttpProcessingError):
        raise web.HTTPBadRequest(text=text("photo.damaged")) from None
    return form, content


async def _bytes(part: BodyPartReader, limit: int) -> bytes:
    value = await read_field(part, limit)
    if value is None:
        raise web.HTTPRequestEntityTooLarge(max_size=limit, text=text("photo.too_large"))
    return value


async def _form(request: web.Request, wrong: str) -> web.Response:
    patient = await asked_patient(request)
    values = {
        "title": text("photo.title"),
        "section": "patients",
        "patient": patient,
        "remove": REMOVE,
        "wrong": wrong,
    }
    return render(request, "patient_photo.html", values, 400 if wrong else 200)
