"""What every form of the API is, how a body is read into one, and how one is told."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

JSON = "application/json"
NOT_JSON = "The body must be JSON, sent as application/json."
WRONG_FORM = "The body does not have the form that the document describes"


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
