"""Every address of the viewer and the function that answers it."""

from aiohttp import web

from viewer.access import enter
from viewer.agreement import show_agreement
from viewer.compare_page import show_compare
from viewer.correcting import show_corrections, take_correction
from viewer.dating import change_date
from viewer.health import healthz
from viewer.live import stream
from viewer.metrics import send_metrics
from viewer.patient_deleting import delete_patient, show_delete, show_deleted, undo
from viewer.patient_editing import add, change, show_edit, show_new
from viewer.patient_page import show_patient
from viewer.patient_photo import send_photo, show_photo_form, take_photo
from viewer.patients import show_patients
from viewer.reviewing import review
from viewer.scan_files import send_file
from viewer.scan_page import show_scan, tell_newest
from viewer.scan_zip import send_zip
from viewer.searching import search
from viewer.slices import send_slice
from viewer.spacing import change_spacing
from viewer.system_actions import act
from viewer.system_page import show_moving, show_system
from viewer.thumbnails import send_thumbnail
from viewer.unassigned import give_scan, show_unassigned, take_scan_back
from viewer.upload_page import show_upload, take_upload
from viewer.upload_receiving import begin, give_up, look, take
from viewer.upload_sending import send, show_whose
from viewer.upload_sent import show_sent
from viewer.worklist import show_rows, show_worklist
from viewer.worklist_next import show_next

ROUTES = (
    web.get("/healthz", healthz),
    web.get("/metrics", send_metrics),
    web.get("/enter", enter),
    web.get("/live", stream),
    web.post("/searches", search),
    web.get("/", show_worklist),
    web.get("/worklist/rows", show_rows),
    web.get("/next", show_next),
    web.get("/patients", show_patients),
    web.post("/patients", add),
    web.get("/patients/new", show_new),
    web.get("/patients/unassigned", show_unassigned),
    web.post("/patients/unassigned", give_scan),
    web.post("/patients/unassigned/back", take_scan_back),
    web.get("/patients/deleted", show_deleted),
    web.get("/patients/{patient_key}", show_patient),
    web.post("/patients/{patient_key}", change),
    web.get("/patients/{patient_key}/edit", show_edit),
    web.get("/patients/{patient_key}/photo", show_photo_form),
    web.post("/patients/{patient_key}/photo", take_photo),
    web.get("/patients/{patient_key}/delete", show_delete),
    web.post("/patients/{patient_key}/delete", delete_patient),
    web.post("/patients/{patient_key}/undelete", undo),
    web.get("/patients/{patient_key}/photo.jpg", send_photo),
    web.get("/patients/{patient_key}/compare", show_compare),
    web.get("/scans/{scan_id}", show_scan),
    web.post("/scans/{scan_id}/reviews", review),
    web.get("/scans/{scan_id}/corrections", show_corrections),
    web.post("/scans/{scan_id}/corrections", take_correction),
    web.get("/agreement", show_agreement),
    web.post("/scans/{scan_id}/date", change_date),
    web.get("/scans/{scan_id}/newest", tell_newest),
    web.get("/scans/{scan_id}/files/{role}", send_file),
    web.get("/scans/{scan_id}/all.zip", send_zip),
    web.get("/scans/{scan_id}/slices/{number}.png", send_slice),
    web.get("/scans/{scan_id}/thumb.png", send_thumbnail),
    web.post("/scans/{scan_id}/spacing", change_spacing),
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
