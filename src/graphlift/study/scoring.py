"""From the predictions of a finished run to its result line. NumPy only."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

import graphlift
from graphlift.complexity import Complexity, network_complexity
from graphlift.metrics import auc, by_activity, joint_errors, pck
from graphlift.protocols import (
    CROSS_14,
    PROTOCOLS,
    open_16,
    share_out,
)
from graphlift.samples import LicensedData, Samples, Selection, TrainingData, official_joints
from graphlift.scoring import score_poses
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.study.results import (
    ActivityScore,
    Bin,
    Blocks,
    CrossScore,
    CurvePoint,
    Failure,
    Result,
)
from graphlift.training.config import ModelConfig, TrainConfig

NOISE_EDGES = (0.0, 2.0, 4.0, 6.0, 10.0, 15.0, 25.0, 50.0, 1000.0)
"""px; a joint whose detection is off by more than the last is counted in the last bin."""
FAILURES = 6

Predict = Callable[[Samples], np.ndarray]


def cost(model: ModelConfig) -> Complexity:
    """Count the parameters and multiply-accumulates of a configured network."""
    return network_complexity(
        model.method,
        decouple_self=model.decouple_self,
        channels=model.channels,
        blocks=model.blocks,
        non_local=model.non_local,
        affinity=model.affinity,
        skeleton={16: H36M_16, 17: H36M_17}[model.joints],
    )


def score_run(
    name: str,
    config: TrainConfig,
    data: TrainingData,
    predict: Predict,
    *,
    curve: Sequence[Mapping[str, Any]],
    best_step: int,
    seconds: float,
    runs_at_once: int,
    adaptations: Sequence[str] = (),
    on_test: Predict | None = None,
) -> Result:
    """Score a finished run on the test subjects and on the other data set.

    Args:
        name: Of the run.
        config: Of the run.
        data: What it was trained on, with its test subjects.
        predict: The kept network: frames in, root-relative poses out, m.
        curve: The lines of its log; none for weights that were trained elsewhere, which are then
            scored on the validation subjects here.
        best_step: Which step's weights were kept.
        seconds: What its training steps took.
        runs_at_once: How many runs shared the machine.
        adaptations: Deviations from the protocols by name; for packs only.
        on_test: ``predict`` of the test subjects, where an adaptation asks for another.

    Raises:
        ConfigError: If none of the protocols takes an adaptation.
    """
    size = cost(config.model)
    chosen = replace(config.selection, adaptations=tuple(adaptations))
    protocols, test = data.describe(chosen), data.samples("test", chosen)
    points = [CurvePoint(p["step"], p["loss"], round(p["validation_mpjpe_mm"], 3)) for p in curve]
    kept, end = _validation(points, best_step, data, predict, chosen)
    steps = points[-1].step if points else 0
    return Result(
        name=name,
        method=config.model.method,
        decoupled=config.model.decouple_self,
        detections=config.detections,
        seed=config.seed,
        channels=config.model.channels,
        **asdict(size),
        steps=steps,
        batch_size=config.batch_size,
        seconds=round(seconds, 1),
        poses_per_second=round(steps * config.batch_size / seconds, 1) if steps else 0.0,
        runs_at_once=runs_at_once,
        best_step=best_step,
        validation_mpjpe_mm=kept,
        validation_end_mm=end,
        data=data.name,
        data_digest=data.digest,
        cross_data=data.cross_name,
        cross_digest=data.cross_digest,
        curve=points,
        protocols=protocols,
        config=json.loads(json.dumps(asdict(config))),
        version=graphlift.__version__,
        adaptations=list(adaptations),
        **_test_scores((on_test or predict)(test), test),
        **_cross_scores(predict, data, chosen),
    )


def _validation(
    points: Sequence[CurvePoint],
    best_step: int,
    data: TrainingData,
    predict: Predict,
    chosen: Selection,
) -> tuple[float, float]:
    """Validation error of the kept weights, and that at the end, mm."""
    if points:
        by_step = {point.step: point.validation_mpjpe_mm for point in points}
        return by_step[best_step], points[-1].validation_mpjpe_mm
    unseen = data.samples("validation", chosen)
    errors = joint_errors(predict(unseen), unseen.targets).mean(axis=1) * 1000
    error = _mm(open_16(errors, unseen.activity))
    return error, error


def _test_scores(predicted: np.ndarray, test: Samples) -> dict[str, Any]:
    """Everything that is measured on the test subjects, mm."""
    plain = joint_errors(predicted, test.targets) * 1000
    aligned = joint_errors(predicted, test.targets, alignment="similarity") * 1000
    scaled = joint_errors(predicted, test.targets, alignment="scale") * 1000
    mean, aligned_mean = plain.mean(axis=1), aligned.mean(axis=1)
    activities = by_activity(np.stack([mean, aligned_mean], axis=1), test.activity)
    others = (
        np.arange(plain.shape[1]) != test.skeleton.root
    )  # the root's error is zero by protocol
    errors, hidden = plain[:, others], test.hidden[:, others]
    return {
        "mpjpe_mm": _mm(open_16(mean, test.activity)),
        "p_mpjpe_mm": _mm(open_16(aligned_mean, test.activity)),
        "n_mpjpe_mm": _mm(open_16(scaled.mean(axis=1), test.activity)),
        "per_activity": {
            activity: ActivityScore(int((test.activity == activity).sum()), _mm(p1), _mm(p2))
            for activity, (p1, p2) in activities.items()
        },
        "per_joint_mm": dict(
            zip(test.skeleton.joints, map(_mm, open_16(plain, test.activity)), strict=True)
        ),
        "visible_mm": _mm(errors[~hidden].mean()),
        "occluded_mm": _mm(errors[hidden].mean()) if hidden.any() else 0.0,
        "occluded_share": round(float(hidden.mean()), 4),
        "noise_bins": _noise_bins(errors, test.noise[:, others]),
        "blocks": _blocks(mean, aligned_mean, test),
        "failures": _failures(predicted, mean, test),
    }


def _cross_scores(predict: Predict, data: TrainingData, chosen: Selection) -> dict[str, Any]:
    """PCK and AUC on the other data set, if there is one."""
    if data.cross_digest is None:
        return {"cross_pck": None, "cross_auc": None, "cross_per_activity": {}}
    cross = data.samples("cross", chosen)
    if isinstance(data, LicensedData):
        return _official_scores(predict, cross, data, chosen)
    errors = joint_errors(predict(cross), cross.targets)[:, CROSS_14]
    return {
        "cross_pck": round(pck(errors), 3),
        "cross_auc": round(auc(errors), 3),
        "cross_per_activity": {
            str(activity): CrossScore(int(rows.sum()), round(pck(e), 3), round(auc(e), 3))
            for activity in np.unique(cross.activity)
            for rows in (cross.activity == activity,)
            for e in (errors[rows],)
        },
    }


def _official_scores(
    predict: Predict, cross: Samples, data: LicensedData, chosen: Selection
) -> dict[str, Any]:
    """PCK and AUC on MPI-INF-3DHP's test set, by its groups of sequences."""
    taken = share_out(chosen.adaptations, tuple(data.describe(chosen)))["3dhp-14"]
    scores = score_poses(
        official_joints(predict(cross), cross.skeleton),
        official_joints(cross.targets, cross.skeleton),
        PROTOCOLS["3dhp-14"],
        sequence=cross.activity,
        adaptations=taken,
    )
    return {
        "cross_pck": _percent(scores.overall.pck),
        "cross_auc": _percent(scores.overall.auc),
        "cross_per_activity": {
            name: CrossScore(group.frames, _percent(group.pck), _percent(group.auc))
            for name, group in scores.per_group.items()
        },
    }


def _percent(value: float | None) -> float:
    return round(value or 0.0, 3)


def _noise_bins(errors: np.ndarray, noise: np.ndarray) -> list[Bin]:
    if not noise.any():
        return [Bin(0.0, 0.0, errors.size, _mm(errors.mean()))]
    place = np.clip(np.digitize(noise, NOISE_EDGES) - 1, 0, len(NOISE_EDGES) - 2)
    return [
        Bin(
            NOISE_EDGES[b],
            NOISE_EDGES[b + 1],
            int((place == b).sum()),
            _mm(errors[place == b].mean()),
        )
        for b in range(len(NOISE_EDGES) - 1)
        if (place == b).any()
    ]


def _blocks(mean: np.ndarray, aligned: np.ndarray, test: Samples) -> dict[str, Blocks]:
    """Average over the frames of each second of each clip, all cameras together."""
    second = (test.frame // max(test.fps, 1)).astype(int)
    _, block = np.unique(np.stack([test.clip, second]), axis=1, return_inverse=True)
    frames = np.bincount(block)
    means = [np.bincount(block, weights=values) / frames for values in (mean, aligned)]
    first = np.unique(block, return_index=True)[1]
    activity = test.activity[first]
    return {
        str(name): Blocks(
            frames[activity == name].tolist(),
            *(np.round(values[activity == name], 1).tolist() for values in means),
        )
        for name in np.unique(activity)
    }


def _failures(predicted: np.ndarray, mean: np.ndarray, test: Samples) -> list[Failure]:
    """Take the worst frame of each of the worst clips."""
    chosen: dict[int, int] = {}
    for at in np.argsort(-mean, kind="stable"):
        chosen.setdefault(int(test.clip[at]), int(at))
        if len(chosen) == FAILURES:
            break
    return [
        Failure(
            activity=str(test.activity[at]),
            clip=test.clips[clip],
            frame=int(test.frame[at]),
            camera=int(test.camera[at]),
            mpjpe_mm=_mm(mean[at]),
            keypoints=np.round(test.keypoints[at].astype(float), 1).tolist(),
            predicted=np.round(predicted[at].astype(float) * 1000, 1).tolist(),
            truth=np.round(test.targets[at].astype(float) * 1000, 1).tolist(),
            occluded=test.hidden[at].tolist(),
        )
        for clip, at in chosen.items()
    ]


def _mm(value: float | np.ndarray) -> float:
    return round(float(value), 3)
