"""The photo of a patient: sent in a form, drawn anew in another process, and shown."""

from aiohttp import hdrs, web

from daemon.drops import UNASSIGNED
from daemon.index.people.patients import find_photo, set_photo
from daemon.outputs.catalogue import text
from daemon.records.photos import NoPhoto, small_photo
from viewer.lookups import asked_patient
from viewer.request_forms import MOST_WORD, FormReader
from viewer.sessions import RECORDS, signer
from viewer.templating import render

LARGEST = 10 * 2**20  # bytes
REMOVE = "remove"


async def show_photo_form(request: web.Request) -> web.StreamResponse:
    """`GET /patients/{patient_key}/photo`: the photo, and the forms to change or remove it."""
    return await _form(request, "")


async def take_photo(request: web.Request) -> web.StreamResponse:
    """`POST /patients/{patient_key}/photo`: keep the file that was sent, or remove the photo."""
    is_removed, content = await _read(request)
    who = signer(request)
    patient = await asked_patient(request)
    if patient.patient_id == UNASSIGNED:
        raise web.HTTPNotFound(text=text("fault.no_patient"))
    try:
        jpeg = None if is_removed else await small_photo(content)
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


async def _read(request: web.Request) -> tuple[bool, bytes]:
    """Whether to remove the photo, and the file; nothing is kept of one that is too large."""
    parts = await FormReader.open(request)
    while (part := await parts.next()) is not None:
        value = await part.value(LARGEST if part.name == "photo" else MOST_WORD)
        if value is None:
            raise web.HTTPRequestEntityTooLarge(max_size=LARGEST, text=text("photo.too_large"))
        if part.name == "photo" or value == REMOVE.encode():
            return part.name != "photo", value
    raise web.HTTPBadRequest(text=text("fault.damaged_form"))


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
