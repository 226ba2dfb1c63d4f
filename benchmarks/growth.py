"""How time and memory grow with the frames of a clip, the samples of a training, a study's runs.

    python benchmarks/growth.py [--up-to 1e7] [--lines lift gaps train report]
                                [--docs docs/growth.md] [-o docs/figures]

Every figure is of a command in a process of its own: seconds by the clock, and the most memory
that this process ever held (VmHWM of Linux; pages of files that it has mapped count). What takes
less than ten seconds is run three times, and the fastest counts. Files go to the folder for
temporary files (TMPDIR): ten million frames need 20 GB there, on a disk. ``-o`` writes what was
measured to ``growth.json``, which ``--from`` reads, and draws it.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pages

from graphlift.cameras import camera_to_image
from graphlift.datasets.licensed.pack import CameraSequence, write_sequences
from graphlift.formats.example import example_keypoints_path
from graphlift.formats.loaders import read_keypoints
from graphlift.protocols import PROTOCOLS
from graphlift.skeletons import H36M_17
from graphlift.virtual_cameras import open_rig

HOUR = 180_000
BLOCK = 10_000
RESULTS = Path(__file__).parents[1] / "docs" / "study" / "open" / "results.jsonl"
LINES = ("lift", "gaps", "train", "report")
CHILD = """
import atexit, sys
from pathlib import Path
def note(out):
    lines = Path("/proc/self/status").read_text().splitlines()
    Path(out).write_text(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
atexit.register(note, sys.argv.pop(1))
from graphlift.cli import main
main()
"""
"""A command, and what it held at most, kB, in a file."""
TRAINING = """
data = {data!r}
cameras = "own"
keep = "last"
steps = 20
batch_size = 64
threads = 1
tensorboard = false

[model]
channels = 16
"""


def measure(folder, *words, fresh=None):
    """Seconds, and MB at most, of a command; what ``fresh`` names is not there when it begins."""
    note, seconds = folder / "peak", []
    while not seconds or (len(seconds) < 3 and sum(seconds) < 10):
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, note, *map(str, words)], capture_output=True, text=True
        )
        seconds.append(time.perf_counter() - began)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, words))}: {done.stderr.strip()[-500:]}")
    return min(seconds), int(note.read_text()) / 1024


def gaps_of(shape):
    """Which joints of a block are missing: 5 %, and all of them for 0.2 s in ten and 2 s once."""
    missing = np.random.default_rng(0).random(shape) < 0.05
    for start in range(250, len(missing), 500):
        missing[start : start + 10] = True
    missing[2500:2600] = True
    return missing


def keypoints_file(path, frames, *, gaps=False):
    """The example, again and again, written block by block; with gaps, those of every block."""
    example = read_keypoints(example_keypoints_path())
    arrays = {"keypoints": example.positions, "confidence": example.confidence}
    missing = gaps_of((BLOCK, *example.confidence.shape[1:]))
    small = {
        "skeleton": np.array(example.skeleton.name),
        "image_size": np.array(example.image_size),
        "fps": np.array(50.0),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
        for name, array in arrays.items():
            block = np.resize(array.astype(np.float32), (BLOCK, *array.shape[1:]))
            if gaps:
                block[missing] = np.nan if name == "keypoints" else 0
            header = {"descr": "<f4", "fortran_order": False, "shape": (frames, *array.shape[1:])}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, header)
                for start in range(0, frames, BLOCK):
                    member.write(block[: frames - start].tobytes())


def lifting(sizes):
    """Lines of lifting and converting, by frames."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {suffix: folder / f"out{suffix}" for suffix in (".npz", ".parquet")}
        raw = ("--raw", "--model", "open-small")
        for frames in sorted({*sizes, *([HOUR] if max(sizes) >= HOUR else [])}):
            source = folder / "in.npz"
            keypoints_file(source, frames)
            if frames in sizes:
                for suffix, out in files.items():
                    spent = measure(folder, "lift", source, "-o", out, *raw)
                    yield f"lift --raw, .npz to {suffix}", frames, spent
                for one, other in ((".npz", ".parquet"), (".parquet", ".npz")):
                    out = folder / f"converted{other}"
                    spent = measure(folder, "convert", files[one], "-o", out)
                    out.unlink()
                    yield f"convert, {one} to {other}", frames, spent
                for out in files.values():
                    out.unlink()
            if frames <= HOUR:
                words = ("lift", source, "-o", files[".npz"], "--model", "open-small")
                yield "lift, every step, .npz to .npz", frames, measure(folder, *words)
                for suffix in (".bvh", ".glb"):
                    out = folder / f"converted{suffix}"
                    spent = measure(folder, "convert", files[".npz"], "-o", out)
                    out.unlink()
                    yield f"convert, .npz to {suffix}", frames, spent


def lifting_gaps(frames):
    """Lines of lifting and converting a clip with gaps."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "in.npz"
        keypoints_file(source, frames, gaps=True)
        outputs = [folder / f"out{suffix}" for suffix in (".npz", ".bvh", ".glb")]
        for out in outputs:
            words = ("lift", source, "-o", out, "--model", "open-small")
            yield f"lift, every step, .npz to {out.suffix}", frames, measure(folder, *words)
        for out in outputs[1:]:
            spent = measure(folder, "convert", outputs[0], "-o", out)
            yield f"convert, .npz to {out.suffix}", frames, spent


def sequences(samples):
    """Made-up people for a pack: so many frames to train on, and a few to test on."""
    rng = np.random.default_rng(0)
    protocol, lens = PROTOCOLS["h36m-17"], open_rig()[0]
    block = rng.normal(0, 0.3, (BLOCK // 4, 17, 3)) + np.array([0, 0, 5])
    px = camera_to_image(block, lens)
    lengths = [len(block)] * (samples // len(block))
    lengths += [samples % len(block)] if samples % len(block) else []
    tested = [(subject, 64) for subject in protocol.test]
    fewest = max(len(protocol.train) - len(lengths), 0)
    lengths = [lengths[0] - fewest, *[1] * fewest, *lengths[1:]]
    people = protocol.train
    trained = [(people[n % len(people)], frames) for n, frames in enumerate(lengths)]
    for number, (subject, frames) in enumerate([*trained, *tested]):
        activity = protocol.activities[1 + number % 14]
        yield CameraSequence(
            subject=subject,
            activity=activity,
            clip=f"{activity} {number}",
            camera="54138969",
            lens=lens,
            positions=block[:frames],
            keypoints={"gt": px[:frames]},
            valid=np.ones(frames, dtype=bool),
            fps=50.0,
            skeleton=H36M_17,
        )


def training(sizes):
    """The line of twenty steps of training, by the samples of the pack."""
    for samples in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_sequences(folder / "h36m", sequences(samples))
            (folder / "run.toml").write_text(TRAINING.format(data=str(folder / "h36m")))
            out = folder / "run"
            words = ("train", folder / "run.toml", "--out", out)
            yield "train, 20 steps", samples, measure(folder, *words, fresh=out)


def reporting(sizes):
    """The line of a study's report, by its runs: real lines, and copies with other seeds."""
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    for runs in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with (folder / "results.jsonl").open("w") as file:
                for number in range(runs):
                    copy, place = divmod(number, len(lines))
                    line = dict(lines[place])
                    line["seed"] += 100 * copy
                    line["name"] += f"-{copy}"
                    file.write(json.dumps(line) + "\n")
            yield "study report", runs, measure(folder, "study", "report", folder)


def draw(found, path):
    """Seconds above, memory below; a panel for each thing that is counted."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    from graphlift.files import replacing

    panels = {"lift": "frames of a clip", "train": "samples of a training", "report": "runs"}
    panels = {kind: of for kind, of in panels.items() if found.get(kind)}
    figure = Figure(figsize=(3.4 * len(panels) + 1, 6.4), layout="constrained")
    axes = figure.subplots(2, len(panels), squeeze=False, sharex="col", sharey="row")
    colours = ("#0072b2", "#d55e00", "#009e73", "#b8558f", "#d99000", "#56b4e9", "#8c6d31")
    for column, (kind, of) in enumerate(panels.items()):
        top, bottom = axes[:, column]
        for (line, points), colour in zip(found[kind].items(), colours, strict=False):
            counts, *both = np.array(points).T
            for panel, values in zip((top, bottom), both, strict=True):
                panel.plot(counts, values, "o-", color=colour, label=line, markersize=4)
        for panel in (top, bottom):
            panel.set(xscale="log", yscale="log")
            panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            panel.yaxis.set_minor_formatter(NullFormatter())
            panel.grid(True, color="#e4e4e4", linewidth=0.6)
            panel.spines[["top", "right"]].set_visible(False)
        guide(top, found[kind])
        bottom.axhline(400, color="#777777", linewidth=1, linestyle=":", label="400 MB")
        bottom.set(ylim=(50, 2000), xlabel=of)
        bottom.set_yticks([50, 100, 200, 400, 1000, 2000])
        top.legend(fontsize=7, frameon=False, loc="upper left")
    axes[0, 0].set(ylabel="seconds", ylim=(0.5, 8000))
    axes[1, 0].set(ylabel="MB at most")
    with replacing(path) as beside:
        figure.savefig(beside, dpi=150)
        pages.few_colours(beside)


def guide(panel, lines):
    """What is in proportion to the count, through the end of the slowest line."""
    counts = [count for points in lines.values() for count, *_ in points]
    last, seconds, _ = max((points[-1] for points in lines.values()), key=lambda end: end[1])
    ends = np.array([min(counts), max(counts)])
    panel.plot(
        ends, seconds * ends / last, "--", color="#777777", linewidth=1, label="in proportion"
    )


def tables(found):
    """What was measured, as Markdown."""
    made = {}
    names = {"lift": "Frames", "gaps": "Gaps", "train": "Samples", "report": "Runs"}
    for kind, name in names.items():
        if kind in found:
            rows = [
                (line, f"{count:,}", f"{seconds:.1f}", f"{memory:,.0f}")
                for line, points in found[kind].items()
                for count, seconds, memory in points
            ]
            counted = "frames" if kind == "gaps" else name.lower()
            head = ("command", counted, "s", "MB at most")
            made[name] = pages.table(head, rows, words=1)
    return made


def run(arguments):
    """Measure the lines that were asked for."""
    top = int(float(arguments.up_to))
    powers = [10**power for power in range(3, 8) if 10**power <= top]
    runs = [count for count in (10, 30, 100, 300, 1000) if count <= top]
    makers = {
        "lift": lambda: lifting(powers),
        "gaps": lambda: lifting_gaps(min(top, HOUR)),
        "train": lambda: training(powers),
        "report": lambda: reporting(runs),
    }
    found = {}
    for kind in arguments.lines:
        for line, count, (seconds, memory) in makers[kind]():
            found.setdefault(kind, {}).setdefault(line, []).append((count, seconds, memory))
            print(f"{line}: {count:,}: {seconds:.1f} s, {memory:,.0f} MB", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--up-to", default="1e7", help="frames and samples at most")
    parser.add_argument("--lines", nargs="+", choices=LINES, default=LINES)
    parser.add_argument("--from", dest="source", type=Path, help="a growth.json to draw again")
    parser.add_argument("-o", "--out", type=Path, help="folder of growth.json and growth.png")
    pages.add_docs(parser)
    arguments = parser.parse_args()
    found = json.loads(arguments.source.read_text()) if arguments.source else run(arguments)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "growth.json").write_text(json.dumps(found, indent=1) + "\n")
        draw(found, arguments.out / "growth.png")
    pages.show(tables(found), arguments.docs)


if __name__ == "__main__":
    main()
