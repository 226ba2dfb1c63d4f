"""Made-up people in packs like Human3.6M's and MPI-INF-3DHP's; no number is theirs."""

import hashlib
import json

import numpy as np
from helpers.walker import walk

from graphlift.cameras import Camera, camera_to_image, world_to_camera
from graphlift.datasets.licensed.pack import CameraSequence, write_sequences
from graphlift.skeletons import H36M_17, MPI_INF_3DHP_17
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.virtual_cameras import open_rig

OFFICIAL_OF_17 = (10, 8, 14, 15, 16, 11, 12, 13, 1, 2, 3, 4, 5, 6, 0, 7, 9)
"""Where each of MPI-INF-3DHP's joints is in Human3.6M's 17, read off the two lists of names."""
SMALL = ModelConfig(channels=4, blocks=1)
SHORT = TrainConfig(
    steps=6,
    evaluate_every=3,
    batch_size=16,
    tensorboard=False,
    model=SMALL,
    cameras="own",
    keep="last",
)
"""A run on packs."""


def sequence(subject, clip, camera, lens, *, frames, seed, skeleton=H36M_17, noise=None):
    rng = np.random.default_rng(seed)
    world = walk(frames, 50.0, heading=rng.uniform(0, 6), start=rng.uniform(-0.5, 0.5, 2))
    positions = world_to_camera(world, lens)
    if skeleton is MPI_INF_3DHP_17:
        positions = positions[:, OFFICIAL_OF_17]
    truth = camera_to_image(positions, lens)
    keypoints = {"gt": truth}
    for kind, size in (noise or {}).items():
        keypoints[kind] = truth + size * rng.standard_normal(truth.shape)
    return CameraSequence(
        subject=subject,
        activity=clip.partition(" ")[0],
        clip=clip,
        camera=camera,
        lens=lens,
        positions=positions,
        keypoints=keypoints,
        valid=np.ones(frames, dtype=bool),
        fps=50.0,
        skeleton=skeleton,
    )


def write_h36m(folder, *, frames=20, clips=("Directions", "Walking 1"), noise=None):
    people = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
    return write_sequences(
        folder,
        (
            sequence(subject, clip, f"camera{c}", lens, frames=frames, seed=[s, k, c], noise=noise)
            for s, subject in enumerate(people)
            for k, clip in enumerate(clips)
            for c, lens in enumerate(open_rig()[:2])
        ),
        name="h36m-17",
    )


def write_3dhp(folder, *, frames=4):
    first = open_rig()[0]
    wide = Camera((1499.0, 1499.0), (1024.0, 1024.0), (2048, 2048), first.R, first.position)
    return write_sequences(
        folder,
        (
            sequence(
                f"TS{n}", f"TS{n}", "0", wide, frames=frames + n, seed=n, skeleton=MPI_INF_3DHP_17
            )
            for n in range(1, 7)
        ),
        name="3dhp",
    )


def replace_array(path, array):
    """Write an array of a pack anew, and its digest into the pack's index."""
    np.save(path, array)
    index = json.loads((path.parent / "index.json").read_text())
    index["arrays"][path.name] = hashlib.sha256(array.tobytes()).hexdigest()
    index["sha256"] = ""
    (path.parent / "index.json").write_text(json.dumps(index))
