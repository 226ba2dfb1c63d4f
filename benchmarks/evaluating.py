"""Memory and time of `graphlift evaluate` on a pack as large as Human3.6M's test set.

    python benchmarks/evaluating.py

Made-up poses, 543,344 of S9 and S11 (236 clips and cameras) and a few of each training subject; a
network of 128 channels after two steps. Aim: under 2 GB.
"""

import tempfile
from pathlib import Path

import numpy as np
from growth import measure

from graphlift.cameras import camera_to_image
from graphlift.datasets.licensed.pack import CameraSequence, write_sequences
from graphlift.protocols import PROTOCOLS
from graphlift.skeletons import H36M_17
from graphlift.virtual_cameras import open_rig

CONFIG = """
data = {data!r}
cameras = "own"
keep = "last"
steps = 2
batch_size = 16
tensorboard = false
"""


def sequences(rng):
    protocol, lens = PROTOCOLS["h36m-17"], open_rig()[0]
    per_clip, over = divmod(protocol.frames, 236)
    clips = [("S9" if n < 120 else "S11", n, per_clip + (n < over)) for n in range(236)]
    for subject, number, frames in [*((s, 0, 20) for s in protocol.train), *clips]:
        positions = rng.normal(0, 0.3, (frames, 17, 3)) + np.array([0, 0, 5])
        activity = protocol.activities[1 + number % 14]
        yield CameraSequence(
            subject=subject,
            activity=activity,
            clip=f"{activity} {number}",
            camera="54138969",
            lens=lens,
            positions=positions,
            keypoints={"gt": camera_to_image(positions, lens)},
            valid=np.ones(frames, dtype=bool),
            fps=50.0,
            skeleton=H36M_17,
        )


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sequences(folder / "h36m", sequences(np.random.default_rng(0)))
        (folder / "run.toml").write_text(CONFIG.format(data=str(folder / "h36m")))
        measure(
            folder, "train", folder / "run.toml", "--out", folder / "run", fresh=folder / "run"
        )
        seconds, peak = measure(folder, "evaluate", folder / "run/model.safetensors")
    print(f"evaluate, 543,344 poses: {seconds:.1f} s, {peak:,.0f} MB at most")


if __name__ == "__main__":
    main()
