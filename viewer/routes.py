"""Every address of the viewer and the function that answers it."""

from aiohttp import web

from viewer.access import enter
from viewer.dating import change_date
from viewer.health import healthz
from viewer.metrics import send_metrics
from viewer.patient_editing import add, change, show_edit, show_new
from viewer.patients import show_patient, show_patients
from viewer.reviewing import review
from viewer.scan_files import send_file
from viewer.scan_page import show_scan
from viewer.spacing import change_spacing
from viewer.system_actions import act
from viewer.system_page import show_moving, show_system
from viewer.upload_page import show_upload, take_upload
from viewer.upload_receiving import begin, give_up, look, take
from viewer.upload_sending import send, show_whose
from viewer.upload_sent import show_sent
from viewer.worklist import show_worklist

ROUTES = (
    web.get("/healthz", healthz),
    web.get("/metrics", send_metrics),
    web.get("/enter", enter),
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
    web.post("/scans/{scan_id}/spacing", change_spacing),
    web.get("/scans/{scan_id}/files/{role}", send_file),
    web.get("/system", show_system),
    web.get("/system/queue", show_moving),
    web.post("/system", act),
    web.get("/upload", show_upload),
    web.post("/upload", take_upload),
    web.get("/upload/sent", show_sent),
    web.post("/upload/held", begin),
    web.put("/upload/held/{upload}/files", take),
    web.post("/upload/held/{upload}/look", look),
    web.post("/upload/held/{upload}/whose", show_whose),
    web.post("/upload/held/{upload}/send", send),
    web.post("/upload/held/{upload}/cancel", give_up),
)
