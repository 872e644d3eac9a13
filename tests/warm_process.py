"""`gliowatch` as a process of its own that begins with everything imported.

A process imports the daemon once, and forks itself for each command: half of the time of a short
test would be imports otherwise. What is forked has its own folder, output and exit status, can be
killed, and starts its workers as `python -m gliowatch` does.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

FAILED = 70  # as sysexits.h has it: a fault in the program


def run_warm(words: list[str], folder: Path, seconds: float) -> "subprocess.CompletedProcess[str]":
    """As `subprocess.run` of `python -m gliowatch WORDS` in `folder`. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as line:
        out, err = Path(place, "out"), Path(place, "err")
        line.settimeout(seconds)
        line.connect(str(_parent()))
        asked = {"words": words, "folder": str(folder), "out": str(out), "err": str(err)}
        with line.makefile("rw") as talk:
            talk.write(json.dumps(asked) + "\n")
            talk.flush()
            pid = int(talk.readline())
            try:
                status = int(talk.readline())
            except TimeoutError:
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
                raise subprocess.TimeoutExpired(words, seconds) from None
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())


@cache
def _parent() -> Path:
    """The socket of the process that forks, started when it is first asked for."""
    place = Path(tempfile.mkdtemp(prefix="warm-"), "socket")
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.warm_process", str(place)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
    )
    atexit.register(parent.kill)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    return place


def serve(place: str) -> None:
    """Fork for each connection, until this process is killed."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import daemon.service  # noqa: F401 - this is what takes long
    import gliowatch

    sys.modules["__main__"] = gliowatch  # as workers know their parent
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(place)
        door.listen()
        os.write(1, b"ready\n")
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _answer(line)
                os._exit(0)
            line.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(line: socket.socket) -> None:
    """Run one command in a child; its number, then how it ended, as subprocess tells it."""
    with line.makefile("rw") as talk:
        asked = json.loads(talk.readline())
        pid = os.fork()
        if pid == 0:
            line.close()
            _become(asked["words"], asked["folder"], asked["out"], asked["err"])
        talk.write(f"{pid}\n")
        talk.flush()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        talk.write(f"{status}\n")


def _become(words: list[str], folder: str, out: str, err: str) -> None:
    """Be `gliowatch WORDS`; ends the process."""
    import gliowatch

    for number, name in ((1, out), (2, err)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    sys.argv = ["gliowatch", *words]
    status: object = FAILED
    try:
        gliowatch.main()
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status if isinstance(status, int) else 0 if status is None else 1)


if __name__ == "__main__":
    serve(sys.argv[1])
