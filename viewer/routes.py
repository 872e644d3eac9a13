"""Every address of the viewer and the function that answers it."""

from aiohttp import web

from viewer.access import enter
from viewer.dating import change_date
from viewer.health import healthz
from viewer.live import stream
from viewer.metrics import send_metrics
from viewer.patient_editing import add, change, show_edit, show_new
from viewer.patients import show_patient, show_patients
from viewer.reviewing import review
from viewer.scan_files import send_file
from viewer.scan_page import show_scan
from viewer.searching import search
from viewer.upload_page import show_upload, take_upload
from viewer.worklist import show_worklist

ROUTES = (
    web.get("/healthz", healthz),
    web.get("/metrics", send_metrics),
    web.get("/enter", enter),
    web.get("/live", stream),
    web.post("/searches", search),
    web.get("/", show_worklist),
    web.get("/patients", show_patients),
    web.post("/patients", add),
    web.get("/patients/new", show_new),
    web.get("/patients/{patient_key}", show_patient),
    web.post("/patients/{patient_key}", change),
    web.get("/patients/{patient_key}/edit", show_edit),
    web.get("/scans/{scan_id}", show_scan),
    web.post("/scans/{scan_id}/reviews", review),
    web.post("/scans/{scan_id}/date", change_date),
    web.get("/scans/{scan_id}/files/{role}", send_file),
    web.get("/upload", show_upload),
    web.post("/upload", take_upload),
)
