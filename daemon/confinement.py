"""What a worker's process may touch; the kernel refuses all else, whatever a decoder is made to do.

Files by Landlock (https://docs.kernel.org/userspace-api/landlock.html), sockets, programs and new
processes by seccomp, sizes by resource limits. None of it needs root, and none can be taken back.
"""

import ctypes
import errno
import logging
import os
import platform
import resource
import select
import struct
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.settings import Settings

log = logging.getLogger(__name__)

# Of what runs: the interpreter, its libraries, and what they look at when they are loaded.
SYSTEM = (
    *("/usr", "/lib", "/lib64", "/sys", "/dev"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/os-release"),
)
DEVICES = ("/dev/null", "/dev/shm", "/dev/nvidia*", "/dev/nvidia-caps/*")
OPEN_FILES = 4096
LARGEST_FILE = 16 << 30  # bytes
ADDRESS_SPACE = 16 << 30  # bytes that may be reserved beside those that may be held

NO_NEW_PRIVILEGES, SECCOMP = 38, 22  # prctl
RULESET, ADD_RULE, RESTRICT = 444, 445, 446  # system calls, the same on every processor
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
WRITE = 1 << 1 | sum(1 << bit for bit in (*range(4, 12), *range(12, 15)))  # make, remove, truncate
DEVICE_CONTROL = 1 << 15
NEW_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # rights known to a version; 16 from the fifth on
TCP = 0b11  # bind and connect, from version 4 on
SCOPED = 0b11  # abstract sockets and signals stay inside, from version 6 on

ALLOW, REFUSE, ABSENT = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
THREAD = 0x00010000  # a flag of clone: a thread, no new process
ARCHITECTURES = {"x86_64": (0xC000003E, 56), "aarch64": (0xC00000B7, 220)}  # its number; clone's
REFUSED = {  # numbers of these system calls on both; None: there is no such call
    "socket": (41, 198),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "open_by_handle_at": (304, 265),
}
CLONE3, OTHER_ABI = 435, 0x40000000


@dataclass(frozen=True)
class Bounds:
    """Folders below which a process may read, and change files; how much memory it may hold.

    guarded: what it must not read even where a folder of Python modules lies around it.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    memory_bytes: int
    guarded: tuple[Path, ...] = ()


def bounds_of_scans(settings: Settings) -> Bounds | None:
    """For what analyzes scans: the inbox, the outbox, and the weights that the settings name."""
    daemon, weights = settings.daemon, settings.model.weights
    readable = (daemon.inbox, *((Path(weights),) if weights else ()))
    return _bounds(settings, readable, (daemon.outbox,), daemon.allowance.memory_bytes)


def bounds_of_slices(settings: Settings) -> Bounds | None:
    """For what draws slices of published scans."""
    return _bounds(settings, (settings.daemon.outbox,), (), settings.viewer.slice_memory_mb * 10**6)


def bounds_of_uploads(settings: Settings) -> Bounds | None:
    """For what opens uploads, which lie in the inbox's own folder for them."""
    return _bounds(settings, (), (settings.daemon.inbox,), settings.daemon.allowance.memory_bytes)


def bounds_of_received(settings: Settings, folder: Path, memory_bytes: int) -> Bounds | None:
    """For what reads the headers of received objects, which lie in this folder."""
    return _bounds(settings, (folder,), (), memory_bytes)


def _bounds(
    settings: Settings, readable: tuple[Path, ...], writable: tuple[Path, ...], memory_bytes: int
) -> Bounds | None:
    daemon = settings.daemon
    guarded = (daemon.records, daemon.index, daemon.copies, daemon.inbox)
    return Bounds(readable, writable, memory_bytes, guarded) if daemon.confine_workers else None


class Mounts:
    """Tells whether anything was mounted or unmounted: rights to a folder end with its mount."""

    def __init__(self) -> None:
        self._table = open("/proc/self/mounts")  # noqa: SIM115 - kept open to be asked
        self._poll = select.poll()
        self._poll.register(self._table, select.POLLPRI)

    def have_changed(self) -> bool:
        """Since this was asked last."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """No more is asked."""
        self._table.close()


def places(bounds: Bounds) -> tuple[tuple[int, int] | None, ...]:
    """Which folders lie at the paths now: device and inode, None for what is not there."""
    return tuple(_place(path) for path in (*bounds.readable, *bounds.writable))


def _place(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


@dataclass(frozen=True)
class Protection:
    """What this kernel can keep a worker from; signals: to processes that it did not start."""

    files: bool
    network: bool
    programs: bool
    signals: bool


def protection() -> Protection:
    """What `confine` can do here, without doing it."""
    calls = platform.machine() in ARCHITECTURES and Path("/proc/sys/kernel/seccomp").exists()
    version = _landlock_version()
    return Protection(version > 0, calls or version >= 4, calls, version >= 6)


def confine(bounds: Bounds) -> None:
    """Hold this process and its threads to come to `bounds`, as far as the kernel can.

    What it cannot is logged. Called before any thread is started: those keep what they may.
    """
    _limit(bounds.memory_bytes)
    possible = protection()
    if _libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        possible = Protection(False, False, False, False)
    if possible.files:
        _fence_files(bounds)
    if possible.programs:
        _refuse_calls(platform.machine())
    if possible != Protection(True, True, True, True):
        log.warning("worker_not_confined", extra={"kernel": platform.release()})


def _limit(memory_bytes: int) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,  # a dump would hold pictures of patients
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: LARGEST_FILE,
        resource.RLIMIT_AS: memory_bytes + ADDRESS_SPACE,
    }
    for kind, wanted in limits.items():
        hard = resource.getrlimit(kind)[1]
        least = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (least, least))


def _fence_files(bounds: Bounds) -> None:
    version = _landlock_version()
    known = (1 << NEW_FILE_RIGHTS.get(version, 16)) - 1
    handled = struct.pack("=QQQ", known, TCP if version >= 4 else 0, SCOPED if version >= 6 else 0)[
        : 24 if version >= 6 else 16 if version >= 4 else 8
    ]
    ruleset = _call(RULESET, handled, len(handled), 0)
    try:
        reading = READ_FILE | READ_FOLDER
        for path in (*map(Path, SYSTEM), *_program(), *bounds.readable):
            _allow(ruleset, path, reading)
        for path in map(Path, filter(None, sys.path)):
            is_around = any(place.is_relative_to(path) for place in bounds.guarded)
            _allow(ruleset, path, READ_FOLDER if is_around else reading)
        for path in _devices():
            _allow(ruleset, path, (reading | WRITE | DEVICE_CONTROL) & known)
        for path in bounds.writable:
            _allow(ruleset, path, (reading | WRITE) & known)
        _call(RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _program() -> Iterator[Path]:
    """Where the interpreter, its packages and our own lie."""
    yield from (Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_path("stdlib")))
    house = Path(__file__).resolve().parents[1]
    yield from (house / room for room in ("model", "daemon"))


def _devices() -> Iterator[Path]:
    for pattern in DEVICES:
        yield from Path("/").glob(pattern[1:])


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Rights to a file, or to all below a folder; what is not there needs none."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= READ_FILE | 1 << 1 | 1 << 14 | DEVICE_CONTROL
        _call(ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _refuse_calls(machine: str) -> None:
    """A filter of system calls in the kernel's language (BPF): load, compare and jump, return."""
    architecture, clone = ARCHITECTURES[machine]
    refused = [numbers[list(ARCHITECTURES).index(machine)] for numbers in REFUSED.values()]
    load, equal, above, bits, give = 0x20, 0x15, 0x35, 0x45, 0x06
    steps = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (give, 0, 0, REFUSE),
        (load, 0, 0, 0),
        (above, 0, 1, OTHER_ABI),
        (give, 0, 0, REFUSE),
        (equal, 0, 1, CLONE3),  # its flags cannot be seen; libraries then use clone
        (give, 0, 0, ABSENT),
        (equal, 0, 4, clone),
        (load, 0, 0, 16),
        (bits, 1, 0, THREAD),
        (give, 0, 0, REFUSE),
        (give, 0, 0, ALLOW),
    ]
    for number in filter(None, refused):
        steps += [(equal, 0, 1, number), (give, 0, 0, REFUSE)]
    steps.append((give, 0, 0, ALLOW))
    program = b"".join(struct.pack("=HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(steps), ctypes.addressof(kept))
    if _libc().prctl(SECCOMP, 2, ctypes.create_string_buffer(header, len(header)), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _landlock_version() -> int:
    """0 where the kernel has no Landlock."""
    return max(0, int(_libc().syscall(RULESET, None, 0, 1)))


def _call(number: int, *values: int | bytes) -> int:
    given = int(_libc().syscall(number, *values))
    if given < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return given


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
