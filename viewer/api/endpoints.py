"""Every operation of the API: the router, the guard and the document are made from this table."""

from functools import cache
from importlib.metadata import version

from aiohttp import web

from daemon.index.people.audit import Action
from daemon.outputs.fhir.standing import CONTENT_TYPE
from daemon.permissions import Right
from viewer.access import RouteRule
from viewer.admin.system import LISTS
from viewer.api import fhir, handlers, request_fields, response_fields, stow
from viewer.api.openapi import Asked, Operation, document
from viewer.api.request_fields import JSON
from viewer.patients.list import ORDERS as PATIENT_ORDERS
from viewer.scans.files import BYTES, ROLES, send_file, send_zip
from viewer.worklist.filter_and_sort import CHOICES

VIEW, CHANGE, DOWNLOAD = Action.VIEW, Action.CHANGE, Action.DOWNLOAD
ROOT = "/api/v1"
SCAN, PATIENT = f"{ROOT}/scans/{{scan_id}}", f"{ROOT}/patients/{{patient_key}}"
OF_SCAN, OF_PATIENT = (404, 410), (404, 410)
SEARCH = Asked("q", "The key of a search (POST searches), never the words themselves")
REVISION = Asked("revision", "A number; the newest without it")
FILTERS = (
    *(Asked(name, "As on the page", tuple(choices)) for name, choices in CHOICES.items()),
    *(Asked(name, "A day of arrival, ISO 8601, with it") for name in ("first", "last")),
    Asked("label", "The number of a label"),
    Asked("assignee", "`mine`, `nobody`, or the number of an account"),
    *(Asked(name, "A place, from a `next`") for name in ("after", "before")),
    SEARCH,
)
PATIENT_ORDER = Asked("order", "Which comes first", tuple(PATIENT_ORDERS))
STUDIES = "/dicom-web/studies"
OBJECTS = {"type": "string", "description": "A DICOM object (PS3.10) in each part", "minLength": 1}
SOME_STORED = (
    (202, "Some were stored: the answer says which, and why others were not"),
    (409, "None was stored: the answer says why"),
)
UPLOAD_FORM = {
    "type": "object",
    "required": ["patient", "files"],
    "properties": {
        "patient": {"type": "string", "description": "A patient_key, or `unassigned`"},
        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
    },
}


async def send_document(_: web.Request) -> web.StreamResponse:
    """`GET /api/v1/openapi.json`."""
    return web.json_response(_document())


@cache
def _document() -> dict[str, object]:
    return document(OPERATIONS, version("gliowatch"))


ABOUT = (
    Operation(
        *("document", "This document", "GET", f"{ROOT}/openapi.json", send_document, Right.VIEW),
        files=(JSON,),
    ),
    Operation(
        *("search", "Keep words to search for", "POST", f"{ROOT}/searches", handlers.search),
        *(Right.VIEW, None),
        body=request_fields.Search,
        answer=response_fields.SearchKey,
        status=201,
    ),
    Operation(
        *("system", "How gliowatch is", "GET", f"{ROOT}/system", handlers.show_system),
        *(Right.VIEW, VIEW),
        answer=response_fields.SystemNow,
    ),
    Operation(
        *("agreement", "How people agree", "GET", f"{ROOT}/agreement", handlers.show_agreement),
        *(Right.VIEW, VIEW),
        answer=response_fields.Agreement,
    ),
    Operation(
        *("months", "Months and scanners", "GET", f"{ROOT}/months", handlers.show_months),
        *(Right.VIEW, VIEW),
        answer=response_fields.MonthsAndScanners,
    ),
)
SCANS = (
    Operation(
        *("worklist", "A page of the worklist", "GET", f"{ROOT}/worklist", handlers.list_scans),
        *(Right.VIEW, VIEW, FILTERS),
        answer=response_fields.Worklist,
        faults=(404,),
    ),
    Operation(
        *("act_on_scans", "Act on many scans", "POST", f"{ROOT}/worklist", handlers.act_on_scans),
        *(Right.REVIEW, Action.REVIEW),
        body=request_fields.ScansAction,
        is_elsewhere=True,
        answer=response_fields.Done,
        faults=(404,),
    ),
    Operation(
        *("scan", "A scan with report, reviews, files", "GET", SCAN, handlers.show_scan),
        *(Right.VIEW, VIEW, (REVISION,)),
        answer=response_fields.OneScan,
        faults=OF_SCAN,
    ),
    Operation(
        *("file", "A file of a scan", "GET", f"{SCAN}/files/{{role}}", send_file),
        *(Right.VIEW, DOWNLOAD, (REVISION,)),
        files=tuple(sorted({role.content_type for role in ROLES.values()} | {BYTES})),
        is_ranged=True,
        faults=OF_SCAN,
    ),
    Operation(
        *("all_files", "All files of a scan", "GET", f"{SCAN}/all.zip", send_zip),
        *(Right.VIEW, DOWNLOAD, (REVISION,)),
        files=("application/zip",),
        faults=OF_SCAN,
    ),
    Operation(
        *("review", "Say whether a mask is right", "POST", f"{SCAN}/reviews", handlers.review),
        *(Right.REVIEW, Action.REVIEW),
        body=request_fields.NewReview,
        answer=response_fields.ScanNamed,
        status=201,
        faults=(*OF_SCAN, 409),
    ),
    Operation(
        *("date", "Enter when it was acquired", "PUT", f"{SCAN}/date", handlers.enter_date),
        *(Right.UPLOAD, CHANGE),
        body=request_fields.AcquiredOn,
        answer=response_fields.ScanNamed,
        faults=(*OF_SCAN, 409),
    ),
    Operation(
        *("spacing", "Enter the size of pixels", "PUT", f"{SCAN}/spacing", handlers.enter_spacing),
        *(Right.UPLOAD, CHANGE),
        body=request_fields.PixelSpacing,
        answer=response_fields.ScanNamed,
        faults=(*OF_SCAN, 409),
    ),
    Operation(
        *("fhir", "A scan as FHIR R4", "GET", f"{SCAN}/fhir", fhir.send_message),
        *(Right.VIEW, DOWNLOAD),
        files=(CONTENT_TYPE,),
        faults=(*OF_SCAN, 503),
    ),
    Operation(
        *("sent", "What went to which archive", "GET", f"{SCAN}/sent", handlers.list_sent),
        *(Right.VIEW, VIEW),
        answer=response_fields.SentList,
        faults=OF_SCAN,
    ),
    Operation(
        *("send", "Send a scan again", "POST", f"{SCAN}/send", handlers.send_again),
        *(Right.QUEUE, CHANGE),
        is_elsewhere=True,
        answer=response_fields.ScanNamed,
        status=202,
        faults=(*OF_SCAN, 409),
    ),
)
PATIENTS = (
    Operation(
        *("patients", "A page of the patients", "GET", f"{ROOT}/patients", handlers.list_patients),
        *(Right.VIEW, VIEW, (PATIENT_ORDER, SEARCH, Asked("after", "A place, from a `next`"))),
        answer=response_fields.PatientList,
        faults=(404,),
    ),
    Operation(
        *("add_patient", "Enter a patient", "POST", f"{ROOT}/patients", handlers.add),
        *(Right.UPLOAD, CHANGE),
        body=request_fields.NewPatient,
        answer=response_fields.OnePatient,
        status=201,
    ),
    Operation(
        *("patient", "A patient with scans", "GET", PATIENT, handlers.show_patient),
        *(Right.VIEW, VIEW),
        answer=response_fields.OnePatient,
        faults=OF_PATIENT,
    ),
    Operation(
        *("change_patient", "Change what is entered", "PATCH", PATIENT, handlers.change),
        *(Right.RECORD, CHANGE),
        body=request_fields.ChangedPatient,
        answer=response_fields.OnePatient,
        faults=(*OF_PATIENT, 409),
    ),
    Operation(
        *("delete_patient", "Hide a patient", "POST", f"{PATIENT}/delete", handlers.delete),
        *(Right.RECORD, Action.DELETE),
        body=request_fields.Confirmed,
        status=204,
        faults=(*OF_PATIENT, 409),
    ),
    Operation(
        *("merge", "Say that two records are of one", "POST", f"{PATIENT}/merge", handlers.merge),
        *(Right.RECORD, CHANGE),
        body=request_fields.MergeWish,
        answer=response_fields.OnePatient,
        faults=(*OF_PATIENT, 409),
    ),
    Operation(
        *("unmerge", "Take a merge back", "POST", f"{PATIENT}/unmerge", handlers.unmerge),
        *(Right.RECORD, CHANGE),
        body=request_fields.MergeNumber,
        answer=response_fields.OnePatient,
        faults=OF_PATIENT,
    ),
    Operation(
        *("undelete", "Bring a patient back", "POST", f"{PATIENT}/undelete", handlers.undelete),
        *(Right.RECORD, CHANGE),
        answer=response_fields.OnePatient,
        faults=(404,),
    ),
)
WORK = (
    Operation(
        *("upload", "Bring in a scan", "POST", f"{ROOT}/uploads", handlers.upload),
        *(Right.UPLOAD, Action.UPLOAD),
        upload=UPLOAD_FORM,
        is_elsewhere=True,
        answer=response_fields.Received,
        status=201,
        faults=(408, 503, 507),
    ),
    Operation(
        *("queue", "What runs, waits or failed", "GET", f"{ROOT}/queue", handlers.list_queue),
        *(Right.VIEW, VIEW),
        query=(Asked("list", "Which", tuple(LISTS)), Asked("page", "From 0")),
        answer=response_fields.QueuePage,
        faults=(404,),
    ),
    Operation(
        *("act", "What the buttons of the queue do", "POST", f"{ROOT}/queue", handlers.act),
        *(Right.QUEUE, CHANGE),
        body=request_fields.QueueAction,
        is_elsewhere=True,
        answer=response_fields.Done,
        faults=(404, 409),
    ),
)
STOW = tuple(
    Operation(
        *(name, "Bring in DICOM objects (STOW-RS)", "POST", path, stow.store_objects),
        *(Right.UPLOAD, Action.UPLOAD),
        upload=OBJECTS,
        upload_kind=stow.KIND,
        files=(stow.ANSWER,),
        is_elsewhere=True,
        also=SOME_STORED,
        faults=(406, 408, 507),
    )
    for name, path in (("store", STUDIES), ("store_of_study", f"{STUDIES}/{{study}}"))
)
OPERATIONS = (*ABOUT, *SCANS, *PATIENTS, *WORK, *STOW)
DOORS = tuple(
    RouteRule(
        each.needs, web.route(each.method, each.path, each.handler), each.notes, each.is_elsewhere
    )
    for each in OPERATIONS
)
