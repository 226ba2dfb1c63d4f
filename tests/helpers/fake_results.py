"""Results that no network produced: plausible, seeded, and small enough for tests.

Run ``python tests/helpers/fake_results.py FOLDER`` to get a whole study to look at.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from graphlift.complexity import complexity
from graphlift.skeletons import H36M_16
from graphlift.study.objectives import OBJECTIVES
from graphlift.study.results import (
    RESULTS,
    ActivityScore,
    Bin,
    CrossScore,
    CurvePoint,
    Result,
    SecondErrors,
    WorstFrame,
    append_result,
)

METHODS = (
    ("full-sharing", False, 2.6),
    ("pre-aggregation", False, 1.2),
    ("post-aggregation", False, 2.2),
    ("no-sharing", False, 0.9),
    ("convolution-style", False, 2.0),
    ("full-sharing", True, 1.7),
    ("pre-aggregation", True, 0.0),
    ("post-aggregation", True, 1.4),
    ("martinez", False, 5.0),
    ("semgcn", False, 1.5),
)
WIDTHS = dict(
    zip([m[:2] for m in METHODS], (128, 31, 31, 18, 73, 90, 22, 22, 120, 70), strict=True)
)
DETECTIONS = {"gt": 44.0, "hg-sim": 63.0, "cpn-sim": 56.0}
ACTIVITIES = {
    "walk": 0.75,
    "dance": 1.15,
    "everyday": 1.0,
    "jump": 0.95,
    "sport": 1.05,
    "climb": 1.2,
}
CROSS_ACTIVITIES = ("everyday", "exercise", "fight", "sport", "run", "walk", "jump")
JOINTS = dict(
    zip(
        H36M_16.joints,
        (0, 0.35, 0.95, 1.4, 0.35, 0.95, 1.4, 0.6, 0.8, 1.15, 0.95, 1.4, 1.9, 0.95, 1.4, 1.9),
        strict=True,
    )
)
CONFIG = {
    "data": "mocap",
    "training": {"batch_size": 256, "steps": 5000, "rate": 1e-3, "decay": 0.95, "clip": 1.0},
    "model": {"blocks": 4, "affinity": "learnt"},
}


def fake_results(
    seeds: Sequence[int] = (0, 1, 2),
    detections: Sequence[str] = tuple(DETECTIONS),
    methods: Sequence[tuple[str, bool, float]] = METHODS,
    blocks: int = 140,
    *,
    cross: bool = True,
) -> list[Result]:
    """Make the runs of a whole grid."""
    hard = _hard_seconds(blocks)
    return [
        fake_result(method, decoupled, kind, seed, offset, hard, cross=cross)
        for kind in detections
        for method, decoupled, offset in methods
        for seed in seeds
    ]


def with_objective(run: Result, name: str) -> Result:
    """Make the same run as if trained with an objective, by the name that a plan has."""
    weights = dict(OBJECTIVES[name].supervision)
    return replace(run, name=f"{name}_{run.name}", config=run.config | {"supervision": weights})


def _hard_seconds(blocks: int) -> dict[str, np.ndarray]:
    """How hard each second of the test data is: the same for every run."""
    rng = np.random.default_rng(5)
    return {
        name: factor * rng.lognormal(0, 0.35, size=blocks if name != "jump" else blocks // 3 + 1)
        for name, factor in ACTIVITIES.items()
    }


def fake_result(
    method: str = "pre-aggregation",
    decoupled: bool = True,
    detections: str = "gt",
    seed: int = 0,
    offset: float = 0.0,
    hard: dict[str, np.ndarray] | None = None,
    *,
    cross: bool = True,
) -> Result:
    """Make one run; its scores follow from its blocks as the protocol says."""
    key = [ord(letter) for letter in f"{method}{decoupled}{detections}"]
    rng = np.random.default_rng([seed, *key])
    level = DETECTIONS[detections] + offset + 0.5 * rng.normal()
    if (method, detections) == ("post-aggregation", "hg-sim"):
        level += 1.5
    tested = _tested(_hard_seconds(20) if hard is None else hard, level, detections, rng)
    return Result(
        name=f"{method}{'-decoupled' * decoupled}-{detections}-{seed}",
        method=method,
        decoupled=decoupled,
        detections=detections,
        seed=seed,
        version="0.1.0",
        data="cmu",
        data_digest="3f" * 32,
        config={**CONFIG, "seed": seed, "model": {**CONFIG["model"], "method": method}},
        failures=[_failure(n, rng) for n in range(8)],
        **_network(method, decoupled),
        **_trained(tested["mpjpe_mm"], rng, jumps=2.5 if method == "full-sharing" else 0.6),
        **tested,
        **_crossed(rng, level, cross=cross),
    )


def _network(method: str, decoupled: bool) -> dict:
    channels = WIDTHS.get((method, decoupled), 64)
    known = (method, decoupled) in WIDTHS and method not in ("martinez", "semgcn")
    sharing = method if known else "full-sharing"
    return {
        "channels": channels,
        **asdict(complexity(sharing, decouple_self=decoupled, channels=channels)),
    }


def _trained(mpjpe: float, rng: np.random.Generator, jumps: float) -> dict:
    curve = _curve(mpjpe, rng, jumps)
    best = min(curve, key=lambda point: point.validation_mpjpe_mm)
    return {
        "curve": curve,
        "best_step": best.step,
        "validation_mpjpe_mm": best.validation_mpjpe_mm,
        "validation_end_mm": curve[-1].validation_mpjpe_mm,
        "steps": curve[-1].step,
        "batch_size": 256,
        "seconds": 500 + 60 * rng.random(),
        "poses_per_second": 2400 + 300 * rng.random(),
        "runs_at_once": 2,
    }


def _tested(
    hard: dict[str, np.ndarray], level: float, detections: str, rng: np.random.Generator
) -> dict:
    blocks = {name: _blocks(level * seconds, rng) for name, seconds in hard.items()}
    scores = {
        name: ActivityScore(
            sum(b.frames),
            float(np.average(b.mpjpe_mm, weights=b.frames)),
            float(np.average(b.p_mpjpe_mm, weights=b.frames)),
        )
        for name, b in blocks.items()
    }
    mpjpe = float(np.mean([score.mpjpe_mm for score in scores.values()]))
    scale = mpjpe / np.mean(list(JOINTS.values()))
    return {
        "mpjpe_mm": mpjpe,
        "p_mpjpe_mm": float(np.mean([score.p_mpjpe_mm for score in scores.values()])),
        "n_mpjpe_mm": 0.96 * mpjpe,
        "per_activity": scores,
        "per_joint_mm": {n: float(scale * s * rng.normal(1, 0.02)) for n, s in JOINTS.items()},
        "visible_mm": 0.92 * mpjpe,
        "occluded_mm": 1.25 * mpjpe,
        "occluded_share": 0.22,
        "noise_bins": _noise(detections, mpjpe),
        "blocks": blocks,
    }


def _crossed(rng: np.random.Generator, level: float, *, cross: bool) -> dict:
    groups = {name: _cross(rng, level) for name in CROSS_ACTIVITIES} if cross else {}
    return {
        "cross_pck": float(np.mean([g.pck for g in groups.values()])) if cross else None,
        "cross_auc": float(np.mean([g.auc for g in groups.values()])) if cross else None,
        "cross_data": "hdm05" if cross else None,
        "cross_digest": "a1" * 32 if cross else None,
        "cross_per_activity": groups,
    }


def _blocks(errors: np.ndarray, rng: np.random.Generator) -> SecondErrors:
    errors = errors * rng.normal(1, 0.06, errors.size)
    frames = [40] * (errors.size - 1) + [24]
    return SecondErrors(
        frames, [round(e, 3) for e in errors], [round(0.76 * e, 3) for e in errors]
    )


def _cross(rng: np.random.Generator, level: float) -> CrossScore:
    pck = float(np.clip(120 - level + 3 * rng.normal(), 0, 100))
    return CrossScore(900, pck, 0.56 * pck)


def _curve(end: float, rng: np.random.Generator, jumps: float) -> list[CurvePoint]:
    steps = np.arange(250, 5001, 250)
    smooth = end + 60 * np.exp(-steps / 900)
    loss = 0.003 * np.exp(-steps / 1500) * (end / 50) ** 2 + 4e-4
    return [
        CurvePoint(int(t), float(x * rng.normal(1, 0.02)), float(v + jumps * rng.normal()))
        for t, x, v in zip(steps, loss, smooth, strict=True)
    ]


def _noise(detections: str, mpjpe: float) -> list[Bin]:
    if detections == "gt":
        return [Bin(0.0, 0.0, 100_000, mpjpe)]
    edges = (0, 2, 4, 8, 16, 32, 1000)
    return [
        Bin(a, b, 40_000 // (1 + n), mpjpe * (0.75 + 0.28 * n))
        for n, (a, b) in enumerate(pairwise(edges))
    ]


STANDING = np.array(
    [
        [0, 0, 0], [-130, 20, 0], [-150, 430, 60], [-140, 850, 10], [130, -20, 0], [170, 420, -80],
        [190, 840, 0], [0, -240, 20], [0, -480, 10], [10, -690, -40], [150, -450, 10],
        [330, -250, 60], [380, -60, -120], [-150, -450, 10], [-290, -220, -60], [-160, -250, -250],
    ],
    dtype=float,
)  # fmt: skip


def _failure(number: int, rng: np.random.Generator) -> WorstFrame:
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array(
        [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    )
    truth = STANDING @ rotation.T + 25 * rng.normal(size=(16, 3))
    truth -= truth[0]
    spread = np.array(list(JOINTS.values()))[:, None]
    predicted = truth + 90 * spread * rng.normal(size=(16, 3))
    predicted -= predicted[0]
    keypoints = 500 + 1145 * truth[:, :2] / (5500 + truth[:, 2:]) + 8 * rng.normal(size=(16, 2))
    error = float(np.linalg.norm(predicted - truth, axis=1).mean())
    return WorstFrame(
        activity=list(ACTIVITIES)[number % len(ACTIVITIES)],
        clip=f"05_{number:02d}",
        frame=30 * number,
        camera=number % 4,
        mpjpe_mm=error,
        keypoints=keypoints.round(2).tolist(),
        predicted=predicted.round(2).tolist(),
        truth=truth.round(2).tolist(),
        occluded=(rng.random(16) < 0.3).tolist(),
    )


def write_results(folder: Path, results: Sequence[Result]) -> Path:
    """Write them as a study does."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        append_result(folder / RESULTS, result)
    return folder


if __name__ == "__main__":
    write_results(Path(sys.argv[1]), fake_results())
