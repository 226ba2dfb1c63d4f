"""A folder of motion capture as a study reads it, small enough for a run of a second."""

import json
from dataclasses import replace
from pathlib import Path

from graphlift.datasets import Clip, MotionCapture
from graphlift.datasets.mocap.pack import write_pack
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.skeletons import H36M_17

PARTS = ("train", "validation", "test")


def small(split, people=2, poses=120, seed=0):
    """A few people of the embedded prior: clips of unrelated poses, two activities."""
    capture = sample_prior(split, people=people, poses=poses, seed=seed)
    clips = [
        Clip(f"{split}-{c}", clip.subject, ("walk", "jump")[c % 2], clip.fps, clip.positions)
        for c, clip in enumerate(capture.clips)
    ]
    return MotionCapture("small", H36M_17, tuple(clips), "a licence", "a source")


def write_folder(folder: Path, *, seed: int = 0) -> Path:
    """Write ``cmu.npz``, ``splits.json`` and ``hdm05.npz``; another seed makes other people."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {part: small(part, seed=seed) for part in PARTS}
    clips = tuple(clip for capture in parts.values() for clip in capture.clips)
    write_pack(folder / "cmu.npz", replace(parts["train"], clips=clips))
    write_pack(folder / "hdm05.npz", small("test", seed=seed + 7))
    subjects = {part: list(capture.subjects) for part, capture in parts.items()}
    (folder / "splits.json").write_text(json.dumps({"cmu": subjects}))
    return folder
