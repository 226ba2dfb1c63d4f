"""The command from outside: in a process of its own, or, where that is too slow, in this one."""

import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import NamedTuple, TextIO

from graphlift.cli import main


class Said(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str


def command(*args: object) -> Said:
    """Run ``python -m graphlift``."""
    run = subprocess.run(
        [sys.executable, "-m", "graphlift", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(run.returncode, run.stdout, run.stderr)


def here(*args: object, out: TextIO | None = None) -> Said:
    """Run the same in this process, where torch is loaded already; print to ``out`` if given."""
    said, err, status = StringIO(), StringIO(), 0
    argv, handler = sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["graphlift", *map(str, args)]
    try:
        with redirect_stdout(out or said), redirect_stderr(err):
            main()
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv = argv
        signal.signal(signal.SIGTERM, handler)
    return Said(status, said.getvalue(), err.getvalue())


def assert_refused(said: Said, *words: object) -> None:
    """A user's mistake: status 2, nothing on stdout, one line on stderr that names it."""
    assert (said.status, said.out) == (2, ""), said
    assert said.err.startswith("graphlift: ")
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert str(word) in said.err
