"""From the predictions of a finished run to its result line. NumPy only."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from jaxtyping import Float

import graphlift
from graphlift.complexity import Complexity, network_complexity
from graphlift.hypotheses import Hypotheses
from graphlift.metrics import joint_errors
from graphlift.protocols import PROTOCOLS, share_out
from graphlift.samples import Samples, Selection, TrainingData
from graphlift.samples.licensed import official_joints
from graphlift.scoring import CompleteScores, mpjpe_over_activities, score_poses
from graphlift.scoring.pose_errors import ALIGNMENTS
from graphlift.skeletons import BY_JOINTS
from graphlift.study.results import (
    ActivityScore,
    AnswerScore,
    Bin,
    CrossScore,
    CurvePoint,
    Result,
    SecondErrors,
    WorstFrame,
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
        learnt_mask=model.learnt_mask,
        inputs=model.inputs,
        mirrored=model.mirrored,
        skeleton=BY_JOINTS[model.joints],
    )


def score_run(
    name: str,
    config: TrainConfig,
    data: TrainingData,
    predict: Predict,
    *,
    record: Mapping[str, Any],
    runs_at_once: int,
    adaptations: Sequence[str] = (),
    hypotheses: Callable[[Samples], Hypotheses] | None = None,
    on_test: Predict | None = None,
) -> Result:
    """Score a finished run on the test subjects and on the other data set.

    Args:
        name: Of the run.
        config: Of the run.
        data: What it was trained on, with its test subjects.
        predict: The kept network: frames in, root-relative poses out, m.
        record: Of the run. ``curve`` has the lines of its log, none for weights that were trained
            elsewhere, which are then scored on the validation subjects here; ``best_step`` is the
            step whose weights were kept, ``seconds`` the time that its training steps took.
        runs_at_once: How many runs shared the machine.
        adaptations: Deviations from the protocols by name; for packs only.
        hypotheses: The kept network as well, if it gives several poses of a frame.
        on_test: ``predict`` of the test subjects, where an adaptation asks for another.

    Raises:
        ConfigError: If none of the protocols takes an adaptation.
    """
    chosen = replace(config.selection, adaptations=tuple(adaptations))
    protocols, test = data.describe(chosen), data.samples("test", chosen)
    return Result(
        name=name,
        method=config.model.method,
        decoupled=config.model.decouple_self,
        detections=config.detections,
        seed=config.seed,
        channels=config.model.channels,
        **asdict(cost(config.model)),
        batch_size=config.batch_size,
        runs_at_once=runs_at_once,
        **_training(record, config.batch_size, data, predict, chosen),
        data=data.name,
        data_digest=data.digest,
        labels_digest=record.get("labels_digest"),
        cross_data=data.cross_name,
        cross_digest=data.cross_digest,
        protocols=protocols,
        config=json.loads(json.dumps(asdict(config))),
        version=graphlift.__version__,
        adaptations=list(adaptations),
        hypotheses=_answer_scores(hypotheses, test, data, chosen) if hypotheses else {},
        **_test_scores((on_test or predict)(test), test, next(iter(protocols))),
        **_cross_scores(predict, data, chosen, protocols),
    )


def _training(
    record: Mapping[str, Any],
    batch_size: int,
    data: TrainingData,
    predict: Predict,
    chosen: Selection,
) -> dict[str, Any]:
    """How long the training took, and the validation error of its weights, mm."""
    best_step, seconds, curve = record["best_step"], record["seconds"], record["curve"]
    points = [
        CurvePoint(
            step=p["step"],
            loss=p["loss"],
            validation_mpjpe_mm=round(p["validation_mpjpe_mm"], 3),
            test_mpjpe_mm=round(p["test_mpjpe_mm"], 3) if "test_mpjpe_mm" in p else None,
        )
        for p in curve
    ]
    if points:
        kept = {point.step: point.validation_mpjpe_mm for point in points}[best_step]
        end = points[-1].validation_mpjpe_mm
    else:
        unseen = data.samples("validation", chosen)
        kept = end = round(
            mpjpe_over_activities(predict(unseen), unseen.targets, unseen.activity), 3
        )
    steps = points[-1].step if points else 0
    return {
        "steps": steps,
        "seconds": round(seconds, 1),
        "poses_per_second": round(steps * batch_size / seconds, 1) if steps else 0.0,
        "best_step": best_step,
        "validation_mpjpe_mm": kept,
        "validation_end_mm": end,
        "curve": points,
    }


def _test_scores(predicted: np.ndarray, test: Samples, protocol: str) -> dict[str, Any]:
    """Everything that is measured on the test subjects, mm."""
    scores = _complete(predicted, test, protocol)
    # The root's error is zero by protocol.
    others = np.arange(len(test.skeleton)) != test.skeleton.root
    hidden = test.hidden[:, others]
    return {
        **{f"{metric}_mm": _round(mean) for metric, mean in scores.overall().items()},
        "per_activity": {
            activity: ActivityScore(frames, _round(p1), _round(p2))
            for activity, (frames, p1, p2) in scores.per_activity().items()
        },
        "per_joint_mm": {joint: _round(mean) for joint, mean in scores.per_joint().items()},
        "visible_mm": _round(scores.over(~test.hidden & others)),
        "occluded_mm": _round(scores.over(test.hidden & others)) if hidden.any() else 0.0,
        "occluded_share": round(float(hidden.mean()), 4),
        "noise_bins": _noise_bins(scores, test.noise, others),
        "blocks": _blocks(scores, test),
        "failures": _failures(predicted, scores.frames["mpjpe"], test),
    }


def _complete(predicted: np.ndarray, samples: Samples, protocol: str) -> CompleteScores:
    return CompleteScores(
        predicted, samples.targets, samples.activity, PROTOCOLS[protocol], samples.skeleton
    )


def _cross_scores(
    predict: Predict, data: TrainingData, chosen: Selection, protocols: Mapping[str, str]
) -> dict[str, Any]:
    """PCK and AUC on the other data set, if there is one, and on its activities or groups."""
    names = tuple(protocols)
    if len(names) == 1:
        return {"cross_pck": None, "cross_auc": None, "cross_per_activity": {}}
    cross = data.samples("cross", chosen)
    rounded = _correct(predict(cross), cross, chosen, names)
    whole = rounded.pop("")
    return {"cross_pck": whole.pck, "cross_auc": whole.auc, "cross_per_activity": rounded}


def _correct(
    predicted: np.ndarray, cross: Samples, chosen: Selection, names: Sequence[str]
) -> dict[str, CrossScore]:
    """PCK and AUC by the second of two protocols: ``""`` for all frames, then by activity."""
    protocol = PROTOCOLS[names[1]]
    parts: Mapping[str, tuple[int, float | None, float | None]]
    if cross.skeleton in protocol.skeletons:
        parts = _complete(predicted, cross, protocol.name).correct()
    else:  # some of the protocol's own joints are missing
        scores = score_poses(
            official_joints(predicted, cross.skeleton),
            official_joints(cross.targets, cross.skeleton),
            protocol,
            sequence=cross.activity,
            adaptations=share_out(chosen.adaptations, names)[protocol.name],
        )
        groups = {"": scores.overall, **scores.per_group}
        parts = {name: (each.frames, each.pck, each.auc) for name, each in groups.items()}
    return {name: CrossScore(n, _round(p), _round(a)) for name, (n, p, a) in parts.items()}


def _answer_scores(
    give: Callable[[Samples], Hypotheses], test: Samples, data: TrainingData, chosen: Selection
) -> dict[str, AnswerScore]:
    """Score each way to answer with several poses; the oracle chooses by each metric anew."""
    names = tuple(data.describe(chosen))
    of_test, cross_scores = give(test), {}
    if len(names) > 1:
        cross = data.samples("cross", chosen)
        cross_scores = {
            how: _correct(poses, cross, chosen, names)[""]
            for how, poses in answers(give(cross), cross.targets).items()
        }
    first, aligned = (
        answers(of_test, test.targets, metric=metric) for metric in ("mpjpe", "p_mpjpe")
    )
    return {
        how: AnswerScore(
            _round(_complete(first[how], test, names[0]).overall()["mpjpe"]),
            _round(_complete(aligned[how], test, names[0]).overall()["p_mpjpe"]),
            cross_scores[how].pck if cross_scores else None,
            cross_scores[how].auc if cross_scores else None,
        )
        for how in first
    }


def answers(
    given: Hypotheses, truth: Float[np.ndarray, "frame joint 3"], *, metric: str = "mpjpe"
) -> dict[str, Float[np.ndarray, "frame joint 3"]]:
    """Choose one pose of several: the most likely, their mean, and by the truth the best.

    Args:
        given: Of frames, root-relative.
        truth: Of the same frames, root-relative, m.
        metric: By which the oracle chooses: a key of
            :data:`graphlift.scoring.pose_errors.ALIGNMENTS`.
    """
    each = np.moveaxis(given.positions, 1, 0)
    errors = [
        joint_errors(poses, truth, alignment=ALIGNMENTS[metric]).mean(axis=-1) for poses in each
    ]
    return {
        "most likely": given.most_likely(),
        "mean": given.mean(),
        f"oracle, best of {len(each)}": given.choose(np.argmin(errors, axis=0)),
    }


def _noise_bins(scores: CompleteScores, noise: np.ndarray, others: np.ndarray) -> list[Bin]:
    if not noise[:, others].any():
        return [Bin(0.0, 0.0, noise[:, others].size, _round(scores.over(others)))]
    bins = np.clip(np.digitize(noise, NOISE_EDGES) - 1, 0, len(NOISE_EDGES) - 2)
    within = [(bins == b) & others for b in range(len(NOISE_EDGES) - 1)]
    return [
        Bin(NOISE_EDGES[b], NOISE_EDGES[b + 1], int(where.sum()), _round(scores.over(where)))
        for b, where in enumerate(within)
        if where.any()
    ]


def _blocks(scores: CompleteScores, test: Samples) -> dict[str, SecondErrors]:
    """Average over the frames of each second of each clip, all cameras together."""
    second = (test.frame // max(test.fps, 1)).astype(int)
    _, first, block = np.unique(
        np.stack([test.clip, second]), axis=1, return_index=True, return_inverse=True
    )
    frames, means = scores.per_group(block)
    activity = test.activity[first]
    return {
        str(name): SecondErrors(
            frames[activity == name].tolist(),
            *np.round(means[:, activity == name], 1).tolist(),
        )
        for name in np.unique(activity)
    }


def _failures(predicted: np.ndarray, mean: np.ndarray, test: Samples) -> list[WorstFrame]:
    """Take the worst frame of each of the worst clips."""
    chosen: dict[int, int] = {}
    for at in np.argsort(-mean, kind="stable"):
        chosen.setdefault(int(test.clip[at]), int(at))
        if len(chosen) == FAILURES:
            break
    return [
        WorstFrame(
            activity=str(test.activity[at]),
            clip=test.clips[clip],
            frame=int(test.frame[at]),
            camera=int(test.camera[at]),
            mpjpe_mm=_round(mean[at]),
            keypoints=np.round(test.keypoints[at].astype(float), 1).tolist(),
            predicted=np.round(predicted[at].astype(float) * 1000, 1).tolist(),
            truth=np.round(test.targets[at].astype(float) * 1000, 1).tolist(),
            occluded=test.hidden[at].tolist(),
        )
        for clip, at in chosen.items()
    ]


def _round(value: float | None) -> float:
    return round(float(value or 0.0), 3)
