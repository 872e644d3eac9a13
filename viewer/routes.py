"""Every address of the viewer: who may come in, the function that answers, what the audit notes."""

from aiohttp import web

from daemon.index.audit import Action
from daemon.roles import Right
from viewer.account_page import change_password, make_token, revoke, show_account
from viewer.accounts_page import add_account, change_account, show_accounts
from viewer.audit_page import send_audit, show_audit
from viewer.dating import change_date
from viewer.doors import Door
from viewer.health import healthz
from viewer.live import stream
from viewer.login import enter, log_out, show_login, stay_active, take_login
from viewer.metrics import send_metrics
from viewer.patient_editing import add, change, show_edit, show_new
from viewer.patients import show_patient, show_patients
from viewer.reviewing import review
from viewer.scan_files import send_file
from viewer.scan_page import show_scan
from viewer.searching import search
from viewer.upload_page import show_upload, take_upload
from viewer.worklist import show_worklist

VIEW, CHANGE = Action.VIEW, Action.CHANGE
SCAN, PATIENT = "/scans/{scan_id}", "/patients/{patient_key}"

OPEN = (
    Door(None, web.get("/healthz", healthz)),
    Door(None, web.get("/metrics", send_metrics)),  # has a token of its own
    Door(None, web.get("/enter", enter)),
    Door(None, web.get("/login", show_login)),
    Door(None, web.post("/login", take_login)),
)
EVERYBODY = (
    Door(Right.VIEW, web.post("/logout", log_out)),
    Door(Right.VIEW, web.post("/activity", stay_active)),
    Door(Right.VIEW, web.get("/account", show_account)),
    Door(Right.VIEW, web.post("/account/password", change_password), CHANGE),
    Door(Right.VIEW, web.post("/account/tokens", make_token), CHANGE),
    Door(Right.VIEW, web.post("/account/tokens/{token_id}/revoke", revoke), CHANGE),
    Door(Right.VIEW, web.get("/live", stream)),
    Door(Right.VIEW, web.post("/searches", search)),
)
PAGES = (
    Door(Right.VIEW, web.get("/", show_worklist), VIEW),
    Door(Right.VIEW, web.get("/patients", show_patients), VIEW),
    Door(Right.VIEW, web.get(PATIENT, show_patient), VIEW),
    Door(Right.VIEW, web.get(SCAN, show_scan), VIEW),
    Door(Right.VIEW, web.get(f"{SCAN}/files/{{role}}", send_file), Action.DOWNLOAD),
)
CHANGES = (
    Door(Right.UPLOAD, web.get("/upload", show_upload), VIEW),
    Door(Right.UPLOAD, web.post("/upload", take_upload), Action.UPLOAD),
    Door(Right.UPLOAD, web.post(f"{SCAN}/date", change_date), CHANGE),
    Door(Right.REVIEW, web.post(f"{SCAN}/reviews", review), Action.REVIEW),
    Door(Right.UPLOAD, web.get("/patients/new", show_new)),
    Door(Right.UPLOAD, web.post("/patients", add), CHANGE),
    Door(Right.RECORD, web.get(f"{PATIENT}/edit", show_edit), VIEW),
    Door(Right.RECORD, web.post(PATIENT, change), CHANGE),
)
ADMINISTRATION = (
    Door(Right.ADMIN, web.get("/accounts", show_accounts), VIEW),
    Door(Right.ADMIN, web.post("/accounts", add_account), CHANGE),
    Door(Right.ADMIN, web.post("/accounts/{account_id}", change_account), CHANGE),
    Door(Right.ADMIN, web.get("/audit", show_audit), VIEW),
    Door(Right.ADMIN, web.get("/audit.csv", send_audit), Action.EXPORT),
)
# In the order in which addresses are tried: "/patients/new" is no patient's key.
DOORWAYS = (*OPEN, *EVERYBODY, *CHANGES, *PAGES, *ADMINISTRATION)
