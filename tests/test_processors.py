"""How many processors a process may use: by affinity, and by quotas of made-up control groups."""

import os
import subprocess
import sys

import pytest

from graphlift.processors import processors

ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def system(folder, groups, files):
    """A folder with ``proc`` and ``sys`` in which a process is in these groups."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text("".join(f"{group}\n" for group in groups))
    for name, text in files.items():
        path = folder / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


def test_without_control_groups_all_that_are_allowed_count(tmp_path):
    assert processors(tmp_path) == ALLOWED


@pytest.mark.parametrize(
    ("groups", "files", "most"),
    [
        (["0::/"], {"cpu.max": "max 100000"}, None),
        (["0::/"], {"cpu.max": "6400000 100000"}, 64),
        (["0::/"], {"cpu.max": "100000 100000"}, 1),
        (["0::/"], {"cpu.max": "199000 100000"}, 1),
        (["0::/"], {"cpu.max": "25000 100000"}, 1),  # a quarter of one
        (["0::/a/b"], {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 50000"}, 1),
        (["0::/a/b"], {"a/b/cpu.max": "50000 50000", "a/cpu.max": "max 100000"}, 1),
        (["0::/a"], {"a/cpu.max": "max 100000", "b/cpu.max": "50000 50000"}, None),
        (["0::/on/the/host"], {"cpu.max": "50000 50000"}, 1),  # what a container sees
        (["0::/../../outside"], {"cpu.max": "50000 50000"}, 1),
        (
            ["3:cpu,cpuacct:/a", "2:cpuset:/", "1:name=systemd:/", "0::/"],
            {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "250000"},
            1,
        ),
        (
            ["3:cpuacct,cpu:/docker/1f", "0::/"],  # another order; the path is the host's
            {"cpu/cpu.cfs_quota_us": "10000", "cpu/cpu.cfs_period_us": "10000"},
            1,
        ),
        (
            ["1:cpu:/", "0::/"],
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            None,
        ),
        (["1:cpuset:/"], {"cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "1"}, None),
        (["0::/"], {"cpu.max": ""}, None),
        ([], {"cpu.max": "100000 100000"}, None),
        (["", "no group"], {"cpu.max": "100000 100000"}, None),
    ],
    ids=str,
)
def test_no_more_count_than_the_control_groups_have_time_for(tmp_path, groups, files, most):
    found = processors(system(tmp_path, groups, files))

    assert found == (ALLOWED if most is None else min(ALLOWED, most))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_a_process_that_is_allowed_one_processor_computes_by_one_thread():
    script = (
        "import os\n"
        "os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\n"
        "from graphlift.lifting import Lifter\n"
        "from graphlift.processors import processors\n"
        "session = Lifter.load('open-small').session\n"
        "print(processors(), session.get_session_options().intra_op_num_threads)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert run.stdout == "1 1\n"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="-X cpu_count is of Python 3.13")
def test_python_may_be_told_to_count_fewer():
    script = "from graphlift.processors import processors; print(processors())"
    run = subprocess.run(
        [sys.executable, "-X", "cpu_count=1", "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout == "1\n"
