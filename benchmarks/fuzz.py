"""Hostile input for every reader and converter, made of tiny valid files, for as long as you like.

    python benchmarks/fuzz.py --count 1000000 --seed 0 --out DIR

Each input is a valid file with some bytes, numbers, keys, steps of a pickle or members of an
archive changed (``fuzzing/``), by the seed and its number alone. It is read in a process with
limits of memory and time. How it ended is counted: *read*; *refused* by an error of the package,
in one line that names the file; *unclear*, an error of the package that is too long or names no
file; *foreign*, an error of another library; *time*, *memory*, *crash*. The first input of each
distinct failure (by kind of error and innermost line of the package) is kept in ``DIR/kept``.

The same command goes on where it stopped. ``--only N`` makes input N again and reads it here, to
look at. Needs the extras dev, train and video, and a POSIX system.
"""

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent))

PATIENCE = 60.0
"""Seconds without a word, after which a process is killed: the limit of its own did not work."""

BATCH = 20_000
"""Inputs of one process."""


def commit():
    """Name the state of the code."""
    here = Path(__file__).parent

    def git(*words):
        return subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=False
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (
        "+" if git("status", "--porcelain", "-uno") else ""
    )


class Ledger:
    """What was counted so far, kept in a file."""

    def __init__(self, out, seed):
        self.path, self.kept = out / "counts.json", out / "kept"
        self.kept.mkdir(parents=True, exist_ok=True)
        stored = json.loads(self.path.read_text()) if self.path.exists() else {"seed": seed}
        if stored["seed"] != seed:
            sys.exit(f"{self.path}: was begun with --seed {stored['seed']}: give another --out")
        self.seed, self.next = seed, stored.get("next", 0)
        self.outcomes = Counter(stored.get("outcomes", {}))
        self.commits = Counter(stored.get("commits", {}))
        self.targets = Counter(stored.get("targets", {}))
        self.failures = stored.get("failures", {})

    def save(self):
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(vars(self) | {"path": "", "kept": ""}, indent=1))
        beside.replace(self.path)

    def count(self, target, outcome, key, text, index, code):
        self.next = index + 1
        self.outcomes[outcome] += 1
        self.targets[target] += 1
        self.commits[code] += 1
        if key:
            known = self.failures.setdefault(
                key, {"target": target, "index": index, "text": text, "commit": code, "count": 0}
            )
            known["count"] += 1
            known["last"] = code
            return known["count"] == 1
        return False

    def summary(self):
        total = self.outcomes.total()
        lines = [
            f"{total:,} inputs (seed {self.seed}), by commit: "
            + ", ".join(f"{name} {count:,}" for name, count in self.commits.items())
        ]
        lines += [f"{name:8} {count:>10,}" for name, count in self.outcomes.most_common()]
        lines += [f"{len(self.failures)} distinct failures"]
        for key, each in self.failures.items():
            lines.append(
                f"  {each['count']:>6,} × {key} | {each['target']} | input {each['index']} "
                f"(commit {each['commit']}, last {each.get('last', '?')}) | {each['text'][:160]}"
            )
        return "\n".join(lines)


def keep(ledger, inputs_folder, target, key, index):
    """Copy the input of a failure that was not seen before: its folder as it stands."""
    place = ledger.kept / f"{index}-{''.join(c if c.isalnum() else '-' for c in key)}"
    source = inputs_folder / target
    if source.is_dir() and not place.exists():
        shutil.copytree(source, place)


def run_batch(inputs, ledger, last, code):
    """Feed inputs to one process until it is done, or dead."""
    from fuzzing.worker import TARGETS, work

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            with os.fdopen(writing, "w", encoding="utf-8", errors="replace") as told:
                work(inputs, ledger.next, last, told)
        except BaseException:
            with (ledger.kept / "harness.txt").open("a") as broken:
                traceback.print_exc(file=broken)
            os._exit(1)
        os._exit(0)
    os.close(writing)
    begun, how = None, "crash"
    with os.fdopen(reading, "rb", buffering=0) as told:
        rest = b""
        while True:
            if not select.select([told], [], [], PATIENCE)[0]:
                os.kill(child, signal.SIGKILL)
                how = "time"
                break
            data = told.read(1 << 16)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                index, *words = line.decode("utf-8", "replace").split("\t")
                begun = int(index) if not words else None
                if words and ledger.count(*words, int(index), code):
                    keep(ledger, inputs.folder, words[0], words[2], int(index))
    _, status = os.waitpid(child, 0)
    if begun is not None:  # it died of this one
        import random

        (target,) = random.Random(f"{ledger.seed} {begun}").choices(
            TARGETS, [target.share for target in TARGETS]
        )
        key = f"{how} {target.name} status {status}"
        if ledger.count(target.name, how, key, f"status {status}", begun, code):
            keep(ledger, inputs.folder, target.name, key, begun)
    restore(inputs)


def restore(inputs):
    """Put all files back as they were: the process that changed one is gone."""
    for files in inputs.files.values():
        for path, data in files.items():
            if not path.exists() or path.stat().st_size != len(data) or path.read_bytes() != data:
                path.write_bytes(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--count", type=int, default=10_000, help="inputs in all, those before too"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all inputs")
    parser.add_argument("--out", type=Path, default=Path("fuzz"), help="counts and kept inputs")
    parser.add_argument("--only", type=int, help="make this input again and read it here")
    given = parser.parse_args()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as folder:
        from fuzzing.worker import Inputs

        inputs = Inputs(Path(folder), given.seed)
        if given.only is not None:
            target, path = inputs.write(given.only)
            print(f"{target.name}: {path}")
            shutil.copytree(Path(folder) / target.name, given.out, dirs_exist_ok=True)
            print(target.read(Path(folder) / target.name))
            return
        ledger = Ledger(given.out, given.seed)
        code, began, before = commit(), time.monotonic(), ledger.next
        try:
            while ledger.next < given.count:
                run_batch(inputs, ledger, min(given.count, ledger.next + BATCH), code)
                ledger.save()
                speed = (ledger.next - before) / (time.monotonic() - began)
                print(
                    f"{ledger.next:,} inputs, {speed:,.0f} a second, "
                    f"{len(ledger.failures)} distinct failures",
                    flush=True,
                )
        except KeyboardInterrupt:
            pass
        finally:
            ledger.save()
        print(ledger.summary())


if __name__ == "__main__":
    main()
