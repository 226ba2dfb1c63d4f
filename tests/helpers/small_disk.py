"""Every writer of files on a file system that is full: run by ``test_full_disk.py``.

    unshare --mount python -m helpers.small_disk FOLDER INPUTS

mounts a file system of a few MB at FOLDER, which no other process sees, and prints for each writer
what happened, as a line of JSON: when there was no room, half of what is needed, then enough; and
when the file system was read-only.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

SIZE = 8 << 20
BALLAST = "ballast"
"""Name of what fills the file system up."""


def nothing(path):
    """Nothing was there before."""


def text(path):
    path.write_bytes(b"old")


@dataclass(frozen=True)
class Writer:
    """Something that writes.

    Args:
        name: Of the file or folder that it writes.
        write: Takes the path.
        begin: Puts there what was there before.
        several: Whether it is several files, of which each is whole, old or new.
    """

    name: str
    write: Callable[[Path], object]
    begin: Callable[[Path], object] = text
    several: bool = False


@cache
def poses(people=("0",)):
    from helpers.readback import moving

    return moving(frames=150, people=people)


def motion_files():
    from graphlift.formats import write_poses
    from graphlift.formats.write import WRITERS
    from graphlift.view.page import write_page

    for suffix in WRITERS:
        begin = Path.mkdir if suffix == ".openpose" else text
        yield Writer(f"walk{suffix}", lambda path: write_poses(path, poses()), begin)
    yield Writer("walk.html", lambda path: write_page(path, poses()))

    def two(path):
        path.mkdir(exist_ok=True)
        write_poses(path / "two.bvh", poses(("Ada", "Bob")))

    yield Writer("people", two, Path.mkdir)


def keypoints_and_packs():
    from helpers.tiny_pack import small
    from helpers.tiny_packs import write_h36m

    from graphlift.datasets.mocap.pack import write_pack
    from graphlift.formats import write_keypoints
    from graphlift.sequences import keypoints_from
    from graphlift.skeletons import COCO_17

    places = np.random.default_rng(0).uniform(0, 500, (500, 1, 17, 2))
    keypoints = keypoints_from(places, COCO_17, image_size=(640, 480), fps=30.0)
    capture = small("train", poses=1_200)
    yield Writer("keypoints.npz", lambda path: write_keypoints(path, keypoints))
    yield Writer("mocap.npz", lambda path: write_pack(path, capture))
    yield Writer("h36m", lambda path: write_h36m(path, frames=60), lambda path: write_h36m(path))


def networks():
    import torch

    from graphlift.card import ModelCard
    from graphlift.export import export_onnx
    from graphlift.nn.build import build_network
    from graphlift.study.release import _write_weights
    from graphlift.training.checkpoints import write_checkpoint

    torch.manual_seed(0)
    network = build_network("pre-aggregation", channels=16, blocks=1, joints=17)
    network.eval()
    card = ModelCard(
        name="own",
        skeleton="h36m-17",
        inputs="canonical",
        method="pre-aggregation",
        parameters=1,
        recipe={},
        data="none",
        data_digest="0" * 64,
    )
    tensors = network.state_dict()
    yield Writer("run.safetensors", lambda path: write_checkpoint(path, tensors, {"step": 1}))
    yield Writer("own.onnx", lambda path: export_onnx(network, card, path))
    yield Writer("own.safetensors", lambda path: _write_weights(tensors, card, path))


def studies():
    from helpers.fake_results import fake_results, write_results

    from graphlift.files import append_line
    from graphlift.study.report import write_report
    from graphlift.study.results import RESULTS, append_result, set_aside_cut_line

    runs = fake_results(seeds=(0,), detections=("gt",))[:1]

    def cut(path):
        path.mkdir()
        (path / RESULTS).write_text("x" * 20_000)

    def set_aside(path):
        set_aside_cut_line(path / RESULTS)

    yield Writer("results.jsonl", lambda path: append_result(path, runs[0]))
    yield Writer("log.jsonl", lambda path: append_line(path, "x" * 20_000))
    yield Writer("cut", set_aside, cut)
    yield Writer("study", write_report, lambda path: write_results(path, runs), several=True)


def videos():
    from helpers.tiny_video import write_video

    from graphlift.sequences import keypoints_from
    from graphlift.skeletons import COCO_17
    from graphlift.view.render import render

    frames, size = 20, (320, 240)
    source = write_video(Path(sys.argv[2]) / "clip.mp4", frames, size=size)
    places = np.random.default_rng(0).uniform(0, 240, (frames, 1, 17, 2))
    keypoints = keypoints_from(places, COCO_17, image_size=size, fps=25.0)
    yield Writer("drawn.mp4", lambda path: render(source, keypoints, path))


ALL = (motion_files, keypoints_and_packs, networks, studies, videos)


def contents(disk):
    """Every file but the ballast, by name; and every folder."""
    return {
        str(path.relative_to(disk)): path.read_bytes().hex() if path.is_file() else None
        for path in sorted(disk.rglob("*"))
        if path.name != BALLAST
    }


def empty(disk):
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def room(disk):
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def fill(disk, left):
    """Leave only so many bytes."""
    with (disk / BALLAST).open("wb") as ballast:
        ballast.write(bytes(max(room(disk) - left, 0)))
    assert room(disk) <= left + 4096


def attempt(writer, disk):
    try:
        writer.write(disk / writer.name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def when_full(writer, disk):
    """Try with no room, and with half of what is needed; then with enough."""
    from graphlift import files

    writer.begin(disk / writer.name)
    before, free = contents(disk), room(disk)
    writer.write(disk / writer.name)
    after, needed = contents(disk), free - room(disk)
    tries = []
    for left in (0, max(needed, 4096) // 2 & ~4095):
        empty(disk)
        writer.begin(disk / writer.name)
        fill(disk, left)
        said, found = attempt(writer, disk), contents(disk)
        (disk / BALLAST).unlink()
        kept = found == before
        if writer.several:
            kept = all(each in (before.get(n), after.get(n)) for n, each in found.items())
        tries.append({"said": said, "kept": kept})
    files._swept.clear()  # as another process
    again = attempt(writer, disk)
    return {"full": tries, "again": again, "whole": contents(disk) == after}


def when_read_only(writer, disk):
    """Try where nothing can be written."""
    empty(disk)
    writer.begin(disk / writer.name)
    before = contents(disk)
    mount("-o", "remount,ro", disk)
    said = attempt(writer, disk)
    mount("-o", "remount,rw", disk)
    return {"read-only": [{"said": said, "kept": contents(disk) == before}]}


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def main():
    disk = Path(sys.argv[1])
    mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk)
    for make in ALL:
        for writer in make():
            empty(disk)
            tried = when_full(writer, disk) | when_read_only(writer, disk)
            sys.stdout.write(json.dumps([writer.name, tried]) + "\n")


if __name__ == "__main__":
    main()
