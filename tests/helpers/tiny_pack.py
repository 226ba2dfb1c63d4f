"""A folder of motion capture as a study reads it, small enough for a run of a second."""

import json
from dataclasses import replace
from pathlib import Path

from conftest import small

from graphlift.datasets.mocap.pack import write_pack

PARTS = ("train", "validation", "test")


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
