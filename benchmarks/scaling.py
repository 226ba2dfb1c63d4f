"""How speed grows with processes and machines, and memory with clips: tables of docs/scale.md.

    OMP_NUM_THREADS=1 python benchmarks/scaling.py torchrun
    OMP_NUM_THREADS=1 python benchmarks/scaling.py exchange
    OMP_NUM_THREADS=1 python benchmarks/scaling.py study
    OMP_NUM_THREADS=1 python benchmarks/scaling.py lift
    OMP_NUM_THREADS=1 python benchmarks/scaling.py memory

The last three need graphlift[train,cluster]. torchrun trains the paper's network (4.2 M numbers, a
thread a process) for some steps by one process and by several; poses a second are those of the
steps, as the log has them. exchange says where these steps go, in ms: time in all-reduce is also
that in which processes wait for one another. study and lift take runs and clips of one size on a
cluster of one node of one processor, then of several (--counts), all on this machine; seconds are
of the whole command, with the start of its processes, and --size has shorter runs or fewer clips.
memory lifts ever more clips that are there already, which is what the command itself holds of
them: the most memory of its process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ray_kill import finish, start, write_clips

RUN = """
steps = {steps}
batch_size = {batch}
evaluate_every = {steps}
evaluate_stride = 1000
tensorboard = false
"""
PLAN = """
methods = ["pre-aggregation"]
channels = [64]
seeds = [0, 1, 2, 3]
[recipe]
steps = {steps}
evaluate_every = {steps}
evaluate_stride = 100
batch_size = 64
tensorboard = false
"""
MEMORY = """
import resource, sys
from graphlift.cli import main
sys.argv = ["graphlift", *sys.argv[1:]]
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MB")
"""


def by_torchrun(folder, counts, _):
    """Poses a second of training steps."""
    print("| batch | processes | poses/s | of so many times one |\n|--:|--:|--:|--:|")
    for batch in (64, 256, 1024):
        (folder / "run.toml").write_text(RUN.format(steps=max(8192 // batch, 20), batch=batch))
        first = None
        for count in counts:
            out = folder / f"run-{batch}-{count}"
            torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count)
            command = (*torchrun, "-m", "graphlift", "train", folder / "run.toml", "-o", out)
            subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True)
            line = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
            rate = line["step"] * batch / line["seconds"]
            first = first or rate
            print(f"| {batch} | {count} | {rate:,.0f} | {rate / first / count:.0%} |")


RANK = """
import sys, time
from collections import defaultdict
from pathlib import Path
from torch import distributed
from graphlift.samples.open_data import read_open_data
from graphlift.training.config import read_config
from graphlift.training.distributed import joined
from graphlift.training.loop import train

plain, spent, skipped = distributed.all_reduce, defaultdict(list), 5

def timed(tensor, *args, **keys):
    began = time.perf_counter()
    done = plain(tensor, *args, **keys)
    spent[tensor.numel() > 1_000_000].append(time.perf_counter() - began)
    return done

distributed.all_reduce = timed
config, out = read_config(Path(sys.argv[1])), Path(sys.argv[2])
with joined("cpu") as group:
    times = []
    for _ in train(config, read_open_data(config.data), out, group):
        times.append((time.perf_counter(), time.process_time()))
        if len(times) == skipped + 1:
            spent.clear()
    del times[-1]  # its step ends with an evaluation
    steps = len(times) - skipped - 1
    whole, cpu = (1000 * (b - a) / steps for a, b in zip(times[skipped], times[-1]))
    small, large = (1000 * sum(spent[which]) / (steps + 1) for which in (False, True))
    if group.first:
        print(f"{whole:.1f} | {whole - small - large:.1f} | {small:.1f} | {large:.1f} | {cpu:.1f}")
"""


def exchange(folder, counts, _):
    """Where a step goes, ms."""
    head = ("batch", "processes", "step", "elsewhere", "small all-reduces", "gradients", "CPU")
    print(f"| {' | '.join(head)} |\n{'|--:' * len(head)}|")
    (folder / "rank.py").write_text(RANK)
    for batch in (64, 1024):
        (folder / "run.toml").write_text(RUN.format(steps=max(8192 // batch, 24), batch=batch))
        for count in counts:
            torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count)
            run = (folder / "rank.py", folder / "run.toml", folder / f"run-{batch}-{count}")
            command = [sys.executable, *map(str, (*torchrun, *run))]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(f"| {batch} | {count} | {said.strip()} |", flush=True)


def on_nodes(folder, counts, call, what):
    """Seconds of a command on clusters of several sizes."""
    from ray.cluster_utils import Cluster

    print(f"| nodes | s, {what} | of so many times one |\n|--:|--:|--:|")
    first = None
    for count in counts:
        head = {"num_cpus": 0, "object_store_memory": 100_000_000}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(count):
                cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
            cluster.wait_for_nodes()
            began = time.monotonic()
            finish(start(*call, "-o", folder / f"out-{count}", "--ray", cluster.address))
            seconds = time.monotonic() - began
        finally:
            cluster.shutdown()
        first = first or seconds
        print(f"| {count} | {seconds:.1f} | {first / seconds / count:.0%} |")


def study(folder, counts, size):
    steps = size or 200
    (folder / "plan.toml").write_text(PLAN.format(steps=steps))
    command = ("study", "run", folder / "plan.toml")
    on_nodes(folder, counts, command, f"four runs of {steps} steps")


def lift(folder, counts, size):
    count = size or 400
    clips = write_clips(folder / "clips", count)
    on_nodes(folder, counts, ("lift", clips, "--format", ".npz"), f"{count} clips of 40 frames")


def memory(folder, *_):
    """Most memory of the command that starts the work, by the number of clips."""
    print("| clips | MB at most |\n|--:|--:|")
    for count in (1_000, 10_000, 100_000):
        clips, out = folder / f"clips-{count}", folder / f"out-{count}"
        for at in (clips, out):
            at.mkdir()
        names = [f"{number}.npz" for number in range(count)]
        for name in names:
            (clips / name).touch()
            (out / name).touch()
        (clips / "clips.txt").write_text("\n".join(names))
        command = ("lift", clips / "clips.txt", "-o", out, "--format", ".npz", "--ray", "local")
        said = subprocess.run(
            [sys.executable, "-c", MEMORY, *map(str, command)],
            check=True,
            capture_output=True,
            text=True,
        )
        print(f"| {count:,} | {said.stdout.split()[-2]} |")


MEASURED = {
    "torchrun": by_torchrun,
    "exchange": exchange,
    "study": study,
    "lift": lift,
    "memory": memory,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=MEASURED)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--size", type=int, help="steps of each run of a study, or clips")
    args = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    with tempfile.TemporaryDirectory() as name:
        MEASURED[args.what](Path(name), args.counts, args.size)
