"""A few kills of each kind of work; ``benchmarks/kills.py`` does hundreds.

Training, whose processes start slowly, is killed in ``training/test_distributed.py`` and
``study/test_runner.py``.
"""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import kills
from killing import readers, server, workloads
from killing.trials import Tally, Workload, attack

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")

IN_PLACE = """
import json, time
from pathlib import Path
with open("out.json", "w") as file:
    for piece in ('{"a": ', '[1, 2', ', 3]}'):
        file.write(piece)
        file.flush()
        time.sleep(0.05)
"""
LITTER = """
import json, os
from pathlib import Path
beside = Path(f".out.graphlift-{os.getpid():08}.json")
beside.write_text(json.dumps([1, 2, 3]))
beside.rename("out.json")
"""


def found(script, tmp_path, begin=lambda _: None):
    """What the harness finds wrong with a script that it kills thirty times."""
    work = Workload(name="script", command=("-c", script), begin=begin)
    return attack(work, tmp_path, 30, 0, times=1).faults


def test_the_harness_finds_a_file_that_is_written_in_place(tmp_path):
    assert "out.json is not whole" in " ".join(found(IN_PLACE, tmp_path))


def test_the_harness_finds_what_is_left_behind(tmp_path):
    assert "left behind: ['.out.graphlift-" in " ".join(found(LITTER, tmp_path))


def test_the_harness_finds_an_old_file_that_is_gone(tmp_path):
    script = LITTER.replace("beside.write", "Path('out.json').unlink()\nbeside.write")
    faults = found(script, tmp_path, lambda folder: (folder / "out.json").write_text("0"))

    assert "there no more: ['out.json']" in " ".join(faults)


@pytest.mark.parametrize(
    "make",
    [workloads.preparing_sequences, workloads.lifting, workloads.downloading],
)
def test_a_command_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(make, tmp_path):
    (tmp_path / "inputs").mkdir()
    with ExitStack() as stack:
        work = make(tmp_path / "inputs")
        work = work if isinstance(work, Workload) else stack.enter_context(work)

        tally = attack(work, tmp_path, 1, 3, times=1)

    assert tally.faults == []
    assert tally.kills >= 1
    assert tally.trials >= 1


def test_a_killed_server_starts_again_and_leaves_no_folder(tmp_path):
    tally = server.attack(tmp_path, 1, 0)

    assert tally.faults == []
    assert (tally.kills, tally.trials) == (1, 1)


def test_times_are_all_that_may_differ():
    one = {"seconds": 1.5, "curve": [{"step": 3, "seconds": 1.0}], "runs_at_once": 2}

    assert readers.timeless(one) == {"curve": [{"step": 3}]}


def test_the_table_counts_what_was_killed():
    tally = Tally("training", outside=3, inside=4, trials=2, left=1)

    assert kills.summary([tally]).splitlines()[2:] == [
        "| training | 3 | 4 | 2 | 1 | 0 |",
        "| all | 3 | 4 | 2 |  | 0 |",
    ]
