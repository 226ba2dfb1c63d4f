"""The picture of docs/app.md: the page of graphlift app, with a film dropped on it.

    python recipes/app_figure.py [--film FILM] [--out docs/figures/app.png] [--frame 52]

Runs the command graphlift app of the Python that runs this, gives its page a film, waits until it
is lifted, and takes a picture with Chromium. Without a film one is drawn: the sample's keypoints
as a person with thick limbs. Needs the extras serve, video and report, and BlazePose's weights.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from browsers import CHROMIUM, browsing
from PIL import Image

from graphlift.formats import read_keypoints
from graphlift.formats.example import example_keypoints_path

SIZE = (1180, 860)
COLOURS = 128
MARGIN = 70
"""px around the drawn person."""
WALL, SKIN = (178, 182, 187), (150, 180, 225)
SHIRT, TROUSERS, DARK = (160, 90, 60), (60, 50, 50), (30, 30, 40)
"""Blue, green, red."""
LIMBS = (
    *(("Hip", "Knee", 0.33, TROUSERS), ("Knee", "Ankle", 0.27, TROUSERS)),
    *(("Shoulder", "Elbow", 0.24, SHIRT), ("Elbow", "Wrist", 0.18, SKIN)),
)


def draw_person(image, at):
    """Draw somebody whose joints are where ``at`` says, px."""
    trunk = [at[f"{side}{joint}"] for side, joint in
             (("L", "Shoulder"), ("R", "Shoulder"), ("R", "Hip"), ("L", "Hip"))]  # fmt: skip
    neck, hips = np.mean(trunk[:2], axis=0), np.mean(trunk[2:], axis=0)
    long = float(np.linalg.norm(neck - hips))

    def line(start, end, width, colour):
        ends = [tuple(int(v) for v in np.rint(each)) for each in (start, end)]
        cv2.line(image, *ends, colour, max(1, round(width * long)), cv2.LINE_AA)

    for start, end, width, colour in LIMBS[:2]:
        for side in "LR":
            line(at[side + start], at[side + end], width, colour)
    for side in "LR":
        line(at[f"{side}Ankle"], at[f"{side}Ankle"] + [0, 0.08 * long], 0.25, DARK)
    cv2.fillPoly(image, [np.rint(trunk).astype(np.int32)], SHIRT, cv2.LINE_AA)
    for start, end in ((trunk[0], trunk[1]), (trunk[2], trunk[3]), (neck, hips)):
        line(start, end, 0.34, SHIRT)
    for start, end, width, colour in LIMBS[2:]:
        for side in "LR":
            line(at[side + start], at[side + end], width, colour)
            line(at[f"{side}Wrist"], at[f"{side}Wrist"], 0.26, SKIN)
    face = at["Nose"]
    line(neck, face, 0.22, SKIN)
    line(face - [0, 0.06 * long], face - [0, 0.06 * long], 0.48, DARK)
    line(face, np.add(face, [0, 0.05 * long]), 0.4, SKIN)
    for name in ("LEye", "REye"):
        line(at[name], at[name], 0.06, DARK)


def draw_film(path):
    """Draw the sample's person as a film, and return its path."""
    keypoints = read_keypoints(example_keypoints_path())
    people = keypoints.positions[:, 0]
    low, high = people.min(axis=(0, 1)) - MARGIN, people.max(axis=(0, 1)) + MARGIN
    width, height = (int(side) // 2 * 2 for side in high - low)
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*"VP80"), keypoints.fps, (width, height)
    )
    for joints in people - low:
        image = np.full((height, width, 3), WALL, np.uint8)
        image[round(0.85 * height) :] = np.array(WALL) * 0.8
        draw_person(image, dict(zip(keypoints.skeleton.joints, joints, strict=True)))
        writer.write(cv2.GaussianBlur(image, (0, 0), 1))
    writer.release()
    return path


def photograph(page, film, frame, path):
    """Give the page a film, and take its picture when it shows a frame of the motion."""
    page.resize(*SIZE)
    page.until("document.getElementById('kinds')?.textContent")
    page.give("#file", film)
    page.until(
        "document.getElementById('said').textContent || "
        "document.getElementById('error').textContent",
        600,
    )
    if error := page.run("document.getElementById('error').textContent"):
        sys.exit(error)
    page.run(
        f"(document.getElementById('at').value = {frame},"
        "document.getElementById('at').dispatchEvent(new Event('input')), scrollTo(0, 0))"
    )
    page.until("!document.getElementById('video').seeking")
    page.run("new Promise(done => setTimeout(done, 500))")
    page.photograph(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--film", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/app.png"))
    parser.add_argument("--frame", type=int, default=40)
    arguments = parser.parse_args()
    if CHROMIUM is None:
        parser.error("needs Chromium: install it with the system's packages")
    with tempfile.TemporaryDirectory() as space:
        folder = Path(space)
        film = arguments.film or draw_film(folder / "dance.webm")
        command = [sys.executable, "-m", "graphlift", "app", "--no-browser"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            address = process.stdout.readline().split()[0]
            with browsing("chromium", folder) as page:
                page.open(address)
                photograph(page, film.resolve(), arguments.frame, folder / "app.png")
        finally:
            process.terminate()
            process.wait()
        small = Image.open(folder / "app.png").convert("RGB").quantize(COLOURS)
        small.save(arguments.out, optimize=True)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
