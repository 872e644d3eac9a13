"""Every address of the viewer: who may come in, the function that answers, what the audit notes."""

from aiohttp import web

from daemon.index.people.audit import Action
from daemon.permissions import Right
from viewer.access import RouteRule
from viewer.admin.accounts import (
    add_account,
    change_account,
    change_password,
    make_token,
    revoke,
    show_account,
    show_accounts,
)
from viewer.admin.agreement import show_agreement
from viewer.admin.associations import show_associations
from viewer.admin.audit import send_audit, show_audit
from viewer.admin.monthly_figures import show_months
from viewer.admin.second_factor import offer, turn_factor_off, turn_factor_on
from viewer.admin.set_aside import show_failed
from viewer.admin.system import act, show_moving, show_system
from viewer.api.endpoints import DOORS as API
from viewer.hospital_login.pages import come_back, start
from viewer.live_updates import stream
from viewer.login import enter, log_out, show_enter, show_login, stay_active, take_code, take_login
from viewer.lookups import search
from viewer.monitoring import healthz, send_metrics
from viewer.patients.assignments import give_scan, show_unassigned, take_scan_back
from viewer.patients.deletion import delete_patient, show_delete, show_deleted, undo
from viewer.patients.edit import add, change, show_edit, show_new
from viewer.patients.list import show_patients
from viewer.patients.merge import merge_patients, show_merge, undo_asked
from viewer.patients.page import show_patient
from viewer.patients.photos import send_photo, show_photo_form, take_photo
from viewer.scans.compare import show_compare
from viewer.scans.corrections import show_corrections, take_correction
from viewer.scans.drawing import drop_draft, send_draft, take_draft
from viewer.scans.files import send_file, send_zip
from viewer.scans.measurements import (
    drop_measurement,
    leave_measurements,
    show_measurements,
    take_measurement,
    tell_measure,
)
from viewer.scans.overrides import change_date, change_series, change_spacing, change_wish
from viewer.scans.page import show_scan, tell_newest
from viewer.scans.reviews import review
from viewer.scans.sent_objects import send_again
from viewer.scans.slices import send_slice, send_thumbnail, send_windows
from viewer.upload.page import begin, give_up, look, show_sent, show_upload, take, take_upload
from viewer.upload.send import send, show_whose
from viewer.worklist.bulk_actions import act_on_scans
from viewer.worklist.export import export_scans
from viewer.worklist.list_layout import choose
from viewer.worklist.page import show_next, show_rows, show_worklist
from viewer.worklist.saved_filters import remove, save

VIEW, CHANGE, DOWNLOAD, REVIEW = Action.VIEW, Action.CHANGE, Action.DOWNLOAD, Action.REVIEW
ELSEWHERE = True  # what it changes is not in the records, or not alone
SCAN, PATIENT, HELD = "/scans/{scan_id}", "/patients/{patient_key}", "/upload/held/{upload}"

OPEN = (
    RouteRule(None, web.get("/healthz", healthz)),
    RouteRule(None, web.get("/metrics", send_metrics)),  # has a token of its own
    RouteRule(None, web.get("/static/canvas/window_shares.js", send_windows)),
    RouteRule(None, web.get("/enter", show_enter)),
    RouteRule(None, web.post("/enter", enter)),
    RouteRule(None, web.get("/login", show_login)),
    RouteRule(None, web.post("/login", take_login)),
    RouteRule(None, web.post("/login/code", take_code)),
    RouteRule(None, web.get("/login/oidc/{way}", start)),
    RouteRule(None, web.get("/login/oidc/{way}/back", come_back)),
)
OWN = (
    RouteRule(Right.VIEW, web.post("/logout", log_out)),
    RouteRule(Right.VIEW, web.post("/activity", stay_active)),
    RouteRule(Right.VIEW, web.get("/account", show_account)),
    RouteRule(Right.VIEW, web.post("/account/password", change_password), CHANGE),
    RouteRule(Right.VIEW, web.post("/account/factor", offer), CHANGE),
    RouteRule(Right.VIEW, web.post("/account/factor/on", turn_factor_on), CHANGE),
    RouteRule(Right.VIEW, web.post("/account/factor/off", turn_factor_off), CHANGE),
    RouteRule(Right.VIEW, web.post("/account/tokens", make_token), CHANGE),
    RouteRule(Right.VIEW, web.post("/account/tokens/{token_id}/revoke", revoke), CHANGE),
    RouteRule(Right.VIEW, web.get("/live", stream)),
    RouteRule(Right.VIEW, web.post("/searches", search)),
)
LISTS = (
    RouteRule(Right.VIEW, web.get("/", show_worklist), VIEW),
    RouteRule(Right.VIEW, web.get("/worklist/rows", show_rows), VIEW),
    RouteRule(Right.REVIEW, web.post("/worklist/act", act_on_scans), REVIEW, ELSEWHERE),
    RouteRule(Right.EXPORT, web.post("/worklist/export", export_scans), Action.EXPORT),
    RouteRule(Right.VIEW, web.post("/worklist/columns", choose), CHANGE),
    RouteRule(Right.VIEW, web.post("/worklist/filters", save), CHANGE),
    RouteRule(Right.VIEW, web.post("/worklist/filters/{number}/remove", remove), CHANGE),
    RouteRule(Right.VIEW, web.get("/next", show_next)),
    RouteRule(Right.VIEW, web.get("/agreement", show_agreement), VIEW),
    RouteRule(Right.VIEW, web.get("/system", show_system), VIEW),
    RouteRule(Right.VIEW, web.get("/system/queue", show_moving), VIEW),
    RouteRule(Right.QUEUE, web.get("/system/associations", show_associations), VIEW),
    RouteRule(Right.VIEW, web.get("/system/months", show_months), VIEW),
    RouteRule(Right.VIEW, web.get("/failed/{number}", show_failed), VIEW),
    RouteRule(Right.QUEUE, web.post("/system", act), CHANGE, ELSEWHERE),
)
PATIENTS = (
    RouteRule(Right.VIEW, web.get("/patients", show_patients), VIEW),
    RouteRule(Right.UPLOAD, web.post("/patients", add), CHANGE),
    RouteRule(Right.UPLOAD, web.get("/patients/new", show_new)),
    RouteRule(Right.VIEW, web.get("/patients/unassigned", show_unassigned), VIEW),
    RouteRule(Right.RECORD, web.post("/patients/unassigned", give_scan), CHANGE),
    RouteRule(Right.RECORD, web.post("/patients/unassigned/back", take_scan_back), CHANGE),
    RouteRule(Right.VIEW, web.get("/patients/deleted", show_deleted), VIEW),
    RouteRule(Right.VIEW, web.get(PATIENT, show_patient), VIEW),
    RouteRule(Right.RECORD, web.post(PATIENT, change), CHANGE),
    RouteRule(Right.RECORD, web.get(f"{PATIENT}/edit", show_edit), VIEW),
    RouteRule(Right.RECORD, web.get(f"{PATIENT}/photo", show_photo_form), VIEW),
    RouteRule(Right.RECORD, web.post(f"{PATIENT}/photo", take_photo), CHANGE),
    RouteRule(Right.RECORD, web.get(f"{PATIENT}/merge", show_merge), VIEW),
    RouteRule(Right.RECORD, web.post(f"{PATIENT}/merge", merge_patients), CHANGE),
    RouteRule(Right.RECORD, web.post(f"{PATIENT}/unmerge", undo_asked), CHANGE),
    RouteRule(Right.RECORD, web.get(f"{PATIENT}/delete", show_delete), VIEW),
    RouteRule(Right.RECORD, web.post(f"{PATIENT}/delete", delete_patient), Action.DELETE),
    RouteRule(Right.RECORD, web.post(f"{PATIENT}/undelete", undo), CHANGE),
    RouteRule(Right.VIEW, web.get(f"{PATIENT}/photo.jpg", send_photo), VIEW),
    RouteRule(Right.VIEW, web.get(f"{PATIENT}/compare", show_compare), VIEW),
)
SCANS = (
    RouteRule(Right.VIEW, web.get(SCAN, show_scan), VIEW),
    RouteRule(Right.VIEW, web.get(f"{SCAN}/newest", tell_newest)),
    RouteRule(Right.VIEW, web.get(f"{SCAN}/files/{{role}}", send_file), DOWNLOAD),
    RouteRule(Right.VIEW, web.get(f"{SCAN}/all.zip", send_zip), DOWNLOAD),
    RouteRule(Right.VIEW, web.get(f"{SCAN}/slices/{{number}}.png", send_slice), VIEW),
    RouteRule(Right.VIEW, web.get(f"{SCAN}/thumb.png", send_thumbnail), VIEW),
    RouteRule(Right.REVIEW, web.post(f"{SCAN}/reviews", review), REVIEW),
    RouteRule(Right.VIEW, web.get(f"{SCAN}/corrections", show_corrections), VIEW),
    RouteRule(Right.REVIEW, web.post(f"{SCAN}/corrections", take_correction), REVIEW),
    RouteRule(Right.REVIEW, web.get(f"{SCAN}/draft", send_draft), VIEW),
    RouteRule(Right.REVIEW, web.put(f"{SCAN}/draft", take_draft)),
    RouteRule(Right.REVIEW, web.delete(f"{SCAN}/draft", drop_draft)),
    RouteRule(Right.VIEW, web.get(f"{SCAN}/measurements", show_measurements), VIEW),
    RouteRule(Right.VIEW, web.get(f"{SCAN}/measure", tell_measure), VIEW),
    RouteRule(Right.REVIEW, web.post(f"{SCAN}/measurements", take_measurement), REVIEW),
    RouteRule(Right.REVIEW, web.post(f"{SCAN}/measurements/remove", drop_measurement), REVIEW),
    RouteRule(Right.REVIEW, web.post(f"{SCAN}/measurements/leave", leave_measurements), REVIEW),
    RouteRule(Right.UPLOAD, web.post(f"{SCAN}/date", change_date), CHANGE),
    RouteRule(Right.UPLOAD, web.post(f"{SCAN}/spacing", change_spacing), CHANGE),
    RouteRule(Right.REVIEW, web.post(f"{SCAN}/anyway", change_wish), CHANGE),
    RouteRule(Right.REVIEW, web.post(f"{SCAN}/series", change_series), CHANGE),
    RouteRule(Right.QUEUE, web.post(f"{SCAN}/send", send_again), CHANGE, ELSEWHERE),
)
UPLOADS = (
    RouteRule(Right.UPLOAD, web.get("/upload", show_upload), VIEW),
    RouteRule(Right.UPLOAD, web.post("/upload", take_upload), Action.UPLOAD, ELSEWHERE),
    RouteRule(Right.UPLOAD, web.get("/upload/sent", show_sent), VIEW),
    RouteRule(Right.UPLOAD, web.post("/upload/held", begin)),
    RouteRule(Right.UPLOAD, web.put(f"{HELD}/files", take)),
    RouteRule(Right.UPLOAD, web.post(f"{HELD}/look", look)),
    RouteRule(Right.UPLOAD, web.post(f"{HELD}/whose", show_whose)),
    RouteRule(Right.UPLOAD, web.post(f"{HELD}/send", send), Action.UPLOAD, ELSEWHERE),
    RouteRule(Right.UPLOAD, web.post(f"{HELD}/cancel", give_up)),
)
ADMINISTRATION = (
    RouteRule(Right.ADMIN, web.get("/accounts", show_accounts), VIEW),
    RouteRule(Right.ADMIN, web.post("/accounts", add_account), CHANGE),
    RouteRule(Right.ADMIN, web.post("/accounts/{account_id}", change_account), CHANGE),
    RouteRule(Right.ADMIN, web.get("/audit", show_audit), VIEW),
    RouteRule(Right.ADMIN, web.get("/audit.csv", send_audit), Action.EXPORT),
)
ROUTES = (*OPEN, *OWN, *LISTS, *PATIENTS, *SCANS, *UPLOADS, *ADMINISTRATION, *API)
