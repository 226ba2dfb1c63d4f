"""The pictures of docs/view.md: people of the embedded prior, who turn on the spot.

    python recipes/view_figures.py [--out docs/figures] [--demo demo/cam01.npz]

Needs the extras viewer and video, and Chromium, which takes the picture of the page.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

from graphlift.cameras import Camera, camera_to_image, look_at, world_to_camera
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.formats import read_poses
from graphlift.sequences import Poses, keypoints_from
from graphlift.skeletons import H36M_17
from graphlift.view.draw import draw_frame
from graphlift.view.page import write_page

SIZE = (960, 640)
FRAMES = 100
# Draws everything in software, loads nothing, and lets two seconds of playing pass at once.
FLAGS = (
    *("--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--ignore-gpu-blocklist", "--hide-scrollbars", "--virtual-time-budget=2000"),
    "--window-size=1280,720",
)
# What viser says of a browser without a graphics card.
QUIET = "<style>.mantine-Notifications-root { display: none }</style>"


def motion():
    """Two sampled people, one turn in four seconds, with keypoints as a detector might err."""
    rng = np.random.default_rng(3)
    clips = [c for c in sample_prior("train", people=2, seed=3).clips if c.activity == "walk"]
    people = np.stack([clip.positions[5].astype(float) for clip in clips[:2]])
    people -= people[:, [0]] * [1, 1, 0]
    angle = np.linspace(0, 2 * np.pi, FRAMES, endpoint=False)
    cos, sin, one, no = np.cos(angle), np.sin(angle), np.ones(FRAMES), np.zeros(FRAMES)
    turn = np.stack([cos, -sin, no, sin, cos, no, no, no, one], axis=-1).reshape(-1, 3, 3)
    places = np.array([[-0.6, 0, 0], [0.6, 0, 0]])
    joints = np.einsum("tij,pkj->tpki", turn, people) + places[:, None]
    position = np.array([0.4, -4.2, 1.5])
    R = look_at(position, np.array([0.0, 0.0, 0.9]))
    camera = Camera((900.0, 900.0), (SIZE[0] / 2, SIZE[1] / 2), SIZE, R, position)
    pixels = camera_to_image(world_to_camera(joints, camera), camera)
    names = ("anna", "ben")
    far = np.linalg.norm(people - people[:, [0]], axis=-1)
    return Poses(
        *(joints, H36M_17, "world", False),
        sigma=np.tile(0.03 + 0.05 * far, (FRAMES, 1, 1)),
        fps=25.0,
        people=names,
        keypoints=keypoints_from(
            pixels + rng.normal(0, 4, pixels.shape), H36M_17, image_size=SIZE, people=names
        ),
        camera=camera,
    )


def photograph(chromium, poses, picture):
    """Take a picture of the page of a motion."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        write_page(page, poses, name="motion.npz")
        page.write_text(page.read_text().replace("</head>", f"{QUIET}</head>", 1))
        shot = [f"--user-data-dir={folder}/profile", f"--screenshot={picture}"]
        command = [chromium, *FLAGS, *shot, page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    parser.add_argument("--demo", type=Path, help="demo/cam01.npz: draw only demo.png, of that")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("needs Chromium: install it with the system's packages")
    if arguments.demo:
        photograph(chromium, read_poses(arguments.demo), out / "demo.png")
        return
    poses = motion()
    photograph(chromium, poses, out / "view.png")
    shade = np.linspace(120, 60, SIZE[1])[:, None, None]
    image = np.broadcast_to(shade, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    cv2.imwrite(str(out / "render.png"), draw_frame(image, poses, 40, sigma=True))


if __name__ == "__main__":
    main()
