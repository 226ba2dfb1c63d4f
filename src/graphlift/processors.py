"""How many processors this process may use, which may be fewer than the machine has."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path


def processors(system: Path = Path("/")) -> int:
    """Count the processors that this process may use, at least 1.

    They are those of its affinity (``taskset``, batch systems, ``docker --cpuset-cpus``; from
    Python 3.13 on also ``-X cpu_count``), and no more than its control groups have time for
    (``docker --cpus``, Kubernetes' limits). Of a quota of two and a half that is two: where more
    threads compute than it has time for, the system stops all of them until the next period.

    Args:
        system: The folder in which ``proc`` and ``sys`` are.
    """
    return max(int(min(_allowed(), *_quotas(system))), 1)


def _allowed() -> float:
    """Processors of the affinity, or of the machine where a system has none."""
    count = getattr(os, "process_cpu_count", None)  # from Python 3.13 on
    if count is None and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return (count or os.cpu_count)() or 1


def _quotas(system: Path) -> Iterator[float]:
    """Processors that each control group of this process has time for; infinity if all.

    A group has no more than those around it. Inside a container its own may be the outermost that
    is to be seen, although Linux still says its path on the host: so folders that are not there
    are passed over.

    Source: cgroups(7); of Linux's documentation cgroup-v2.rst, and sched-bwc.rst for version 1.
    """
    yield math.inf
    with contextlib.suppress(OSError, ValueError):  # not Linux's, or not as it writes it
        for line in (system / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            mounted = system / "sys/fs/cgroup" / ("cpu" if controllers else "")
            group = mounted / path.strip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(mounted):
                    yield _quota(folder)


def _quota(group: Path) -> float:
    """Processors that one control group has time for: of each period, so much; both in µs."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            quota, period = " ".join((group / name).read_text() for name in names).split()
            return int(quota) / int(period) if int(quota) > 0 else math.inf
    return math.inf
