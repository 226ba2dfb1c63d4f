"""Kill machines of a Ray cluster in the middle of a study and of bulk lifting: is anything lost?

    python benchmarks/ray_kill.py -o ray-kill

Needs graphlift[train,cluster]. The cluster is Ray's own for tests: a head without processors and
nodes of one processor each, all on this machine. A small study and some hundred clips are done
twice, by one machine and by the cluster; there, one of two nodes is killed once both are at work,
and what it did is done elsewhere. Printed, and checked:

- the study has each run once, and every number of a run is that of one machine, but for its times;
- each clip has one file, whose poses are those of one machine, and no other file is left;
- the same command again finds nothing to do.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from graphlift.formats import read_keypoints, read_poses, write_keypoints
from graphlift.formats.example import example_keypoints_path

PLAN = """
methods = ["full-sharing", "martinez"]
channels = [8]
seeds = [0, 1]
[recipe]
steps = {steps}
evaluate_every = 20
evaluate_stride = 50
batch_size = 32
tensorboard = false
model = {{blocks = 1}}
"""
OF_TIME = ("seconds", "poses_per_second", "runs_at_once")
PATIENCE = 900


def main(folder, clips, steps):
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    folder.mkdir(parents=True, exist_ok=True)
    wrong = [*study(folder, steps), *lifting(folder, clips)]
    print("\n".join(wrong) or "nothing was lost, doubled or changed")
    return bool(wrong)


def study(folder, steps):
    """Run a study on one machine and on a cluster that loses a node; say what differs."""
    plan = folder / "plan.toml"
    plan.write_text(PLAN.format(steps=steps))
    one, many = folder / "study-one", folder / "study-cluster"
    call = ("study", "run", plan, "-o")
    finish(start(*call, one, "--at-once", 1))
    saved = "runs/*/checkpoint.safetensors"
    while_killed(call, many, lambda: len(list(many.glob(saved))) > 1 or lines(many))
    alone, cluster = lines(one), lines(many)
    print(f"study: {len(alone)} runs on one machine, {len(cluster)} lines on the cluster")
    if sorted(alone) != sorted(run["name"] for run in many_lines(many)):
        yield f"study: {sorted(run['name'] for run in many_lines(many))}, not {sorted(alone)}"
    for name, run in alone.items():
        if cluster.get(name) != run:
            yield f"study: {name} differs"


def many_lines(folder):
    results = folder / "results.jsonl"
    return (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )


def lines(folder):
    """Results by the names of runs, without what depends on the time."""
    keep = {
        run["name"]: {k: v for k, v in run.items() if k not in OF_TIME}
        for run in many_lines(folder)
    }
    return json.loads(json.dumps(keep))


def lifting(folder, count):
    """Lift clips on one machine and on a cluster that loses a node; say what differs."""
    listed = write_clips(folder / "clips", count)
    one, many = folder / "lifted-one", folder / "lifted-cluster"
    call = ("lift", listed, "--format", ".npz", "--model", "open-small", "-o")
    finish(start(*call, one))
    while_killed(call, many, lambda: len(files(many)) > count // 10)
    there, here = files(one), files(many)
    print(f"lifting: {len(there)} files by one machine, {len(here)} by the cluster")
    if len(there) != count or set(there) != set(here):
        yield f"lifting: lost {set(there) - set(here)}, or too many {set(here) - set(there)}"
    for name in set(there) & set(here):
        a, b = (read_poses(at / name).positions for at in (one, many))
        if not np.allclose(a, b, atol=1e-5, equal_nan=True):
            yield f"lifting: {name} differs by {np.nanmax(np.abs(a - b)):.1e} m"
    again = finish(start(*call, many, "--ray", "local"))
    print(f"again: {again.strip()}")
    if f"0 done, {count:,} skipped" not in again:
        yield "lifting: the same command again did not skip all"


def write_clips(folder, count):
    """Write short clips into folders of ten, and the list of all."""
    walk = read_keypoints(example_keypoints_path())
    names = []
    for number in range(count):
        names.append(f"{number // 10:03d}/clip.{number}.npz")
        part = slice(number % 50, number % 50 + 40)
        (folder / names[-1]).parent.mkdir(parents=True, exist_ok=True)
        write_keypoints(
            folder / names[-1],
            replace(walk, positions=walk.positions[part], confidence=walk.confidence[part]),
        )
    listed = folder / "clips.txt"
    listed.write_text("".join(f"{name}\n" for name in names))
    return listed


def files(folder):
    """Everything below a folder but the lock."""
    found = folder.rglob("*") if folder.exists() else ()
    return sorted(str(p.relative_to(folder)) for p in found if p.is_file() and p.name != ".lock")


def while_killed(call, out, under_way):
    """Do work on a cluster of two nodes, one of which is killed once work is under way."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        _, lost = (cluster.add_node(num_cpus=1, object_store_memory=100_000_000) for _ in range(2))
        cluster.wait_for_nodes()
        process = start(*call, out, "--ray", cluster.address)
        wait_for(under_way, process)
        cluster.remove_node(lost, allow_graceful=False)
        print(f"{call[0]}: a node was killed")
        finish(process)
    finally:
        cluster.shutdown()


def wait_for(condition, process):
    until = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"the work ended before a node was killed: {finish(process)}")
        time.sleep(0.05)


def start(*words):
    command = [sys.executable, "-m", "graphlift", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """Wait for a command, which must succeed, and give what it printed."""
    out, err = process.communicate(timeout=PATIENCE)
    if process.returncode:
        sys.exit(f"{' '.join(process.args)}\n{out}{err}")
    return out.splitlines()[-1] if out else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("ray-kill"))
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    sys.exit(main(args.out, args.clips, args.steps))
