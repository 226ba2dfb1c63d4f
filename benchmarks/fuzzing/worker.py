"""One hostile input after another, in a process that may die of any of them."""

import os
import random
import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path

from fuzzing.structures import mutate
from fuzzing.targets import TARGETS
from graphlift.errors import GraphliftError
from graphlift.words import one_line

SECONDS = 5.0
"""Of processor time, for one input."""

BYTES = 1 << 30
"""That one input may add to the largest memory the process has had."""

LONGEST = 1_500
"""Characters of an error's message."""

_OURS = f"{os.sep}graphlift{os.sep}"
_SHARES = [target.share for target in TARGETS]


class Overtime(BaseException):
    """An input that takes too long; no reader may take it for damage."""


class Inputs:
    """Inputs by number: each is made of the seed and its number, and of nothing else.

    Args:
        folder: An empty one, for the files.
        seed: Of all inputs.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.files: dict[str, dict[Path, bytes]] = {}
        for target in TARGETS:
            place = folder / target.name
            place.mkdir()
            target.make(place)
            self.files[target.name] = {
                path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()
            }
        self.others = [data for of in self.files.values() for data in of.values()]
        self.changed: tuple[Path, bytes] | None = None

    def write(self, index):
        """Write an input, and put back the file that the one before had changed.

        Returns:
            The target and the file that is changed.
        """
        rng = random.Random(f"{self.seed} {index}")
        (target,) = rng.choices(TARGETS, _SHARES)
        path, data = rng.choice(list(self.files[target.name].items()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            hostile = mutate(path.name, data, rng, self.others)
        if self.changed:
            self.changed[0].write_bytes(self.changed[1])
        path.write_bytes(hostile)
        self.changed = path, data
        return target, path


def judge(target, folder, path):
    """Read an input, and say how it ended: outcome, and a key and a text of what went wrong."""
    before = _largest()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target.read(folder)
        outcome, error = "read", None
    except GraphliftError as caught:
        outcome, error = _refusal(caught, target, path), caught
    except Overtime as caught:
        outcome, error = "time", caught
    except MemoryError as caught:
        outcome, error = "memory", caught
    except OSError as caught:  # the command says these by file and reason
        outcome, error = ("refused" if caught.filename and caught.strerror else "foreign"), caught
    except Exception as caught:
        outcome, error = "foreign", caught
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if _largest() - before > BYTES:
        outcome = "memory"
    if outcome in ("read", "refused"):
        return outcome, "", ""
    return outcome, f"{outcome} {_place(error)}", one_line(repr(error)[:400])


def _largest():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def _refusal(error, target, path):
    """Say whether an error of ours is one a user can act on: short, printable, names the file."""
    chain, text = error, str(error)
    while chain is not None:
        if isinstance(chain, MemoryError) and "torch" not in str(_last(chain)):
            return "memory"
        chain = chain.__cause__ or chain.__context__
    one_line(text).encode()
    named = path.name in text or path.parent.name in text or not target.named
    return "refused" if named and len(text) < LONGEST + len(str(path)) else "unclear"


def _last(error):
    """The innermost file that an error went through; torch asks for what it does not touch."""
    return traceback.extract_tb(error.__traceback__)[-1].filename


def _place(error):
    """The kind of an error and the innermost line of the package that it went through."""
    if error is None:
        return "no error"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        frame for frame in frames if _OURS in frame.filename and "benchmarks" not in frame.filename
    ]
    at = ours[-1] if ours else frames[-1]
    return f"{type(error).__name__} {Path(at.filename).name} {at.name}"


def limit():
    """Limit this process: memory beyond what it has now, processor time, and no output."""
    signal.signal(signal.SIGPROF, _overtime)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    if pages:
        size = pages * resource.getpagesize() + 3 * BYTES
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)


def _overtime(*_):
    raise Overtime


def work(inputs, first, last, told):
    """Feed inputs, and tell of each in a line: number, target, outcome, key, text.

    Args:
        inputs: Where they come from.
        first: Number of the first.
        last: After the last.
        told: A file to write to, line by line.
    """
    limit()
    for index in range(first, last):
        told.write(f"{index}\n")  # so that whoever listens knows what killed this process
        told.flush()
        target, path = inputs.write(index)
        outcome, key, text = judge(target, inputs.folder / target.name, path)
        told.write("\t".join((str(index), target.name, outcome, key, text)) + "\n")
        told.flush()
        if outcome in ("time", "memory"):
            return  # a fresh process, whose memory is small again
