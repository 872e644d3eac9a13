"""One drop from ingest to publication; after a failure it is tried again or rejected, only here."""

import asyncio
import logging
import os
from dataclasses import asdict, replace
from pathlib import Path

from daemon.drops import OF_PUBLISHED, SOURCE, UNASSIGNED, Drop, DropKind, State
from daemon.index import ledger
from daemon.index.database import now
from daemon.index.patient_scans import is_in_conflict
from daemon.index.people.overrides import find_wish
from daemon.index.people.patients import correct_patient, fill_patient
from daemon.index.queue import LONGEST_DELAY, count_done, have_come
from daemon.index.scans import (
    ScanRow,
    find_scan,
    patients_with_content,
    row_of_report,
    scan_of_study,
)
from daemon.intake import cleanup
from daemon.intake.dropped_files import FilesChanged
from daemon.intake.given_archives import FILES, put_in_place, scan_given, take_out
from daemon.intake.ingest import Intake
from daemon.intake.patient_folders import patients_of
from daemon.intake.study_split import part_by_study
from daemon.outputs.catalogue import text
from daemon.outputs.wording import CORRECTED
from daemon.pipeline import worker_tasks
from daemon.pipeline.outbox import (
    hashes_of,
    keep_beside,
    publish,
    published_report,
    revision_folder,
    staging_folder,
)
from daemon.pipeline.patient_data_revision import relabel_into
from daemon.pipeline.published_match import scan_before
from daemon.pipeline.review_object_tasks import tell_refusal
from daemon.pipeline.revisions import compare_again, correct, earlier_of, past_of
from daemon.pipeline.running_scans import Job
from daemon.pipeline.worker_processes import WorkerFailed
from daemon.records.overrides import (
    is_spaced_anew,
    is_wished_anew,
    queue_if_spaced,
    queue_if_wished,
)
from daemon.records.patients import came_by_drop, come_again
from daemon.report import Report
from model.errors import GliowatchError
from model.reading.dicom.patient_tags import Identity
from model.volume import Note, note

log = logging.getLogger(__name__)

MAY_BE_SEVERAL = (DropKind.DICOM, DropKind.ZIP)  # studies


async def process(job: Job) -> State:
    """Take one drop to its end; the state that it reached. All errors of a scan end here."""
    try:
        state = await _process(job)
    except ledger.LeaseLost:
        log.warning("lease_lost", extra={"drop": job.queued.drop_id})
        return State.WAITING
    if state is not State.WAITING and job.queued.drop.kind not in OF_PUBLISHED:
        await _show_patient(job)
    return state


async def _show_patient(job: Job) -> None:
    """A patient who was deleted while the drop waited or ran is listed again."""
    try:
        await come_again(job.index, job.records, [job.queued.drop.patient_id])
    except Exception:  # the drop itself has ended well, and the next one of the patient tries again
        log.exception("unexpected", extra={"drop": job.queued.drop_id})


async def _process(job: Job) -> State:
    drop_id = job.queued.drop_id
    try:
        with staging_folder(job.settings.daemon.outbox, f"{drop_id}-{job.queued.token}") as staging:
            return await _by_kind(job, staging)
    except FilesChanged:
        await ledger.put_back(job.index, job.queued, rested=False, count_attempt=False)
        return State.WAITING
    except ledger.LeaseLost:
        raise
    except WorkerFailed as error:
        return await _failed_attempt(job, error)
    except GliowatchError as error:
        return await _reject(job, str(error))
    except OSError as error:  # a full or missing disk is no fault of the scan: it waits
        log.warning("storage_trouble", extra={"drop": drop_id, "errno": error.errno})
        again = job.queued.drop.kind in OF_PUBLISHED
        await ledger.put_back(job.index, job.queued, rested=again, count_attempt=False)
        return State.WAITING
    except Exception:
        log.exception("unexpected", extra={"drop": drop_id})
        return await _failed_attempt(job, GliowatchError(text("intake.not_processed")))


async def _by_kind(job: Job, staging: Path) -> State:
    drop = job.queued.drop
    if drop.kind is DropKind.LOOSE:
        return await _file(job)
    if drop.kind is DropKind.AGAIN:
        return await _reprocess(job, staging)
    if drop.kind is DropKind.COMPARE:
        return await compare_again(job, staging)
    if drop.kind is DropKind.CORRECT:
        return await correct(job, staging)
    if drop.kind in MAY_BE_SEVERAL and not drop.is_one_study:
        inbox = job.settings.daemon.inbox
        studies = await job.in_worker(part_by_study, inbox, drop, staging)
        if len(studies) > 1:
            is_packed = drop.kind is DropKind.ZIP
            assigned = await find_scan(job.index, scan_given(drop)) if is_packed else None
            if assigned is not None:
                return await _take_out(job, staging, assigned)
            return await _split(job, studies)
    return await _analyze(job, staging)


async def _file(job: Job) -> State:
    """Files go into their patients' folders, where they are a new drop."""
    daemon, drop = job.settings.daemon, job.queued.drop
    patients = await job.in_worker(patients_of, daemon.inbox, drop, daemon.folder)
    for file, patient in patients.items():
        cleanup.file_under(daemon.inbox, file, patient)
    job.filed.add(drop.files)
    await ledger.withdraw(job.index, job.queued.drop_id)
    log.info("filed", extra={"drop": job.queued.drop_id, "files": len(patients)})
    return State.DONE


async def _take_out(job: Job, staging: Path, scan: ScanRow) -> State:
    """Of an archive of several scans the patient gets that one which a person assigned."""
    inbox, drop = job.settings.daemon.inbox, job.queued.drop
    await job.in_worker(take_out, inbox, drop, staging, scan.study_uid)
    await asyncio.to_thread(put_in_place, inbox, drop, staging / FILES)
    await ledger.withdraw(job.index, job.queued.drop_id)
    log.info("taken_out", extra={"drop": job.queued.drop_id, "scan": scan.scan_id})
    return State.DONE


async def _split(job: Job, studies: tuple[Drop, ...]) -> State:
    """Several studies in one folder are several scans: each is a drop of its own from now on."""
    await ledger.split(job.index, job.queued.drop_id, studies)
    log.info("split", extra={"drop": job.queued.drop_id, "studies": len(studies)})
    return State.DONE


async def _analyze(job: Job, staging: Path) -> State:
    drop = job.queued.drop
    inbox = job.settings.daemon.inbox
    intake: Intake = await job.in_worker(worker_tasks.receive, inbox, drop, staging)
    if intake.has_none:
        return await _keep_beside(job, staging, intake)
    scan, doubtful = await scan_before(job, staging, intake)
    intake = replace(intake, doubtful=doubtful)
    if scan is None:
        return await _analyze_intake(job, staging, intake, drop.patient_folder)
    folder = job.settings.daemon.outbox / os.fsdecode(scan.folder)
    says_nothing = not intake.pictures or not (folder / SOURCE).is_dir()
    if says_nothing or await have_come(job.index, scan.scan_id, intake.hashes.values()):
        return await _known(job, intake, scan)
    earlier = earlier_of(job.settings.daemon.outbox, scan)
    joined = await job.in_worker(worker_tasks.receive_late, staging, intake, earlier)
    if joined is None or (joined.earlier is None and scan.scan_id == intake.scan_id):
        return await _known(job, intake, scan)
    return await _analyze_intake(job, staging, joined, drop.patient_folder)


async def _keep_beside(job: Job, staging: Path, intake: Intake) -> State:
    """Objects without a picture for us are kept beside their study, quietly; twice: a duplicate."""
    if await count_done(job.index, intake.scan_id):
        return await _duplicate(job, intake.scan_id)
    study = intake.study
    patient_id = job.queued.drop.patient_id
    scan = await scan_of_study(job.index, patient_id, study.uid) if study else None
    outbox, own = job.settings.daemon.outbox, intake.scan_id
    keep_beside(staging, outbox, scan.scan_id if scan else own, own)
    await ledger.finish_beside(job.index, job.queued, own, intake.hashes)
    log.info("kept_beside", extra={"drop": job.queued.drop_id, "scan": own})
    return State.DONE


async def _reprocess(job: Job, staging: Path) -> State:
    """A published scan is analyzed anew, unless the same weights analyzed it in the same way."""
    scan_id = job.queued.drop.scan_to_analyze
    scan = await find_scan(job.index, scan_id)
    folder = job.settings.daemon.outbox / os.fsdecode(scan.folder) if scan else None
    if scan is None or folder is None or not folder.is_dir():
        return await _reject(job, text("intake.nothing_to_reprocess"))
    used = scan.report.model
    weights = await job.in_worker(worker_tasks.warm_up, job.rules)
    is_as_before = (used.weights_sha256, used.threshold) == (weights, job.rules.threshold)
    is_asked = await is_spaced_anew(job.records, scan) or await is_wished_anew(job.records, scan)
    if is_as_before and not is_asked:
        return await _duplicate(job, scan_id)
    earlier = earlier_of(job.settings.daemon.outbox, scan)
    intake = await job.in_worker(worker_tasks.receive_again, staging, earlier)
    return await _analyze_intake(job, staging, intake, os.path.dirname(scan.folder))


async def _analyze_intake(job: Job, staging: Path, intake: Intake, patient_folder: bytes) -> State:
    outbox = job.settings.daemon.outbox
    folder = revision_folder(patient_folder, intake.scan_id, intake.revision)
    # one that lies there already: a crash came before the commit, or the index went
    report = published_report(outbox, folder, intake.scan_id)
    if report is not None:
        return await _adopt(job, intake, folder, report)
    async with job.turns.of(intake.content_sha256, *intake.dicom_ids):
        return await _analyze_new(job, staging, intake, patient_folder)


async def _analyze_new(job: Job, staging: Path, intake: Intake, patient_folder: bytes) -> State:
    outbox = job.settings.daemon.outbox
    folder = revision_folder(patient_folder, intake.scan_id, intake.revision)
    await _correct_record(job, intake)
    notes = await _doubts(job, intake)
    before = await find_scan(job.index, intake.scan_id) if intake.changes else None
    wish = await find_wish(job.records, intake.scan_id)
    if before is not None and before.content_sha256 == intake.content_sha256:
        patient = await job.entered() or Identity(before.report.patient_id)
        report = await job.in_worker(
            relabel_into,
            staging,
            intake,
            before.report,
            notes,
            job.rules.flair,
            worker_tasks.Circumstances(entered=patient, asked=job.asked),
        )
    else:
        is_wanted, series = (wish.is_wanted, wish.series) if wish else (False, None)
        rules = replace(job.rules, anyway=is_wanted, series=series if is_wanted else None)
        past = await past_of(job, intake.scan_id, patient_folder)
        known = worker_tasks.Circumstances(outbox, past, await job.entered(), job.asked)
        report = await replace(job, rules=rules).analyzed(staging, intake, notes, known)
    publish(staging, outbox / folder)
    state = await _enter(job, intake, folder=folder, report=report, state=State.DONE, event="done")
    await queue_if_spaced(job.index, job.records, intake.scan_id)
    await queue_if_wished(job.index, job.records, intake.scan_id, wish)
    return state


async def _correct_record(job: Job, intake: Intake) -> None:
    """The patient's record follows what the same pictures say now."""
    patient_id = job.queued.drop.patient_id
    if intake.changes and patient_id != UNASSIGNED:
        told = {each.field: (each.before, each.after) for each in intake.changes}
        await correct_patient(job.records, patient_id, told)


async def _known(job: Job, intake: Intake, scan: ScanRow) -> State:
    """A duplicate, unless it is the very drop that made it, before a crash came."""
    if await count_done(job.index, scan.scan_id) < scan.revision:
        folder = job.settings.daemon.outbox / os.fsdecode(scan.folder)
        kept = await job.in_worker(worker_tasks.hashes_of_source, folder)
        if set(intake.hashes.values()) <= kept:
            return await _end(job, intake, scan, State.DONE, "taken_over")
    return await _duplicate(job, scan.scan_id, intake)


async def _duplicate(job: Job, scan_id: str, intake: Intake | None = None) -> State:
    dicom_ids = intake.dicom_ids if intake else ()
    hashes = intake.hashes if intake else None
    await ledger.finish_duplicate(job.index, job.queued, scan_id, dicom_ids, hashes)
    await came_by_drop(job.index, job.records, scan_id, job.queued.drop)
    log.info("duplicate", extra={"drop": job.queued.drop_id, "scan": scan_id})
    return State.DUPLICATE


async def _doubts(job: Job, intake: Intake) -> tuple[Note, ...]:
    """What the index knows against filing this scan under this patient: it is filed and flagged."""
    drop = job.queued.drop
    others = await patients_with_content(job.index, intake.content_sha256)
    notes: tuple[Note, ...] = (note("filed_twice"),) if others - {drop.patient_id} else ()
    ids = intake.dicom_ids
    if await is_in_conflict(job.index, drop.patient_id, ids, intake.corrected_id):
        notes += (note("identity_conflict"),)
    if intake.doubtful:
        notes += (note("may_belong"),)
    if intake.earlier is None:
        return notes
    if intake.changes:
        changed = ", ".join(text(f"record.{each.field}") for each in intake.changes)
        notes += (note(CORRECTED, fields=changed),)
    known = await find_scan(job.index, intake.scan_id)
    if intake.changes and known and known.content_sha256 == intake.content_sha256:
        return notes
    return (*notes, note("late_files" if intake.hashes else "judged_again"))


async def _adopt(job: Job, intake: Intake, folder: Path, report: Report) -> State:
    """Enter a result that lies in the outbox already.

    Only files that its `source/` holds byte for byte may leave the inbox as done. A revision of
    other content is entered alone: the drop is tried again, and joins it.
    """
    is_uncorrected = bool(intake.changes) and not report.has_note(CORRECTED)
    if report.input.sha256 != intake.content_sha256 or is_uncorrected:
        scan = _row(job, folder, report)
        await ledger.take_over(job.index, scan)
        await ledger.put_back(job.index, job.queued, rested=True, count_attempt=False)
        return State.WAITING
    kept = await job.in_worker(worker_tasks.hashes_of_source, job.settings.daemon.outbox / folder)
    whole = set(intake.hashes.values()) <= kept
    state = State.DONE if whole else State.DUPLICATE
    return await _enter(job, intake, folder=folder, report=report, state=state, event="taken_over")


async def _enter(
    job: Job, intake: Intake, folder: Path, report: Report, state: State, event: str
) -> State:
    return await _end(job, intake, _row(job, folder, report), state, event)


def _row(job: Job, folder: Path, report: Report) -> ScanRow:
    hashes = hashes_of(job.settings.daemon.outbox / folder)
    return row_of_report(report, os.fsencode(folder), now(), hashes)


async def _end(job: Job, intake: Intake, scan: ScanRow, state: State, event: str) -> State:
    await _correct_record(job, intake)
    await ledger.finish(
        job.index,
        job.queued,
        scan=scan,
        hashes=intake.hashes,
        dicom_ids=intake.dicom_ids,
        state=state,
        corrected_id=intake.corrected_id,
    )
    await came_by_drop(job.index, job.records, scan.scan_id, job.queued.drop)
    if len(intake.identities) == 1 and scan.patient_id != UNASSIGNED:
        told = asdict(intake.identities[0])
        del told["patient_id"]
        await fill_patient(job.records, scan.patient_id, told)
    log.info(
        event,
        extra={"drop": job.queued.drop_id, "scan": scan.scan_id, "finding": scan.finding},
    )
    return state


async def _failed_attempt(job: Job, error: GliowatchError) -> State:
    """A scan that kills or hangs its worker is tried again, but not for ever."""
    attempts = job.queued.attempts
    if attempts >= job.settings.daemon.attempts:
        return await _reject(job, text("intake.attempts", reason=error, count=attempts))
    log.warning("attempt_failed", extra={"drop": job.queued.drop_id, "attempt": attempts})
    delay = min(job.settings.daemon.retry_seconds * 2 ** (attempts - 1), LONGEST_DELAY)
    await ledger.put_back(job.index, job.queued, True, count_attempt=True, delay=delay)
    return State.WAITING


async def _tell_refusal(job: Job, reason: str) -> None:
    """An SR for the PACS, in which the study would else look as if it had never come."""
    daemon, drop = job.settings.daemon, job.queued.drop
    if drop.kind not in (DropKind.DICOM, DropKind.ZIP):
        return
    try:
        await job.in_worker(tell_refusal, daemon.inbox, drop, daemon.outbox, reason)
    except (GliowatchError, OSError):  # the files may be what kills a reader: the reason stands
        log.warning("refusal_not_told", extra={"drop": job.queued.drop_id})
    except Exception:  # hostile bytes raise many kinds, and the drop is to end in any case
        log.exception("refusal_not_told", extra={"drop": job.queued.drop_id})


async def _reject(job: Job, reason: str) -> State:
    await _tell_refusal(job, reason)
    await ledger.reject(job.index, job.queued, reason)
    log.warning("rejected", extra={"drop": job.queued.drop_id, "reason": reason})
    return State.REJECTED
