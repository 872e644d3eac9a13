"""What in the settings contradicts this machine: its folders, disks, memory, processors, ports."""

import errno
import os
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from daemon.notifications.settings_check import notify_on_machine
from daemon.operations.contradictions import contradictions
from daemon.safe_files import group_number, is_at_work
from daemon.settings import Settings, SettingsError, ViewerSettings
from daemon.settings.archives import FILES, Partner
from daemon.settings.errors import Fault, Stops
from daemon.settings.login import HospitalLogin
from daemon.settings.workers import WorkersSettings

GIGA = 1e9
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
MOUNTS = Path("/proc/self/mounts")
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "ceph", "afs", "glusterfs"}
Rule = Callable[[Settings], Iterator[Fault]]


def all_faults(settings: Settings) -> list[Fault]:
    """What contradicts another setting, then what contradicts this machine."""
    return contradictions(settings) + [fault for rule in RULES for fault in rule(settings)]


def refuse_contradictions(settings: Settings, with_viewer: bool) -> None:
    """Raises SettingsError for what must not start: before anything is made or opened."""
    stopping = {Stops.RUN, Stops.VIEWER} if with_viewer else {Stops.RUN}
    beside = (_node, _sending, _priors, _fhir, _workers, _providers, notify_on_machine)
    rules = (contradictions, _weights, _group, *beside)
    found = [fault for rule in rules for fault in rule(settings)]
    for fault in [*found, *(_encryption(settings) if with_viewer else ())]:
        if fault.stops in stopping:
            raise SettingsError(fault.sentence)


def refuse_open_node(settings: Settings) -> None:
    """For a node that starts by itself, whether the settings have it on or not.

    Raises SettingsError.
    """
    is_on = settings.model_copy(update={"dicom": settings.dicom.model_copy(update={"on": True})})
    refuse_contradictions(is_on, with_viewer=False)


def free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises OSError if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as probe:
        return int(probe.getsockname()[1])


def tls_context(viewer: ViewerSettings) -> ssl.SSLContext | None:
    """What the viewer encrypts with, None for nothing. Raises SettingsError."""
    if not viewer.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(viewer.tls_certificate, viewer.tls_key or None)
    except (OSError, ssl.SSLError):
        key = f" with viewer.tls_key, {viewer.tls_key}" if viewer.tls_key else ""
        raise SettingsError(
            "The certificate or the key of the viewer cannot be read:"
            f" viewer.tls_certificate, {viewer.tls_certificate}{key}."
        ) from None
    return context


def memory_bytes() -> int:
    """Of this machine, or of the container that this process is in, if it has less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in LIMITS:
        if file.exists() and (text := file.read_text().strip()).isdecimal():
            total = min(total, int(text))
    return total


def _folders(settings: Settings) -> Iterator[Fault]:
    for key, path in (
        ("daemon.inbox", settings.daemon.inbox),
        ("daemon.outbox", settings.daemon.outbox),
    ):
        if not os.path.lexists(path):
            yield Fault((key,), f"{key}, {path}, is not there: make this folder, or name another.")
        elif not path.is_dir():
            yield Fault((key,), f"{key}, {path}, is not a folder.")
        elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            yield Fault((key,), f"{key}, {path}, cannot be read and written by this user.")


def _files(settings: Settings) -> Iterator[Fault]:
    daemon = settings.daemon
    for key, path in (("daemon.index", daemon.index), ("daemon.records", daemon.records)):
        if path.is_dir():
            yield Fault((key,), f"{key}, {path}, is a folder, and should be a file.")
        elif not _can_write(path):
            yield Fault((key,), f"{key}, {path}, cannot be written by this user.")
        elif kind := network_of(path):
            sentence = (
                f"{key}, {path}, is on a network share ({kind}): name a file on a local disk."
            )
            yield Fault((key,), sentence)
    if daemon.copies.exists() and not daemon.copies.is_dir():
        yield Fault(("daemon.copies",), f"daemon.copies, {daemon.copies}, is not a folder.")
    elif not _can_write(daemon.copies):
        sentence = f"daemon.copies, {daemon.copies}, cannot be written by this user."
        yield Fault(("daemon.copies",), sentence)


def _group(settings: Settings) -> Iterator[Fault]:
    group = settings.daemon.group
    if not group:
        return
    number = group_number(group)
    if number is None:
        sentence = f'daemon.group = "{group}" is not a group of this machine.'
        yield Fault(("daemon.group",), sentence, Stops.RUN)
    elif os.geteuid() and number not in (os.getegid(), *os.getgroups()):
        sentence = f'daemon.group = "{group}" is not a group that this user is in.'
        yield Fault(("daemon.group",), sentence, Stops.RUN)


def _watching(settings: Settings) -> Iterator[Fault]:
    daemon = settings.daemon
    if daemon.watch == "events" and (kind := network_of(daemon.inbox)):
        sentence = (
            f"daemon.inbox, {daemon.inbox}, is on a network share ({kind}), which tells no events:"
            ' set daemon.watch = "polling".'
        )
        yield Fault(("daemon.watch", "daemon.inbox"), sentence)


def _weights(settings: Settings) -> Iterator[Fault]:
    weights = settings.model.weights
    if weights and not Path(weights).is_file():
        sentence = f'model.weights, {weights}, is not there; "" stands for the weights shipped.'
        yield Fault(("model.weights",), sentence, Stops.RUN)


def _encryption(settings: Settings) -> Iterator[Fault]:
    try:
        tls_context(settings.viewer)
    except SettingsError as error:
        yield Fault(("viewer.tls_certificate", "viewer.tls_key"), str(error), Stops.VIEWER)


def _port(settings: Settings) -> Iterator[Fault]:
    """Nothing is said while the daemon of these settings is at work: its viewer has the port."""
    viewer = settings.viewer
    if is_at_work(settings.daemon.index):
        return
    try:
        free_port(viewer.host, viewer.port)
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "another program has this port; 0 stands for any free one",
            errno.EACCES: "this user may not use this port",
        }
        why = reasons.get(error.errno or 0, "this machine has no such address")
        sentence = f"The viewer cannot listen on viewer.host {viewer.host}, viewer.port"
        yield Fault(("viewer.host", "viewer.port"), f"{sentence} {viewer.port}: {why}.")


def _node(settings: Settings) -> Iterator[Fault]:
    dicom = settings.dicom
    if dicom.on and find_spec("pynetdicom") is None:
        sentence = "dicom.on needs further packages: pip install 'gliowatch[dicom]'."
        yield Fault(("dicom.on",), sentence, Stops.RUN)
    for key in ("tls_certificate", "tls_key", "tls_ca"):
        file = getattr(dicom, key)
        if file and not os.access(file, os.R_OK):
            sentence = f"dicom.{key}, {file}, cannot be read by this user."
            yield Fault((f"dicom.{key}",), sentence, Stops.RUN if dicom.on else Stops.NOTHING)


def _sending(settings: Settings) -> Iterator[Fault]:
    """What a destination of results needs on this machine."""
    for to in settings.dicom.send:
        whys = [why for _, why in _of_partner(to)]
        if to.protocol == "C-STORE" and find_spec("pynetdicom") is None:
            whys.append("C-STORE needs further packages: pip install 'gliowatch[dicom]'.")
        for why in whys:
            yield Fault(("dicom.send",), f'[[dicom.send]]: "{to.name}": {why}', Stops.RUN)


def _priors(settings: Settings) -> Iterator[Fault]:
    if settings.dicom.priors.on:
        for key, why in _of_partner(settings.dicom.priors):
            yield Fault((f"dicom.priors.{key}",), f"dicom.priors: {why}", Stops.RUN)


def _fhir(settings: Settings) -> Iterator[Fault]:
    if settings.fhir.url:
        for key, why in _of_partner(settings.fhir, "token_file"):
            yield Fault((f"fhir.{key}",), f"fhir: {why}", Stops.RUN)


def _of_partner(to: Partner, *files: str) -> Iterator[tuple[str, str]]:
    """What a table lacks on this machine: its key, and why."""
    if to.header_variable and ":" not in os.environ.get(to.header_variable, ""):
        why = f"the variable {to.header_variable} holds no header such as Name: value."
        yield "header_variable", why
    for key in (*FILES, *files):
        file = getattr(to, key)
        if file and not os.access(file, os.R_OK):
            yield key, f"{key}, {file}, cannot be read by this user."


def _workers(settings: Settings) -> Iterator[Fault]:
    yield from worker_faults(settings.workers)


def worker_faults(workers: WorkersSettings) -> Iterator[Fault]:
    """What workers on other machines need here."""
    if workers.on and find_spec("distributed") is None:
        sentence = "workers.address needs further packages: pip install 'gliowatch[workers]'."
        yield Fault(("workers.address",), sentence, Stops.RUN)
    for key in FILES:
        file = getattr(workers, key)
        if file and not os.access(file, os.R_OK):
            sentence = f"workers.{key}, {file}, cannot be read by this user."
            yield Fault((f"workers.{key}",), sentence, Stops.RUN if workers.on else Stops.NOTHING)


def _providers(settings: Settings) -> Iterator[Fault]:
    """What a login by the hospital's accounts needs on this machine."""
    providers = settings.login.oidc
    if providers and find_spec("authlib") is None:
        sentence = "[[login.oidc]] needs further packages: pip install 'gliowatch[oidc]'."
        yield Fault(("login.oidc",), sentence, Stops.VIEWER)
    for each in providers:
        for why in _missing_secrets(each):
            yield Fault(("login.oidc",), f'[[login.oidc]]: "{each.name}": {why}', Stops.VIEWER)
    ldap = settings.login.ldap
    if ldap.on and find_spec("ldap3") is None:
        sentence = "[login.ldap] needs further packages: pip install 'gliowatch[ldap]'."
        yield Fault(("login.ldap",), sentence, Stops.VIEWER)
    for why in _missing_secrets(ldap) if ldap.on else ():
        yield Fault(("login.ldap",), f"[login.ldap]: {why}", Stops.VIEWER)


def _missing_secrets(login: HospitalLogin) -> Iterator[str]:
    """Files and variables that a way in names and that do not hold what they should."""
    for key in ("ca", "secret_file"):
        file = getattr(login, key)
        if file and not os.access(file, os.R_OK):
            yield f"{key}, {file}, cannot be read by this user."
    if login.secret_variable and not os.environ.get(login.secret_variable):
        yield f"the variable {login.secret_variable} is not set."


def _memory(settings: Settings) -> Iterator[Fault]:
    daemon, total = settings.daemon, memory_bytes() / GIGA
    each = daemon.worker_memory_gb
    wanted = daemon.slots * each
    if wanted > total:
        sentence = (
            f"daemon.slots = {daemon.slots} times daemon.worker_memory_gb = {each:g} is {wanted:g}"
            f" GB, and this machine has {total:.1f} GB: lower one of them."
        )
        yield Fault(("daemon.slots", "daemon.worker_memory_gb"), sentence)
    if settings.viewer.slice_memory_mb / 1000 > total:
        sentence = (
            f"viewer.slice_memory_mb = {settings.viewer.slice_memory_mb} is more than the"
            f" {total:.1f} GB of this machine."
        )
        yield Fault(("viewer.slice_memory_mb",), sentence)


def _processors(settings: Settings) -> Iterator[Fault]:
    there, threads = os.cpu_count() or 1, settings.model.threads
    if threads > there:
        sentence = f"model.threads = {threads} is more than the {there} processors of this machine."
        yield Fault(("model.threads",), sentence)


def _disk(settings: Settings) -> Iterator[Fault]:
    daemon = settings.daemon
    disk = shutil.disk_usage(_existing(daemon.outbox))
    total, free = disk.total / GIGA, disk.free / GIGA
    reserve = f"daemon.reserve_gb = {daemon.reserve_gb:g}"
    if daemon.reserve_gb > total:
        sentence = f"{reserve} is more than the whole disk of the outbox, {total:.1f} GB: no scan"
        yield Fault(("daemon.reserve_gb",), f"{sentence} would ever start.")
    elif daemon.reserve_gb > free:
        sentence = f"{reserve}, and the disk of the outbox has {free:.1f} GB free: no scan starts"
        yield Fault(("daemon.reserve_gb", "daemon.outbox"), f"{sentence} before there is room.")
    elif daemon.keep_gb + daemon.reserve_gb > total:
        sentence = (
            f"daemon.keep_gb = {daemon.keep_gb:g} and {reserve} are more than the disk of the"
            f" outbox, {total:.1f} GB: it would be full before anything is deleted."
        )
        yield Fault(("daemon.keep_gb", "daemon.reserve_gb"), sentence)


def network_of(path: Path) -> str:
    """The kind of network share that a path is on, '' for a local disk."""
    place, best = str(_existing(path).resolve()), ("", "")
    for line in MOUNTS.read_text("utf-8", "replace").splitlines() if MOUNTS.exists() else ():
        _, point, kind, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        is_above = place == point or place.startswith(f"{point.rstrip('/')}/")
        if is_above and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1] if best[1] in NETWORK else ""


def _existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def _can_write(path: Path) -> bool:
    """Whether a file can be changed, or made where its folders are still to be made."""
    there = _existing(path)
    return os.access(there, os.W_OK) and (there == path or there.is_dir())


RULES: tuple[Rule, ...] = (
    _folders,
    _files,
    _group,
    _watching,
    _weights,
    _encryption,
    _port,
    _node,
    _sending,
    _priors,
    _fhir,
    _workers,
    _providers,
    notify_on_machine,
    _memory,
    _processors,
    _disk,
)
