"""Reading in a child process, for libraries that a hostile file can make hang or crash.

The child has a limit of time for each file and, where the system knows it (POSIX), a limit of
memory. What it read comes back as the bytes of an ``.npz``. It starts in a third of a second, and
serves one file after another until something goes wrong, or this process ends.
"""

import atexit
import importlib
import io
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from graphlift.errors import FormatError

SECONDS = 10.0
"""That a file may take."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from graphlift.formats.child import serve; serve(int(sys.argv[2]))"
)
_REFUSED = "refused: "
"""Before the message of a :class:`FormatError` of the child."""
_ITS_OWN = 1 << 29
"""Bytes of memory for Python and the libraries themselves."""

_children: dict[tuple[int, int], "subprocess.Popen[bytes]"] = {}
_one_at_a_time = threading.Lock()


def read_in_child(
    function: Callable[..., dict[str, np.ndarray]],
    path: Path,
    *,
    max_bytes: int,
    seconds: float = SECONDS,
    **arguments: object,
) -> dict[str, np.ndarray]:
    """Call a function that reads arrays of numbers from a file, in a process of its own.

    Args:
        function: At the top of a module, so that the child finds it by its name.
        path: The file.
        max_bytes: The most that the child may take beside its libraries.
        seconds: The most that this file may take.
        arguments: Of the function, beside the path; they travel as JSON.

    Raises:
        ValueError: If it takes longer, needs more, breaks down, or raises; with the reason. If it
            raises a :class:`FormatError`, that error.
    """
    names = {"module": function.__module__, "name": function.__qualname__}
    request = {**names, "path": str(path), "arguments": arguments}
    with _one_at_a_time:
        child = _child(max_bytes)
        ended = threading.Timer(seconds, child.kill)
        ended.start()
        try:
            answer, data = _ask(child, request)
        finally:
            ended.cancel()
        if not answer:
            _end(max_bytes)
    if not answer:
        raise ValueError(f"no end after {seconds:g} seconds, or its reader broke down")
    if answer.startswith(_REFUSED):
        raise FormatError(answer.removeprefix(_REFUSED))
    if answer != "read":
        raise ValueError(answer)
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def _ask(child: "subprocess.Popen[bytes]", request: Mapping[str, object]) -> tuple[str, bytes]:
    """Get what the child answers and the arrays; nothing if it ended meanwhile."""
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
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # each thread takes of its memory
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
    for line in requests():
        request = json.loads(line)
        data = io.BytesIO()
        try:
            read = getattr(importlib.import_module(request["module"]), request["name"])
            arrays = read(Path(request["path"]), **request["arguments"])
            np.savez(data, **arrays)
            answer = "read"
        except FormatError as error:
            answer = f"{_REFUSED}{error}"
        except Exception as error:  # whatever it is, the parent raises it about the file
            answer = f"{type(error).__name__}: {str(error)[:300]}"
        if answer != "read":
            data = io.BytesIO()
        answers.write(json.dumps([answer, len(data.getvalue())]).encode() + b"\n")
        answers.write(data.getvalue())
        answers.flush()


def requests() -> Iterator[bytes]:
    """Give the lines of standard input; end this process with it, even in the midst of its work.

    Standard input ends when the process that asks does, however it ends. Without it nobody would
    end a child that a file keeps busy for ever.
    """
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin.buffer:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield lines.get()


def _limit(max_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not POSIX: the limit of time remains
        return
    size = _ITS_OWN + 3 * max_bytes
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
