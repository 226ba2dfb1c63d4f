"""Reading in a child process, for libraries that a hostile file can make hang or crash.

The child has a limit of time for each file and, where the system knows it (POSIX), a limit of
memory. What it read comes back as the bytes of one array. It starts in a third of a second, and
serves one file after another until something goes wrong, or this process ends.
"""

import atexit
import importlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

SECONDS = 10.0
"""That a file may take."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from graphlift.formats.child import serve; serve(int(sys.argv[2]))"
)
_ITS_OWN = 1 << 29
"""Bytes of memory for Python and the libraries themselves."""

_children: dict[tuple[int, int], "subprocess.Popen[bytes]"] = {}
_one_at_a_time = threading.Lock()


def read_in_child(
    function: Callable[[Path], np.ndarray],
    path: Path,
    *,
    max_bytes: int,
    seconds: float = SECONDS,
) -> np.ndarray:
    """Call a function that reads an array of numbers from a file, in a process of its own.

    Args:
        function: At the top of a module, so that the child finds it by its name.
        path: The file.
        max_bytes: The most that the child may take beside its libraries.
        seconds: The most that this file may take.

    Raises:
        ValueError: If it takes longer, needs more, breaks down, or raises; with the reason.
    """
    request = {"module": function.__module__, "name": function.__qualname__, "path": str(path)}
    with _one_at_a_time:
        child = _child(max_bytes)
        ended = threading.Timer(seconds, child.kill)
        ended.start()
        try:
            said, data = _ask(child, request)
        finally:
            ended.cancel()
        if not said:
            _end(max_bytes)
    if not said:
        raise ValueError(f"no end after {seconds:g} seconds, or its reader broke down")
    if said != "read":
        raise ValueError(said)
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)


def _ask(child: "subprocess.Popen[bytes]", request: dict[str, str]) -> tuple[str, bytes]:
    """Get what the child says and the array; nothing if it ended meanwhile."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        reply = json.loads(child.stdout.readline() or b'["", 0]')
        data = child.stdout.read(reply[1])
    except (OSError, ValueError):
        return "", b""
    return (reply[0], data) if len(data) == reply[1] else ("", b"")


def _child(max_bytes: int) -> "subprocess.Popen[bytes]":
    """Start a child, or give the one that waits: never that of a process this one is forked of."""
    key = (os.getpid(), max_bytes)
    if key not in _children:
        command = [sys.executable, "-c", _START, json.dumps(sys.path), str(max_bytes)]
        _children[key] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        atexit.register(_end, max_bytes)
    return _children[key]


def _end(max_bytes: int) -> None:
    child = _children.pop((os.getpid(), max_bytes), None)
    if child is not None:
        child.kill()
        child.communicate()


def serve(max_bytes: int) -> None:
    """In the child: read what standard input asks for, and answer on standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever else libraries may print
    _limit(max_bytes)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        data = io.BytesIO()
        try:
            read = getattr(importlib.import_module(request["module"]), request["name"])
            array = np.asarray(read(Path(request["path"])))
            np.lib.format.write_array(data, array, allow_pickle=False)
            said = "read"
        except Exception as error:  # whatever it is, the parent says it of the file
            said = f"{type(error).__name__}: {str(error)[:300]}"
            data = io.BytesIO()
        answers.write(json.dumps([said, len(data.getvalue())]).encode() + b"\n")
        answers.write(data.getvalue())
        answers.flush()


def _limit(max_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not POSIX: the limit of time remains
        return
    size = _ITS_OWN + 3 * max_bytes
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
