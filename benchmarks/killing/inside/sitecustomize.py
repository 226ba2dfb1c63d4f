"""Loaded by every Python process of a workload: counts what it does to files, or kills it there.

An event is a file opened for writing, renamed or removed, or a folder made or removed, below
``KILLS_UNDER``. Each adds a byte to the file ``KILLS_COUNT``, which all processes share. Before
event number ``KILLS_AT``, or ``KILLS_DELAY`` seconds after its beginning, the process group of the
first process is killed.
"""

import os
import signal
import sys
import threading
import time

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"}


def _kill(group, delay):
    if delay:
        time.sleep(delay)
    if group in (os.getpgid(0), os.getppid()):  # else it has ended, and may be another's by now
        os.killpg(group, signal.SIGKILL)


def _watch():
    count = os.open(os.environ["KILLS_COUNT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    under, at = os.environ["KILLS_UNDER"], int(os.environ["KILLS_AT"])
    delay = float(os.environ["KILLS_DELAY"])
    group = int(os.environ.setdefault("KILLS_GROUP", str(os.getpid())))

    def concerns(event, told):
        if event == "open":
            path, _, flags = told
            if not (isinstance(flags, int) and flags & _WRITES):
                return False
        elif event in _EVENTS:
            path = told[0]
        else:
            return False
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False
        return os.path.abspath(os.fsdecode(path)).startswith(under)  # noqa: PTH100

    def hook(event, told):
        if not concerns(event, told):
            return
        os.write(count, b".")
        if os.fstat(count).st_size != at:
            return
        try:
            if delay:
                threading.Thread(target=_kill, args=(group, delay), daemon=True).start()
            else:
                _kill(group, 0)
        except RuntimeError:  # at the very end no thread can be started
            _kill(group, 0)

    sys.addaudithook(hook)


if "KILLS_COUNT" in os.environ:
    _watch()
