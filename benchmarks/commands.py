"""Time and memory of the commands a user waits for.

    python benchmarks/commands.py [--quick] [--report DIR]

Wall-clock seconds (median of five, or of one for the long ones) and the largest resident memory of
all processes of the command together (proportional set size: a page that several share counts
once), read from /proc five times a second (Linux only).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GRAPHLIFT = [sys.executable, "-m", "graphlift"]


def resident(group):
    """Bytes in memory of all processes of a process group; a page they share counts once."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group:
                shares = (process / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in shares if line.startswith("Pss:"))
        except (ProcessLookupError, FileNotFoundError):
            continue
    return total * 1024


def run(*arguments):
    """Seconds and peak bytes of one command."""
    began, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        [*GRAPHLIFT, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(0.2 if time.perf_counter() - began > 2 else 0.002)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)}: status {process.returncode}")
    return time.perf_counter() - began, peak


def show(name, runs):
    seconds = statistics.median(second for second, _ in runs)
    memory = max(peak for _, peak in runs)
    print(f"| `graphlift {name}` | {seconds:.2f} | {memory / 2**20:,.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="time the quick study too: minutes")
    parser.add_argument("--report", type=Path, help="a study's folder, to time its report")
    arguments = parser.parse_args()
    print("| command | s | MB |\n|---|---:|---:|")
    for name in ("--help", "model list", "data info prior"):
        show(name, [run(*name.split()) for _ in range(5)])
    if arguments.report:
        show("study report", [run("study", "report", str(arguments.report)) for _ in range(5)])
    if arguments.quick:
        with tempfile.TemporaryDirectory() as folder:
            show("study run quick", [run("study", "run", "quick", "--out", f"{folder}/quick")])


if __name__ == "__main__":
    main()
