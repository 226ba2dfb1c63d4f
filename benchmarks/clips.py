"""What each step is worth on whole clips, by definition of keypoints, exact and noisy.

    python benchmarks/clips.py path/to/mocap open-base [more models] [--part validation|test|cross]
                               [--over-time runs/open-clip] [--docs docs/whole-clips.md]

Windows of 3 s of people on their own bodies or on others, each seen by one camera like Human3.6M's
(graphlift.samples.strata has the definitions); noise of CPN's level whose errors last
(graphlift.detector_noise). A model sees the skeleton that its source of keypoints has: Human3.6M's
17 of motion capture, Halpe's 26 of a detector. MPJPE / P-MPJPE of Human3.6M's 16 joints, mm, mean
over frames; in brackets the 95 % interval of the MPJPE's difference from single frames, by
bootstrap over windows. A second table has which share of all joints lies within the balls that
should hold 50, 80 and 95 %. Steps: single frames; smoothed; refined; refined and smoothed. With
--over-time the first model's answers are corrected by a trained network over time before all
steps, in a row of its own; its first and last 13 frames stay as they were.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from pages import add_docs, show, table

from graphlift import Lifter
from graphlift.cameras import Camera
from graphlift.metrics import joint_errors
from graphlift.motion import refine, smooth
from graphlift.networks import WINDOW
from graphlift.preprocessing import canonical_28, features_over_time
from graphlift.samples.clip_views import FPS, ClipPeople, draw_windows
from graphlift.samples.open_data import read_open_data
from graphlift.samples.random_views import H36M_LIKE_RIG
from graphlift.samples.strata import DEFINITIONS, EXACT
from graphlift.scoring.sigma import sigma_coverage
from graphlift.sequences import Keypoints, Poses, keypoints_from
from graphlift.skeletons import BODY_28, H36M_16, H36M_17, HALPE_26

FRAMES = 90
WINDOWS = 48
SEED = 5
FOCAL, SIZE = 1145.0, 1000
CAMERA = Camera((FOCAL, FOCAL), (SIZE / 2, SIZE / 2), (SIZE, SIZE), np.eye(3), np.zeros(3))
NOISES = {"exact": EXACT, "noisy": replace(EXACT, noise=1.0, exact=0, confident=0.5)}
STEPS = {
    "single frames": lambda poses: poses,
    "smoothed": smooth,
    "refined": lambda poses: refine(poses, CAMERA),
    "refined and smoothed": lambda poses: smooth(refine(poses, CAMERA)),
}
_HALPE = {"LAnkle": "LFoot", "RAnkle": "RFoot"}


def keypoints_of(rays: np.ndarray, confidence: np.ndarray, captured: bool) -> Keypoints:
    """Keypoints in px, in the skeleton that their source has."""
    px = np.where(confidence[..., None] > 0, rays * FOCAL + SIZE / 2, np.nan)
    if captured:
        skeleton, px, confidence = H36M_17, px[:, :17], confidence[:, :17]
    else:
        names = [_HALPE.get(name, name) for name in HALPE_26.joints]
        own = [n in BODY_28.joints and n not in ("Hip", "Head", "Neck", "Thorax") for n in names]
        at = BODY_28.index(*(n if o else "Hip" for n, o in zip(names, own, strict=True)))
        skeleton = HALPE_26
        px = np.where(np.array(own)[:, None], px[:, at], np.nan)
        confidence = confidence[:, at] * own
    return keypoints_from(px, skeleton, confidence=confidence, image_size=(SIZE, SIZE), fps=FPS)


def errors(poses, truth: np.ndarray) -> tuple[float, float]:
    found = poses.positions[:, 0].astype(float)
    found = found[:, poses.skeleton.index(*H36M_16.joints)]
    wanted = truth[:, BODY_28.index(*H36M_16.joints)]
    found = found - found[:, :1]
    known = np.isfinite(found).all(axis=(1, 2))
    return tuple(
        1000 * float(joint_errors(found[known], wanted[known], alignment=how).mean())
        for how in ("none", "similarity")
    )


def covered(poses, truth: np.ndarray) -> np.ndarray:
    """Per cent of all joints within the 50, 80 and 95 % balls of sigma."""
    found = poses.positions[:, 0].astype(float)
    known = np.isfinite(found).all(axis=(1, 2))
    found, sigma = (found - found[:, :1])[known], poses.sigma[known, 0]
    return np.array([*sigma_coverage(found, truth[known, : found.shape[1]], sigma).values()])


def interval(differences: np.ndarray) -> tuple[float, float]:
    drawn = np.random.default_rng(0).integers(len(differences), size=(2000, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    return low, high


def corrector(lifter: Lifter, run: Path):
    """A function that corrects the poses of a window by a network over time."""
    import torch

    from graphlift.training.checkpoints import load_run

    network = load_run(run / "model.safetensors")[0].eval()
    torch.set_num_threads(1)

    def correct(poses: Poses, rays: np.ndarray, confidence: np.ndarray) -> Poses:
        seen = canonical_28(rays, confidence)
        features = features_over_time(lifter.run(seen.inputs), seen)
        with torch.inference_mode():
            answers = network(torch.from_numpy(features)[None])[0, 0].numpy()
        at = slice(WINDOW // 2, WINDOW // 2 + len(answers))
        positions, sigma = poses.positions.copy(), poses.sigma.copy()
        rooted = answers[..., :3] - answers[:, :1, :3]
        positions[at, 0] = rooted @ seen.R[at].astype(np.float32)
        sigma[at, 0] = np.exp(answers[..., 3]) * lifter.card.sigma_scale
        return replace(poses, positions=positions, sigma=sigma)

    return correct


def measure(
    lifter: Lifter, people: ClipPeople, definition: str, noise: str, correct=None
) -> np.ndarray:
    """Errors of each window after each step, and what sigma covers: (window, step, 2 + 3)."""
    rng = np.random.default_rng(SEED)
    views = draw_windows(
        people, DEFINITIONS[definition], NOISES[noise], WINDOWS, rng, rig=H36M_LIKE_RIG
    )
    rows = []
    for start in range(0, len(views), FRAMES):
        part = slice(start, start + FRAMES)
        keypoints = keypoints_of(
            views.rays[part], views.confidence[part], bool(views.captured[start])
        )
        poses = lifter(keypoints, camera=CAMERA)
        if correct is not None:
            poses = correct(poses, views.rays[part], views.confidence[part])
        truth = views.targets[part]
        done = [step(poses) for step in STEPS.values()]
        rows.append([[*errors(each, truth), *covered(each, truth)] for each in done])
    return np.array(rows)


def compare(people: ClipPeople, lifters: dict) -> dict[str, str]:
    """Tables by name: a row for each model, definition and noise; a column for each step."""
    lines, covers = [], []
    for model, (lifter, correct) in lifters.items():
        own = []
        for definition in DEFINITIONS:
            for noise in NOISES:
                rows = measure(lifter, people, definition, noise, correct)
                lines.append([model, f"{definition}, {noise}", *error_cells(rows[..., :2])])
                own.append(rows[..., 2:].mean(axis=0))
                covers.append([model, f"{definition}, {noise}", *cover_cells(own[-1])])
        covers.append([model, "mean", *cover_cells(np.mean(own, axis=0))])
    head = ["model", "keypoints", *STEPS]
    return {"clips": table(head, lines, words=2), "sigma of clips": table(head, covers, words=2)}


def error_cells(rows: np.ndarray) -> list[str]:
    """MPJPE / P-MPJPE after each step, and the interval of the MPJPE's change."""
    cells = []
    for number in range(len(STEPS)):
        mean = rows[:, number].mean(axis=0)
        text = f"{mean[0]:.1f} / {mean[1]:.1f}"
        if number:
            low, high = interval(rows[:, number, 0] - rows[:, 0, 0])
            text += f" ({low:+.1f} to {high:+.1f})"
        cells.append(text)
    return cells


def cover_cells(means: np.ndarray) -> list[str]:
    """What 50 / 80 / 95 % balls hold after each step."""
    return [" / ".join(f"{share:.0f}" for share in step) for step in means]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--part", choices=("validation", "test", "cross"), default="validation")
    parser.add_argument("--over-time", type=Path, help="folder of a finished run")
    add_docs(parser)
    chosen = parser.parse_args()
    data = read_open_data(chosen.mocap)
    people = ClipPeople(data.motion(chosen.part), FRAMES, balance=0)
    print(f"{WINDOWS} windows of {FRAMES} frames, {chosen.part} people")
    names = [Path(model).name.removesuffix(".onnx") for model in chosen.models]
    lifters = {
        name: (Lifter.load(model, threads=1), None)
        for name, model in zip(names, chosen.models, strict=True)
    }
    if chosen.over_time:
        base = lifters[names[0]][0]
        lifters[f"{names[0]}, over time"] = base, corrector(base, chosen.over_time)
    show(compare(people, lifters), chosen.docs)


if __name__ == "__main__":
    main()
