"""The OpenAPI 3.1 document, made from the table of endpoints, and errors as RFC 9457 has them.

https://spec.openapis.org/oas/v3.1.1
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from daemon.index.people.audit import Action
from daemon.permissions import Right
from viewer.api.request_fields import JSON, Form, Problem
from viewer.request_forms import FORM as MULTIPART

PROBLEM = "application/problem+json"
KEPT = ("Allow", "Retry-After", "WWW-Authenticate")  # of an error's own headers


ROOTS = ("/api", "/dicom-web")


def is_api(request: web.Request) -> bool:
    """Whether a program asks: everything below these, whether there is such an address or not."""
    return any(request.path == root or request.path.startswith(f"{root}/") for root in ROOTS)


def problem(status: int, sentence: str, headers: Mapping[str, str]) -> web.Response:
    """The answer; the sentence is one of ours and names no patient."""
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return web.Response(
        text=json.dumps({**said, "detail": sentence}),
        status=status,
        content_type=PROBLEM,
        headers={name: headers[name] for name in KEPT if name in headers},
    )


IN_PATH = re.compile(r"{(\w+)}")
PLACE = "#/components/schemas/{model}"
EVERYWHERE = (401, 403, 421, 429, 500, 503)
WITH_BODY = (400, 413, 415)
FILE_STATES = {
    206: "The part that was asked for",
    304: "Not changed",
    412: "The file is another by now",
    416: "There is no such part",
}
WHY = {
    400: "The body cannot be taken as it is",
    401: "No token that counts",
    403: "The role has no right to this, or a session tried to change something",
    404: "There is nothing of this name",
    406: "An answer is asked for in a form that there is not",
    408: "Nothing came for a minute",
    409: "Something has changed meanwhile",
    410: "It was deleted, or taken back",
    413: "More than is taken",
    415: "Not sent in the right form",
    421: "Asked by a name that is none of this machine",
    429: "Too many wrong tokens from this address, or too much at once by one account",
    500: "A fault of gliowatch",
    503: "The inbox is not there, or a database is locked",
    507: "The disk of the inbox is full",
}


@dataclass(frozen=True)
class Asked:
    """Something that stands after the `?`; choices: the only values, none for any."""

    name: str
    says: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One thing that a program may ask for, as the router, the guard and the document need it.

    body, answer: forms of JSON; upload_kind: how an upload is sent; files: content types that are
    sent in place of an answer, in parts too if `is_ranged`; also: statuses that have the same
    content, and what they mean; is_elsewhere: as in a rule of the guard; faults: statuses beside
    those that come everywhere.
    """

    name: str
    says: str
    method: str
    path: str
    handler: Any
    needs: Right
    notes: Action | None = None
    query: tuple[Asked, ...] = ()
    body: type[Form] | None = None
    upload: dict[str, Any] | None = None
    upload_kind: str = MULTIPART
    answer: type[Form] | None = None
    files: tuple[str, ...] = ()
    is_ranged: bool = False
    is_elsewhere: bool = False
    status: int = 200
    also: tuple[tuple[int, str], ...] = ()
    faults: tuple[int, ...] = ()


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """All of it."""
    asked = list(operations)
    paths: dict[str, dict[str, Any]] = {}
    for each in asked:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gliowatch",
            "version": version,
            "description": "For research use only; no answer is a diagnosis.",
        },
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(asked),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "gliowatch_session"},
            },
        },
    }


def _operation(each: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.says,
        "description": f"Needs the right to {each.needs}.",
        "parameters": [*map(_in_path, IN_PATH.findall(each.path)), *map(_in_query, each.query)],
        "responses": _answers(each),
    }
    if each.body or each.upload:
        sent = {JSON: _ref(each.body)} if each.body else {each.upload_kind: each.upload}
        content = {kind: {"schema": schema} for kind, schema in sent.items()}
        said["requestBody"] = {"required": True, "content": content}
    return said


def _answers(each: Operation) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(each.status).phrase}
    if each.answer:
        good["content"] = {JSON: {"schema": _ref(each.answer)}}
    if each.files:
        good["content"] = {kind: {"schema": {}} for kind in each.files}
    faults = {*EVERYWHERE, *each.faults, *(WITH_BODY if each.body or each.upload else ())}
    bad = {
        str(status): {
            "description": WHY[status],
            "content": {PROBLEM: {"schema": _ref(Problem)}},
        }
        for status in sorted(faults)
    }
    moved = {"303": {"description": "The scan was given to a patient and is there now"}}
    sent = {str(status): {"description": words} for status, words in FILE_STATES.items()}
    is_moving = each.method == "GET" and "{scan_id}" in each.path
    return {
        str(each.status): good,
        **{str(status): good | {"description": words} for status, words in each.also},
        **(moved if is_moving else {}),
        **(sent if each.is_ranged else {}),
        **bad,
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(asked: Asked) -> dict[str, Any]:
    schema = {"type": "string"} | ({"enum": list(asked.choices)} if asked.choices else {})
    return {"name": asked.name, "in": "query", "description": asked.says, "schema": schema}


def _ref(form: type[BaseModel]) -> dict[str, str]:
    return {"$ref": PLACE.format(model=form.__name__)}


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    sent: set[type[BaseModel]] = {each.body for each in operations if each.body}
    told: set[type[BaseModel]] = {each.answer for each in operations if each.answer} | {Problem}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((form, "validation") for form in sent),
        *((form, "serialization") for form in told),
    ]
    _, found = models_json_schema(models, ref_template=PLACE)
    return dict(sorted(found["$defs"].items()))
