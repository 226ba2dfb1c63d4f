"""A command that is killed and started again until it is done; and what it leaves is read."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from killing.readers import read

INSIDE = Path(__file__).resolve().parent / "inside"
PATIENCE = 300.0
"""Seconds after which a command hangs."""
MOST_KILLS = 4
"""Of one trial; then the command may end."""
LATER = 0.02
"""Seconds, at most, between an operation on a file and the kill."""
UNDER_WAY = ("*/.lock", "*.unfinished")
"""Files that any command may have while it is under way, and that say nothing of its result."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Something to be killed.

    Args:
        name: For the table.
        command: Words after ``python``; ``{}`` in one is the folder of the trial.
        begin: Puts into the folder of a trial what is there before.
        moving: Patterns of files that hold something else, whole, while the command is under way.
        environment: What else the command is told; ``{}`` as before.
    """

    name: str
    command: tuple[str, ...]
    begin: Callable[[Path], None] = lambda _: None
    moving: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """When a process is killed.

    Args:
        seconds: After its start, from outside; None if it is killed from inside.
        event: The operation on files before which it is killed; 0 for none.
        later: Seconds after that operation begins.
    """

    seconds: float | None = None
    event: int = 0
    later: float = 0.0


NEVER = Moment()


@dataclass(frozen=True)
class Undisturbed:
    """What a command does if it is left alone.

    Args:
        before: What each file says before, by name.
        after: And afterwards.
        seconds: How long it takes.
        events: How many operations on files there are.
        left: What other libraries leave in the folder of temporary files.
    """

    before: dict[str, str]
    after: dict[str, str]
    seconds: float
    events: int
    left: frozenset[str]


@dataclass
class Tally:
    """What was counted of one workload.

    Args:
        name: Of the workload.
        outside: Kills at any moment.
        inside: Kills at an operation on files.
        trials: Commands that were done in the end.
        left: Most temporary files and folders that were there at once.
        faults: What went wrong.
    """

    name: str
    outside: int = 0
    inside: int = 0
    trials: int = 0
    left: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def kills(self):
        return self.outside + self.inside

    def count(self, moment):
        if moment.seconds is None:
            self.inside += 1
        else:
            self.outside += 1


def environment(workload, folder, moment):
    """The environment of a process: folders of its own, and when it is to be killed."""
    paths = [str(INSIDE), *sys.path[1:]]
    count = folder.with_name(f"{folder.name}.count")
    count.unlink(missing_ok=True)
    return (
        os.environ
        | {
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(folder / "tmp"),
            "KILLS_COUNT": str(count),
            "KILLS_UNDER": str(folder),
            "KILLS_AT": str(moment.event),
            "KILLS_DELAY": str(moment.later),
        }
        | {key: value.replace("{}", str(folder)) for key, value in workload.environment.items()}
    )


def start(workload, folder, moment=NEVER):
    """Start a process group of its own."""
    words = [word.replace("{}", str(folder)) for word in workload.command]
    with folder.with_name(f"{folder.name}.err").open("wb") as told:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment(workload, folder, moment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=told,
            start_new_session=True,
        )


def kill(process):
    """Kill a process and its group."""
    os.killpg(process.pid, signal.SIGKILL)


def said(folder):
    """The end of what a process wrote to standard error."""
    return folder.with_name(f"{folder.name}.err").read_text(errors="replace")[-600:]


def run(workload, folder, moment):
    """Run a command; return whether it was killed at that moment, and not done before.

    Raises:
        AssertionError: If it ends otherwise.
    """
    process = start(workload, folder, moment)
    try:
        process.communicate(timeout=PATIENCE if moment.seconds is None else moment.seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        process.communicate()
        assert moment.seconds is not None, f"no end after {PATIENCE:g} s: {said(folder)}"
    killed = process.returncode == -signal.SIGKILL
    assert killed or process.returncode == 0, f"status {process.returncode}: {said(folder)}"
    return killed


def is_temporary(name):
    return ".graphlift-" in name or name.startswith("tmp/")


def is_probe(path):
    """Whether Python's ``tempfile`` left it, killed while it tried a folder."""
    return path.is_file() and path.read_bytes() == b"blat"


def contents(folder):
    """What each file below a folder says, by name; and the names of temporary files and folders.

    Raises:
        AssertionError: If a file cannot be read to its end.
    """
    texts, left = {}, []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if is_temporary(name):
            if ".graphlift-" not in str(path.parent) and not is_probe(path):
                left.append(name)
        elif path.is_file():
            try:
                texts[name] = read(path)
            except Exception as error:
                raise AssertionError(f"{name} is not whole: {error!r}") from error
    return texts, left


def fresh(workload, folder):
    """Make the folder of a trial as it is before the command runs."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    workload.begin(folder)
    return folder


def undisturbed(workload, folder, times=2):
    """Run a command, twice, without killing it: it must leave the same both times."""
    ends = []
    for _ in range(times):
        before, _left = contents(fresh(workload, folder))
        began = time.monotonic()
        run(workload, folder, NEVER)
        seconds = time.monotonic() - began
        ends.append(contents(folder))
    (after, left), (again, _left) = ends[0], ends[-1]
    ours = [name for name in left if ".graphlift-" in name]
    assert not ours, f"left behind without any kill: {ours}"
    differ = [name for name in {*after, *again} if after.get(name) != again.get(name)]
    assert not differ, f"two undisturbed runs differ in {differ}"
    events = folder.with_name(f"{folder.name}.count").stat().st_size
    return Undisturbed(before, after, seconds, events, frozenset(left))


def choose(rng, known, before=0):
    """Choose when to kill: at any moment, or at an operation on files or soon after.

    Args:
        before: How often it was killed before: so much less may be left to do.
    """
    if rng.random() < 0.5:
        return Moment(seconds=rng.uniform(0, known.seconds))
    later = rng.choice([0.0, rng.uniform(0, LATER)])
    return Moment(event=rng.randint(1, max(known.events >> before, 1)), later=later)


def check_under_way(workload, folder, known):
    """Check what a killed command has left; return how many temporary files and folders."""
    texts, left = contents(folder)
    for name, text in texts.items():
        if any(fnmatch(name, pattern) for pattern in (*UNDER_WAY, *workload.moving)):
            continue
        assert text in (known.before.get(name), known.after.get(name)), (
            f"{name} is neither what it was nor what it will be"
        )
    lost = [name for name in known.before if name not in texts and name in known.after]
    assert not lost, f"there no more: {lost}"
    return len(set(left) - known.left)


def check_done(folder, known):
    """Check that a command that is done has left what it would have left without any kill."""
    texts, left = contents(folder)
    assert known.left >= set(left), f"left behind: {sorted(set(left) - known.left)}"
    names = [name for name in {*texts, *known.after} if (name in texts) != (name in known.after)]
    assert not names, f"files that are missing or too many: {names}"
    differ = [name for name in texts if texts[name] != known.after[name]]
    assert not differ, f"another result in {differ}"


def trial(workload, folder, known, rng, tally, most):
    """Kill a command a few times, let it end, and check what it leaves."""
    fresh(workload, folder)
    moments = []
    try:
        for _ in range(rng.randint(1, min(MOST_KILLS, most))):
            moments.append(choose(rng, known, len(moments)))
            if not run(workload, folder, moments[-1]):
                break
            tally.count(moments[-1])
            tally.left = max(tally.left, check_under_way(workload, folder, known))
        else:
            run(workload, folder, NEVER)
        check_done(folder, known)
        tally.trials += 1
    except AssertionError as error:
        tally.faults.append(f"{workload.name}: {error}; killed at {moments}")
        kept = folder.with_name(f"{folder.name}-fault-{len(tally.faults)}")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept, symlinks=True)


def attack(workload, base, kills, seed, show=lambda _: None, times=2):
    """Kill a workload so many times.

    Args:
        workload: What.
        base: A folder for its trials.
        kills: How many times.
        seed: Of the moments.
        show: Called with the tally after each trial.
        times: How often it runs undisturbed before.
    """
    folder, tally = base / workload.name.replace(" ", "-"), Tally(workload.name)
    known = undisturbed(workload, folder, times)
    rng = random.Random(f"{seed} {workload.name}")
    while tally.kills < kills and len(tally.faults) < 10:
        trial(workload, folder, known, rng, tally, kills - tally.kills)
        show(tally)
    return tally
