"""A file is whole or not there, whatever interrupts its writing."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from graphlift.files import (
    append_line,
    locked,
    replacing,
    replacing_folder,
    scratch,
    write_text,
)


class Interrupted(BaseException):
    """Like Ctrl-C: no Exception."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def break_off(path, error):
    with replacing(path) as beside:
        beside.write_text("half of the n")
        raise error("in the middle")


def test_what_is_written_is_there_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "result.json"

    with replacing(path) as beside:
        beside.write_text("whole")
        assert not path.exists()

    assert path.read_text() == "whole"
    assert names(path.parent) == ["result.json"]


def test_the_path_to_write_to_keeps_the_suffix_and_the_folder(tmp_path):
    # np.savez and others choose by suffix, and a rename is whole only within one file system.
    with replacing(tmp_path / "pack.npz") as beside:
        assert beside.suffix == ".npz"
        assert beside.parent == tmp_path


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, Interrupted])
def test_an_exception_leaves_the_old_file_and_no_litter(tmp_path, error):
    path = tmp_path / "model.safetensors"
    path.write_text("old")

    with pytest.raises(error):
        break_off(path, error)

    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.safetensors"]


def test_an_exception_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(ValueError, match="in the middle"):
        break_off(tmp_path / "a.txt", ValueError)

    assert names(tmp_path) == []


def test_a_new_text_replaces_an_old_one_whole(tmp_path):
    path = tmp_path / "report.md"
    write_text(path, "a long text that was here before")

    write_text(path, "Σ|N̂_i|")

    assert path.read_text(encoding="utf-8") == "Σ|N̂_i|"
    assert names(tmp_path) == ["report.md"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "ours.txt", "x")
        (tmp_path / "any.txt").write_text("x")
        after = os.umask(umask)
    finally:
        os.umask(before)

    ours, others = (stat.S_IMODE((tmp_path / f"{n}.txt").stat().st_mode) for n in ("ours", "any"))
    assert ours == others
    assert after == umask  # asking for the mask leaves it as it was


def test_somebody_who_reads_meanwhile_reads_the_old_file_to_its_end(tmp_path):
    path = tmp_path / "log.txt"
    write_text(path, "old and complete")

    with path.open() as reader:
        first = reader.read(3)
        write_text(path, "new")
        rest = reader.read()

    assert first + rest == "old and complete"
    assert path.read_text() == "new"


def test_two_writers_at_once_do_not_share_a_file(tmp_path):
    path = tmp_path / "a.txt"

    with replacing(path) as one, replacing(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")

    assert path.read_text() == "one"  # the outer block ends last
    assert names(tmp_path) == ["a.txt"]


FULL = """
import resource
import sys
from pathlib import Path
import numpy as np
from graphlift.files import append_line, replacing, write_text
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # Python makes the signal an OSError
try:
    if path.suffix == ".npz":
        with replacing(path) as beside:
            np.savez(beside, weights=np.zeros(100_000))
    elif path.suffix == ".log":
        append_line(path, "x" * 100_000)
    else:
        write_text(path, "x" * 100_000)
except OSError as error:
    sys.exit(f"refused: {error}")
"""


@pytest.mark.parametrize("name", ["results.jsonl", "model.npz", "run.log"])
def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path, name):
    (tmp_path / name).write_text("old")

    run = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1, run.stderr
    assert "refused:" in run.stderr
    assert str(tmp_path / name) in run.stderr
    assert (tmp_path / name).read_text() == "old"
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_the_way_out(tmp_path, number):
    def write():
        with replacing(tmp_path / "model.npz"):
            raise OSError(number, os.strerror(number))  # as the system does: without a name

    with pytest.raises(OSError, match="free some space and run the same command again") as told:
        write()
    assert told.value.filename == str(tmp_path / "model.npz")
    assert told.value.errno == number


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_line_that_does_not_fit_is_refused_by_the_files_name(tmp_path):
    (tmp_path / "log.jsonl").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left on device: free some space") as told:
        append_line(tmp_path / "log.jsonl", "{}")
    assert told.value.filename == str(tmp_path / "log.jsonl")


def test_lines_are_added_at_the_end(tmp_path):
    for line in ("one", "Σ"):
        append_line(tmp_path / "log.txt", line)

    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "one\nΣ\n"


def test_a_folder_in_the_way_is_an_error_that_names_it_and_leaves_no_litter(tmp_path):
    (tmp_path / "taken").mkdir()

    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path / "taken", "x")

    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "taken"), None)
    assert names(tmp_path) == ["taken"]


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="no /proc here")  # noqa: PTH110
def test_a_folder_that_takes_no_files_is_named_not_the_file_beside():
    with pytest.raises(OSError, match="/proc") as caught:
        write_text(Path("/proc/report.md"), "x")

    assert caught.value.filename == "/proc"


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(OSError, match="file"):
        write_text(tmp_path / "file" / "report.md", "x")


def test_a_lock_is_held_once_and_ends_with_its_block(tmp_path):
    def hold():
        with locked(tmp_path / ".lock", "somebody is here"):
            return True

    with locked(tmp_path / ".lock", "never"), pytest.raises(BlockingIOError, match="somebody"):
        hold()
    assert hold()


KILLED = """
import os, signal, sys
from pathlib import Path
from graphlift.files import replacing, replacing_folder
here = Path(sys.argv[1])
with replacing(here / "walk.bvh") as beside, replacing_folder(here / "pack") as folder:
    beside.write_text("half")
    (folder / "half.bin").write_text("half")
    print(beside.name, folder.name, flush=True)
    if sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def start(folder, how):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, [folder / name for name in process.stdout.readline().split()]


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    pytest.importorskip("fcntl")
    process, left = start(tmp_path, "kill")
    process.communicate()
    others = [
        tmp_path / ".notes.txt",
        tmp_path / ".walk-abcdefgh.bvh",
        tmp_path / ".x.graphlift-y",
    ]
    for path in others:
        path.write_text("not ours")
    link = tmp_path / ".run.graphlift-abcdefgh.npz"
    link.symlink_to(others[0])

    write_text(tmp_path / "another.txt", "x")

    assert all(len(path.name) < 40 for path in left)
    assert names(tmp_path) == sorted(
        path.name for path in [*others, link, tmp_path / "another.txt"]
    )


def test_what_a_living_process_writes_is_left_alone(tmp_path):
    pytest.importorskip("fcntl")
    process, left = start(tmp_path, "live")

    write_text(tmp_path / "another.txt", "x")

    assert all(path.exists() for path in left)
    process.communicate("")
    assert names(tmp_path) == ["another.txt", "pack", "walk.bvh"]


WRITES = """
import sys
from pathlib import Path
import graphlift.files as files
here = Path(sys.argv[1])
for number in range(150):
    files._swept.clear()  # as a process that has just begun
    files.write_text(here / f"{sys.argv[2]}-{number}.txt", "x" * 5000)
    with files.replacing_folder(here / sys.argv[2]) as beside:
        (beside / "x.txt").write_text(str(number))
"""


def test_processes_that_sweep_all_the_time_lose_nothing_of_one_another(tmp_path):
    pytest.importorskip("fcntl")
    several = [
        subprocess.Popen([sys.executable, "-c", WRITES, str(tmp_path), name]) for name in "abc"
    ]

    assert [process.wait() for process in several] == [0, 0, 0]
    assert len(names(tmp_path)) == 3 * 151
    assert {path.stat().st_size for path in tmp_path.glob("*.txt")} == {5000}
    assert {(tmp_path / name / "x.txt").read_text() for name in "abc"} == {"149"}


def fill(folder, text, error=None):
    with replacing_folder(folder) as beside:
        (beside / "x.txt").write_text(text)
        if error:
            raise error


def test_a_folder_is_replaced_whole_and_the_old_one_is_gone(tmp_path):
    fill(tmp_path / "pack", "old")
    fill(tmp_path / "pack", "new")
    with pytest.raises(ValueError, match="broken off"):
        fill(tmp_path / "pack", "newer", ValueError("broken off"))

    assert (tmp_path / "pack" / "x.txt").read_text() == "new"
    assert names(tmp_path) == ["pack"]


def test_a_folder_that_a_killed_process_moved_aside_is_put_back(tmp_path):
    before = tmp_path / ".pack.graphlift-abcdefgh-before"
    fill(before, "old")

    with pytest.raises(ValueError, match="broken off"):
        fill(tmp_path / "pack", "new", ValueError("broken off"))
    assert (tmp_path / "pack" / "x.txt").read_text() == "old"
    fill(tmp_path / "pack", "new")

    assert (tmp_path / "pack" / "x.txt").read_text() == "new"
    assert names(tmp_path) == ["pack"]


LOOKS = """
import sys
from pathlib import Path
from graphlift.files import replacing_folder
folder = Path(sys.argv[1])
print("begun", flush=True)
for number in range(2000):
    with replacing_folder(folder) as beside:
        (beside / "x.txt").touch()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are swapped on Linux")
def test_a_folder_that_is_replaced_is_there_at_every_moment(tmp_path):
    fill(tmp_path / "pack", "old")
    writer = subprocess.Popen(
        [sys.executable, "-c", LOOKS, str(tmp_path / "pack")], stdout=subprocess.PIPE
    )
    writer.stdout.readline()

    found = [(tmp_path / "pack" / "x.txt").exists() for _ in range(5_000)]
    writer.kill()
    writer.communicate()

    assert all(found)


def test_a_scratch_folder_is_the_users_own_and_goes_with_its_block(tmp_path):
    with scratch(tmp_path / "new", "download") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.parent == tmp_path / "new"
        (folder / "x").write_text("x")

    assert names(tmp_path / "new") == []


@pytest.mark.parametrize("name", ["n" * 240, "長" * 80, "🕺" * 60])
def test_a_long_name_has_room_for_the_mark(tmp_path, name):
    path = tmp_path / f"{name}.txt"

    write_text(path, "x")
    fill(tmp_path / name, "x")

    assert names(tmp_path) == [name, path.name]
