"""What drawing costs beside decoding and encoding, in milliseconds a frame.

    python benchmarks/drawing.py [VIDEO] [--frames N] [--people N] [--size WxH]

Without a video, one of smooth noise that moves is made first. Median over frames; drawn are 17
keypoints, the 3D through its camera, rings and names.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from graphlift.cameras import Camera, camera_to_image, look_at, world_to_camera
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import H36M_17
from graphlift.view.draw import draw_frame
from graphlift.view.render import render


def make_video(path, frames, size):
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(30, 220, (32, 18, 3), dtype=np.uint8), size)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, size)
    for t in range(frames):
        writer.write(np.roll(image, 3 * t, axis=1))
    writer.release()


def make_motion(frames, people, size):
    """Unrelated poses of the prior, 1 m apart, seen from 4 m away by a camera of that image."""
    clips = sample_prior("test", people=1, poses=2000).clips
    joints = np.concatenate([clip.positions for clip in clips])[: frames * people].astype(float)
    joints = np.resize(joints, (frames, people, 17, 3))
    joints -= joints[:, :, [0]] * [1, 1, 0]
    joints += (np.arange(people) - (people - 1) / 2)[:, None, None] * [1, 0, 0]
    position = np.array([0.0, -4.0, 1.5])
    R = look_at(position, np.array([0.0, 0.0, 0.9]))
    camera = Camera((max(size) * 0.8,) * 2, (size[0] / 2, size[1] / 2), size, R, position)
    pixels = camera_to_image(world_to_camera(joints, camera), camera)
    names = tuple(f"person {p}" for p in range(people))
    return Poses(
        *(joints, H36M_17, "world", False),
        sigma=np.full(joints.shape[:-1], 0.05),
        people=names,
        keypoints=keypoints_from(pixels, H36M_17, image_size=size, people=names),
        camera=camera,
    )


def measure(video, motion, frames):
    """Decode, draw and encode one after the other, each frame timed for itself."""
    decoding, drawing, encoding = [], [], []
    capture, writer = cv2.VideoCapture(str(video)), None
    for t in range(frames):
        began = time.perf_counter()
        _, image = capture.read()
        decoded = time.perf_counter()
        draw_frame(image, motion, t, sigma=True)
        drawn = time.perf_counter()
        if writer is None:
            out, size = str(video.with_name("encoded.mp4")), image.shape[1::-1]
            writer = cv2.VideoWriter(out, cv2.VideoWriter.fourcc(*"mp4v"), 30.0, size)
        started = time.perf_counter()
        writer.write(image)
        encoding.append(time.perf_counter() - started)
        decoding.append(decoded - began)
        drawing.append(drawn - decoded)
    writer.release()
    return {"decode": decoding, "draw": drawing, "encode": encoding}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--people", type=int, default=1)
    parser.add_argument("--size", default="1080x1920")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video, frames = Path(folder) / "made.mp4", arguments.frames
        if arguments.video:
            video.symlink_to(arguments.video.resolve())
            capture = cv2.VideoCapture(str(video))
            size = tuple(round(capture.get(p)) for p in (3, 4))
            frames = round(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        else:
            size = tuple(map(int, arguments.size.split("x")))
            make_video(video, frames, size)
        motion = make_motion(frames, arguments.people, size)
        times = measure(video, motion, frames)
        began = time.perf_counter()
        codec = render(video, motion, video.with_name("rendered.mp4"), sigma=True)
        whole = (time.perf_counter() - began) / frames
    print(f"{frames} frames of {size[0]}x{size[1]}, {arguments.people} people; ms a frame")
    print("| decode | draw | encode | all, by render |\n|---:|---:|---:|---:|")
    medians = [1000 * statistics.median(times[what]) for what in ("decode", "draw", "encode")]
    print("| " + " | ".join(f"{ms:.1f}" for ms in medians) + f" | {1000 * whole:.1f} ({codec}) |")


if __name__ == "__main__":
    main()
