"""The process that lifts clips and videos for the server, one after another.

It is told what to do by lines of JSON on standard input and answers by lines of JSON on standard
output, so that the server can end it in the midst of its work, and outlives whatever a file makes
a library do. Each task names a folder of its own; there lies what is read, and there the motion is
written. The folder is the working directory meanwhile, so that messages name files as the client
knows them. When standard input ends, so does the process, at once.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from graphlift.errors import FormatError, GraphliftError
from graphlift.files import is_full
from graphlift.formats.child import requests
from graphlift.lifting import Lifter
from graphlift.sequences import Keypoints, Poses
from graphlift.steps import motion_of, steps_from
from graphlift.words import one_line

LARGEST_ARRAYS = 1 << 28
"""Bytes that the keypoints of a clip may take when they are unpacked: 256 MiB."""
MOTION = "motion"
"""Name of the file that is written, before its suffix."""
DETECTED = "detected.npz"
"""Name of the file of the keypoints that a detector found."""
_MOST_MEMORY = 1 << 30
"""Bytes: a process that took more at any time is replaced by a new one, which takes less."""

resource: Any = import_module("resource") if os.name == "posix" else None
_STATUS = Path("/proc/self/status")

Say = Callable[[Mapping[str, Any]], None]


def serve() -> None:
    """Do one task after another until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever else libraries may print

    def say(line: Mapping[str, Any]) -> None:
        answers.write(json.dumps(line).encode() + b"\n")
        answers.flush()

    for line in requests():
        say(_answer(json.loads(line), say))


def _answer(task: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """Do a task; return what to answer last."""
    _limit_memory(task["memory"])
    os.chdir(task["folder"])
    try:
        frames = convert_file(task) if "convert" in task else lift_file(task, say)
        answer: dict[str, Any] = {"frames": frames}
    except Exception as error:
        answer = _what_went_wrong(error, task)
    finally:
        os.chdir("/")  # the folder is the server's to remove
    return {"tired": _largest_memory() > _MOST_MEMORY, **answer}


def _what_went_wrong(error: Exception, task: Mapping[str, Any]) -> dict[str, Any]:
    if any(isinstance(each, MemoryError) for each in (error, error.__cause__)):
        return {
            "refused": f"{task['file']}: unpacks to more than the {task['memory'] / 1e6:,.0f} MB "
            "of memory that this server allows: send fewer frames or people, or .npz in place of "
            "text",
            "tired": True,
        }
    match error:
        case ModuleNotFoundError():
            return {"refused": f"this server lacks {error.name}, which files of this kind need"}
        case OSError() if is_full(error):
            return {"full": True}
        case GraphliftError() | OSError():
            return {"refused": one_line(error)}
    return {"broken": "".join(traceback.format_exception(error))}


def lift_file(task: Mapping[str, Any], say: Say) -> int:
    """Lift the file of a task, in the working directory, and write its motion there.

    Returns:
        How many frames there were.

    Raises:
        GraphliftError: If the file or an option is refused, or the format holds one person alone.
    """
    lifter = _load(task["model"], task["threads"])
    poses = motion_of(lambda: _read(task, say), lambda: lifter, steps_from(task["options"]))
    _write(poses, task["suffix"], None)
    say({"done": len(poses), "of": len(poses)})
    return len(poses)


def convert_file(task: Mapping[str, Any]) -> int:
    """Write the motion of a job once more, in the working directory: another format, one person.

    Returns:
        How many frames there are.

    Raises:
        GraphliftError: If nobody has the person's name, or the format holds one person alone.
    """
    from graphlift.formats import read_poses

    poses = read_poses(task["convert"])
    _write(poses, task["suffix"], task["person"])
    return len(poses)


def _write(poses: Poses, suffix: str, person: str | None) -> None:
    """Write the one file that an answer can be.

    Raises:
        FormatError: If the format has a file for each person, and there are several.
    """
    from graphlift.formats import write_poses

    name = Path(f"{MOTION}{suffix}")
    write_poses(name, poses, person=person)
    if not name.exists():  # a file each
        raise FormatError(
            f"{name}: a {suffix} holds one person: choose one of {', '.join(poses.people)} "
            "(person=), or another format"
        )


@lru_cache(maxsize=4)
def _load(model: str, threads: int) -> Lifter:
    return Lifter.load(model, threads=threads)


def _read(task: Mapping[str, Any], say: Say) -> Keypoints:
    """Read a clip, or detect keypoints in a video.

    Raises:
        FormatError: If it has more frames than allowed.
    """
    reading, most = dict(task["reading"]), task["frames"]
    if task["video"]:
        return _detect(task, reading, lambda done, of: _count(done, of, most, say))
    from graphlift.formats import read_keypoints

    limits = {"max_bytes": LARGEST_ARRAYS, "max_frames": most}
    keypoints = read_keypoints(task["file"], **limits, **reading)
    _count(0, len(keypoints), most, say)
    return keypoints


def _detect(
    task: Mapping[str, Any],
    reading: Mapping[str, Any],
    progress: Callable[[int, int | None], None],
) -> Keypoints:
    from graphlift.formats.arrays import write_keypoints
    from graphlift.video import detect_people, open_video

    video = open_video(Path(task["file"]), fps=reading["fps"])
    progress(0, video.count)
    keypoints = detect_people(
        video,
        detector=task["detector"],
        people=1 if reading["people"] is None else reading["people"],
        person=reading["person"],
        progress=progress,
    )
    write_keypoints(DETECTED, keypoints)
    return keypoints


def _count(done: int, of: int | None, most: int, say: Say) -> None:
    """Say how far it is.

    Raises:
        FormatError: If there are too many frames.
    """
    if max(done, of or 0) > most:
        raise FormatError(
            f"{max(done, of or 0):,} frames, more than the {most:,} that this server allows: cut "
            "the clip, or run graphlift lift yourself"
        )
    say({"done": done, "of": of})


def _limit_memory(most: int) -> None:
    """Let this process have so many bytes of data; more is a MemoryError (Linux).

    The address space (RLIMIT_AS) is no measure: each thread sets aside as much as 64 MB of it that
    it never uses.
    """
    if resource is not None:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _largest_memory() -> int:
    """Bytes that this process took at most; 0 where the system does not say.

    Linux tells of the process that is: what ``getrusage`` gives there begins with what the server
    took that started it.
    """
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    if resource is None:
        return 0
    taken: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return taken if sys.platform == "darwin" else 1024 * taken
