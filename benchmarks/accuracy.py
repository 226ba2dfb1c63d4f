"""Where the error of models comes from: the tables and the figure of docs/accuracy-tables.md.

    python benchmarks/accuracy.py path/to/mocap open-base open-small [more models]
        [--on validation] [--figure accuracy.png] [--docs docs/accuracy-tables.md]

A model is a name, an .onnx file, or the folder of a finished training run (whose sigma is not
calibrated), of 17 or of 28 joints; one of 28 sees the same 17 and scores over the same 16. The
folder of motion capture is that of ``graphlift train``. People are CMU test subjects and HDM05, or
validation subjects, on whom choices are made: every third frame without capture errors, each
through one camera of its own (seed 7: the frames and cameras of docs/models.md), exact 2D, known
intrinsics, one frame at a time, no flip. Prints Markdown.
"""

import argparse
import tempfile
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from error_sources.drawing import draw
from error_sources.geometry import take_apart
from error_sources.people import (
    Frames,
    Seen,
    frames_of,
    mean_lengths,
    nearest,
    postures,
    put_on,
    see,
)
from error_sources.tables import Row, band_rows, part_rows, tabulate
from pages import add_docs, show

from graphlift import Lifter
from graphlift.card import ModelCard
from graphlift.datasets import MotionCapture
from graphlift.metrics import joint_errors
from graphlift.protocols import PROTOCOLS
from graphlift.samples.open_data import OpenData, read_open_data
from graphlift.samples.random_views import H36M_LIKE_RIG, UNSEEN_RIG
from graphlift.scoring.sigma import sigma_coverage
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.study.open_models import SEED

SCORED = H36M_17.index(*PROTOCOLS["h36m-like"].scored)
HIPS = H36M_17.index("LHip", "RHip")
BATCH = 256
EDGES = (0, 20, 40, 60, 80, 100, 120)
"""mm to the nearest training pose."""
CAUSES = ("training people and poses", "+ new poses", "+ other bodies and definitions")
TITLES = {
    "cause": "By cause, mm",
    "geometry": "By geometry, mm, removed one after the other",
    "signs": "Signs of depth, and turns",
    "novelty": "MPJPE, mm, by distance to the nearest training pose",
    "posture": "MPJPE, mm, by posture",
    "camera": "MPJPE of each quarter of the cameras over that of all, unseen-17's cameras",
    "other": "Heading, sigma, flip",
}


@dataclass(frozen=True, eq=False)
class People:
    """Those whom models are measured on, and what does not depend on a model.

    Args:
        name: In tables.
        seen: Through cameras like Human3.6M's.
        on_mean: The same on the mean skeleton of training people.
        unseen: Through cameras of every kind.
        groups: For each table, masks of frames by name.
    """

    name: str
    seen: Seen
    on_mean: Seen
    unseen: Seen
    groups: dict[str, dict[str, np.ndarray]]


def captures(data: OpenData, on: str) -> dict[str, MotionCapture]:
    """Whom models are measured on, by name in tables."""
    if on == "validation":
        return {"CMU validation": data.validation}
    return {"CMU test": data.test} | ({"HDM05 (informed)": data.cross} if data.cross else {})


def read_people(data: OpenData, on: str = "test") -> tuple[Seen, list[People]]:
    """Training people as cameras see them, and whom models are measured on."""
    training = frames_of(data.train, stride=data.stride)
    lengths = mean_lengths(training)
    like = partial(see, rig=H36M_LIKE_RIG, seed=SEED)
    people = []
    for name, capture in captures(data, on).items():
        frames = frames_of(capture, stride=data.stride)
        people.append(
            People(
                name,
                seen=like(frames),
                on_mean=like(put_on(frames, lengths)),
                unseen=see(frames, UNSEEN_RIG, seed=SEED),
                groups={
                    "novelty": novelty(frames, training, lengths),
                    "posture": postures(frames),
                },
            )
        )
    return like(training), people


def novelty(frames: Frames, training: Frames, lengths: np.ndarray) -> dict[str, np.ndarray]:
    far = 1000 * nearest(frames, training, lengths, SCORED)
    within = pairwise((*EDGES, np.inf))
    return {
        f"{low} to {high} mm" if high < np.inf else f"{low} mm and more": (far >= low)
        & (far < high)
        for low, high in within
    }


def load(model: str) -> Lifter:
    """Load a model by name or from a file; export a training run to load it."""
    if not Path(model).is_dir():
        return Lifter.load(model, threads=1)
    from graphlift.export import export_onnx
    from graphlift.training.checkpoints import load_run

    network, config, _ = load_run(Path(model) / "model.safetensors", ())
    many = config.model.joints == 28
    card = ModelCard(
        name=Path(model).name,
        skeleton="body-28" if many else "h36m-17",
        inputs="canonical-28" if many else "canonical",
        method=config.model.method,
        parameters=sum(p.numel() for p in network.parameters()),
    )
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(network, card, Path(folder) / "run.onnx")
        return Lifter.load(Path(folder) / "run.onnx", threads=1)


def lift(lifter: Lifter, seen: Seen, *, flip: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Root-relative positions of the scored joints, m, camera axes, and their sigma."""
    joints = len(lifter.skeleton)
    rays = np.zeros((len(seen), joints, 2))
    confidence = np.zeros((len(seen), joints))
    at = lifter.skeleton.index(*H36M_17.joints)
    rays[:, at], confidence[:, at] = seen.rays, 1
    parts = [
        lifter.lift_rays(rays[n : n + BATCH], confidence[n : n + BATCH], flip=flip)
        for n in range(0, len(seen), BATCH)
    ]
    positions = np.concatenate([part.positions for part in parts]).astype(np.float64)
    sigma = np.concatenate([part.sigma for part in parts]).astype(np.float64)
    return positions[:, at[SCORED]], sigma[:, at[SCORED]]


def error(lifter: Lifter, seen: Seen, *, flip: bool = False) -> np.ndarray:
    """MPJPE of each frame, mm."""
    predicted, _ = lift(lifter, seen, flip=flip)
    return 1000 * joint_errors(predicted, seen.targets[:, SCORED]).mean(axis=1)


def heading(predicted: np.ndarray, seen: Seen) -> np.ndarray:
    """Angle between the lines through the hips, predicted and true, degrees."""
    left, right = H36M_16.index("LHip", "RHip")
    one = predicted[:, left] - predicted[:, right]
    two = seen.positions[:, HIPS[0]] - seen.positions[:, HIPS[1]]
    cosine = (one * two).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(two, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def measure(lifter: Lifter, training: Seen, people: list[People]) -> dict[str, list[Row]]:
    """All rows of one model, by table."""
    rows: dict[str, list[Row]] = {name: [] for name in TITLES}
    known = error(lifter, training)
    for whom in people:
        seen = whom.seen
        predicted, sigma = lift(lifter, seen)
        parts = take_apart(
            predicted,
            seen.targets[:, SCORED],
            skeleton=H36M_16,
            subject=seen.subject,
            up=seen.up,
            towards=seen.towards[:, SCORED],
        )
        rows["cause"] += cause_rows(whom.name, known, error(lifter, whom.on_mean), parts.frame)
        geometry, signs = part_rows(whom.name, parts)
        rows["geometry"] += geometry
        rows["signs"] += signs
        for table, masks in whom.groups.items():
            rows[table] += band_rows(whom.name, parts.frame, masks)
        rows["camera"] += camera_rows(whom.name, error(lifter, whom.unseen), whom.unseen)
        rows["other"] += other_rows(lifter, whom, predicted, sigma, parts.total)
    return rows


def cause_rows(name: str, known: np.ndarray, on_mean: np.ndarray, errors: np.ndarray) -> list[Row]:
    """What training people, new poses, and other bodies and definitions add up to."""
    levels = [x.mean() for x in (known, on_mean, errors)]
    values = (levels[0], *np.diff(levels), levels[-1])
    counts = (len(known), len(on_mean), len(errors), len(errors))
    return [
        Row(name, what, n, f"{value:.1f}")
        for what, n, value in zip((*CAUSES, "total"), counts, values, strict=True)
    ]


def camera_rows(name: str, errors: np.ndarray, seen: Seen) -> list[Row]:
    """Error of each quarter of the cameras over that of all."""
    rows = [Row(name, "all of them, MPJPE, mm", len(seen), f"{errors.mean():.1f}")]
    for what, values in seen.cameras().items():
        quarters = np.array_split(np.argsort(values, kind="stable"), 4)
        ends = [values[at].min() for at in quarters] + [values.max()]
        span = " / ".join(f"{round(end, 1) + 0.0:.1f}" for end in ends).replace("-", "−")
        ratios = " / ".join(f"{errors[at].mean() / errors.mean():.2f}" for at in quarters)
        rows.append(Row(name, f"{what}: {span}", len(seen), ratios))
    return rows


def other_rows(
    lifter: Lifter, whom: People, predicted: np.ndarray, sigma: np.ndarray, total: float
) -> list[Row]:
    """Heading, coverage of sigma, and what averaging with the mirrored input gains."""
    turn = heading(predicted, whom.seen)
    covered = sigma_coverage(predicted, whom.seen.targets[:, SCORED], sigma)
    flipped = error(lifter, whom.seen, flip=True).mean()
    values = {
        "heading of the pelvis (line through the hips) off by, mean": f"{turn.mean():.1f}°",
        "the same, 95th percentile": f"{np.percentile(turn, 95):.1f}°",
        "sigma: joints in the 50 / 80 / 95 % ball, %": " / ".join(
            f"{share:.0f}" for share in covered.values()
        ),
        "MPJPE without flip averaging, mm": f"{total:.1f}",
        "MPJPE with it, mm": f"{flipped:.1f}",
    }
    return [Row(whom.name, what, len(whom.seen), value) for what, value in values.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--on", choices=("test", "validation"), default="test")
    parser.add_argument("--figure", type=Path, help="PNG of the errors by cause")
    add_docs(parser)
    chosen = parser.parse_args()
    training, people = read_people(read_open_data(chosen.mocap), chosen.on)
    names = [Path(model).name.removesuffix(".onnx") for model in chosen.models]
    found = {
        name: measure(load(model), training, people)
        for name, model in zip(names, chosen.models, strict=True)
    }
    show(
        {
            title: tabulate({name: rows[table] for name, rows in found.items()})
            for table, title in TITLES.items()
        },
        chosen.docs,
    )
    if chosen.figure:
        draw(chosen.figure, {name: rows["cause"] for name, rows in found.items()}, CAUSES)


if __name__ == "__main__":
    main()
