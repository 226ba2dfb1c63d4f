"""What scoring costs at the size of Human3.6M's test set: time, and memory at most.

    python benchmarks/scoring.py

Made-up walkers, float32; each row is a process of its own. The aims: P-MPJPE of 543,344 poses of
17 joints in less than 10 s on two cores, and everything in less than 2 GB. Seconds by the clock
say little on a machine that is busy with something else; seconds of processor time say more.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FRAMES, JOINTS, CLIPS = 543_344, 17, 236
ALIGN = """
import sys, time
import numpy as np
from graphlift.metrics import p_mpjpe
predicted, target = (np.load(path)["poses"] for path in sys.argv[1:3])
began, busy = time.perf_counter(), time.process_time()
p_mpjpe(predicted, target)
print(time.perf_counter() - began, time.process_time() - busy)
"""


def poses(rng):
    """Poses that move a little from frame to frame, as people do."""
    steps = rng.normal(0, 0.01, (FRAMES, JOINTS, 3)).astype(np.float32)
    body = rng.normal(0, 0.3, (JOINTS, 3)).astype(np.float32)
    return body + 0.1 * np.sin(np.cumsum(steps, axis=0))


def write(folder):
    rng = np.random.default_rng(0)
    target = poses(rng)
    predicted = target + rng.normal(0, 0.03, target.shape).astype(np.float32)
    clip = np.repeat(np.arange(CLIPS), -(-FRAMES // CLIPS))[:FRAMES]
    names = [f"S{9 + 2 * (c % 2)} {c % 15} {54138969 + c % 4}" for c in range(CLIPS)]
    activity = np.array([f"activity {'abcdefghijklmno'[c % 15]}" for c in range(CLIPS)])[clip]
    files = [folder / name for name in ("predicted.npz", "truth.npz", "packed.npz")]
    np.savez(files[0], poses=predicted)
    np.savez(files[1], poses=target, activity=activity, sequence=np.array(names)[clip])
    np.savez_compressed(files[2], poses=predicted)
    return map(str, files)


def measure(*command):
    """Run a process: seconds by the clock and of the processor, what it printed, peak in MB."""
    script = "import resource, subprocess, sys\nout = subprocess.run(sys.argv[1:], check=True, "
    script += "capture_output=True, text=True).stdout\n"
    script += "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    script += "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)\nprint(out)"
    began = time.perf_counter()
    said = subprocess.run(
        [sys.executable, "-c", script, sys.executable, *command],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    seconds = time.perf_counter() - began
    used, _, out = said.partition("\n")
    busy, peak = map(float, used.split())
    return seconds, busy, peak, out


def row(name, seconds, busy, peak):
    print(f"| {name} | {seconds:.1f} | {busy:.1f} | {peak:,.0f} |", flush=True)


def main():
    print("| what | s | s of processor | MB at most |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        predicted, truth, packed = write(Path(folder))
        *_, peak, out = measure("-c", ALIGN, predicted, truth)
        row(f"`p_mpjpe` of {FRAMES:,} × {JOINTS}", *map(float, out.split()), peak)
        for name, path in (("", predicted), (", compressed", packed)):
            command = ("score", path, truth, "--protocol", "h36m-17", "--json")
            *used, _ = measure("-m", "graphlift", *command)
            row(f"`graphlift score`{name}", *used)


if __name__ == "__main__":
    main()
