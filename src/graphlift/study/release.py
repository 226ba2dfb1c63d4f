"""A finished run becomes a model to ship: calibrated, scored, exported, with its card.

Or the network alone is exported, of any run: :func:`export_network`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlift.card import CMU, ModelCard
from graphlift.errors import CheckpointError, ModelError
from graphlift.files import check_not_read, replacing, scratch, write_text
from graphlift.protocols import STRIDE
from graphlift.samples.anatomy import Anatomy
from graphlift.samples.augment import Augmentation
from graphlift.samples.body_views import BodyViews, view_figures
from graphlift.samples.open_data import OpenData
from graphlift.samples.random_views import (
    UNSEEN_RIG,
    Views,
    exact_views,
    people_of,
    training_views,
)
from graphlift.samples.samples import Split
from graphlift.samples.strata import figures_as_recorded, strata
from graphlift.scoring.sigma import front_scale, sigma_coverage, sigma_scale, size_spread
from graphlift.skeletons import BODY_28, BY_JOINTS, H36M_17
from graphlift.study.open_models import score, score_detected
from graphlift.words import counted

if TYPE_CHECKING:
    from torch import Tensor

    from graphlift.datasets import MotionCapture
    from graphlift.lifting import Lifter
    from graphlift.training.config import TrainConfig

_CMU = "mocap.cs.cmu.edu"
"""In the source or the terms of motion capture that is the CMU database's."""
OF_CMU = "Trained on few people of one laboratory, who mostly walk and dance."
ALONE = "The network alone: nothing was calibrated or scored for this file."
LIMITS = (
    "Its cameras and its detector were simulated: it has not seen a photograph.",
    "One frame says nothing of a person's true size: without a height all come out average.",
    "Depth is ambiguous from one view: sigma says how much.",
    "Hands are not lifted.",
)
CALIBRATION_VIEWS = 20_000


def release(model: Path, data: OpenData, name: str, out: Path) -> ModelCard:
    """Export the kept weights of a run with random cameras, as ONNX and as safetensors.

    Sigmas, and that of people's sizes, are fitted to validation subjects; test subjects and the
    other data set are scored once. The card acknowledges the data as their packs state source and
    terms.

    Args:
        model: ``model.safetensors`` of the run.
        data: What it was trained on.
        name: Of the model.
        out: Folder for ``NAME.onnx``, ``NAME.safetensors`` and ``NAME.json``.

    Raises:
        ConfigError: If one of the files would replace ``model``.
        CheckpointError: If the file is damaged, or was trained on other data.
        ModelError: If the run was not one with random cameras and sigma.
    """
    from graphlift.export import export_onnx
    from graphlift.lifting import Lifter
    from graphlift.nn.mixture import MixtureDensity
    from graphlift.training.checkpoints import load_run

    for suffix in (".onnx", ".safetensors", ".json"):
        check_not_read(out / f"{name}{suffix}", model)
    network, config, record = load_run(model, ("data_digest",))
    lifts = config.model.sigma and config.model.method != "over-time"
    if config.cameras != "random" or not (lifts or isinstance(network, MixtureDensity)):
        raise ModelError(
            f'{model}: was not trained for lifting: use cameras = "random", model.joints = 28, '
            'model.inputs = "canonical" and model.sigma = true (recipes/open_base.toml), or take '
            "the network alone, as it is (--network)"
        )
    if record["data_digest"] != data.digest:
        raise CheckpointError(
            f"{model}: was trained on other data (digest {record['data_digest'][:12]}) than "
            f"{data.name} ({data.digest[:12]}): give those that it was trained on (--data)"
        )
    whole = config.model.joints == len(BODY_28)
    decoupled = "decoupled " if config.model.decouple_self else ""
    card = ModelCard(
        name=name,
        skeleton=(BODY_28 if whole else H36M_17).name,
        inputs="canonical-28" if whole else "canonical",
        method=f"{decoupled}{config.model.method}",
        parameters=sum(p.numel() for p in network.parameters()),
        recipe=_recipe(record),
        data=f"{data.name}, training subjects",
        data_digest=record["data_digest"],
        licence=_licence(data),
        acknowledgement=_acknowledgement(data, config.model.joints),
        limits=(_people(data), *LIMITS, *data.check(config.selection)),
    )
    with scratch(out, name) as space:  # nobody finds a model whose card is not complete
        path = space / f"{name}.onnx"
        export_onnx(network, card, path)
        card = _calibrated(card, Lifter.load(path), data)
        export_onnx(network, card, path)
        card = replace(card, metrics=tuple(_metrics(Lifter.load(path), data)))
        export_onnx(network, card, path)
        _write_weights(network.state_dict(), card, space / f"{name}.safetensors")
        write_text(space / f"{name}.json", card.to_json() + "\n")
        for made in sorted(space.iterdir()):
            made.replace(out / made.name)
    return card


def export_network(model: Path, name: str, out: Path) -> ModelCard:
    """Export the kept weights of any run of single frames, or of an import, as ONNX.

    The file takes and gives what the network does, in single precision, and joints may be off by
    :data:`graphlift.export.EXACT`. Lifting takes it if it is of canonical inputs with sigma, which
    :func:`release` also calibrates and scores.

    Args:
        model: ``model.safetensors`` of a run, or of ``graphlift model import``.
        name: Of the model.
        out: Folder for ``NAME.onnx``.

    Raises:
        CheckpointError: If the file is damaged.
        ModelError: If the network is one over time, or the file would not agree with it.
    """
    from graphlift.export import export_onnx
    from graphlift.training.checkpoints import load_run

    network, config, record = load_run(model)
    if config.model.method == "over-time":
        raise ModelError(
            f"{model}: over-time corrects what a model of single frames says by the frames around "
            "them, and is no network of single frames: export the model that it corrects"
        )
    path = out / f"{name}.onnx"
    check_not_read(path, model)
    card = _card_of_network(name, config, record, sum(p.numel() for p in network.parameters()))
    out.mkdir(parents=True, exist_ok=True)
    export_onnx(network, card, path, half=False)
    return card


def _card_of_network(
    name: str, config: "TrainConfig", record: Mapping[str, Any], parameters: int
) -> ModelCard:
    """State what is known of a network that nothing was scored for."""
    skeleton, source = BY_JOINTS[config.model.joints], record.get("source")
    canonical = "canonical-28" if skeleton == BODY_28 else "canonical"
    card = ModelCard(
        name=name,
        skeleton=skeleton.name,
        inputs=canonical if config.model.inputs == "canonical" else "screen",
        method=f"{'decoupled ' if config.model.decouple_self else ''}{config.model.method}",
        parameters=parameters,
        recipe=_recipe(record),
        limits=(ALONE,),
    )
    if isinstance(source, Mapping):  # of an import: how it was trained is not known
        return replace(
            card,
            recipe={"model": record["config"]["model"]},
            data=f"not known: the weights are of {source.get('file')}",
            data_digest=str(source.get("sha256") or ""),
            licence="as its authors say: the file does not",
        )
    terms = record.get("licence") or "they are not stated"
    return replace(
        card,
        data=str(record.get("data") or "not stated"),
        data_digest=str(record.get("data_digest") or ""),
        licence=f"as the terms of its data allow: {terms}",
    )


def _recipe(record: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration, without where its data lay."""
    return {key: value for key, value in record["config"].items() if key != "data"}


def _acknowledgement(data: OpenData, joints: int) -> str:
    """What packs state of their sources and terms, after the sentence that CMU asks for."""
    told = [_terms(data.train, data.train.name)]
    if second := data.second_pack(joints):
        told.append(_terms(second, second.name))
    text = " ".join(told)
    return f"{CMU} {text}" if _CMU in text and CMU not in text else text


def _terms(capture: "MotionCapture", name: str) -> str:
    stated = ". ".join(text.rstrip(".") for text in (capture.source, capture.license) if text)
    return f"{name}: {stated}." if stated else f"{name} states neither its source nor its terms."


def _of_cmu(data: OpenData) -> bool:
    return _CMU in f"{data.train.source} {data.train.license}"


def _licence(data: OpenData) -> str:
    """Of the weights: ours where the data are free for all uses, else as the data's terms say."""
    if _of_cmu(data):
        return ModelCard.licence
    return f"as the terms of its data allow: {data.licence or 'they are not stated'}"


def _people(data: OpenData) -> str:
    """Whom it was trained on, as a limit of it."""
    if _of_cmu(data):
        return OF_CMU
    poses = sum(len(clip.positions) for clip in data.train.clips)
    people = counted(len(data.train.subjects), "person", "people")
    return f"Trained on {people} of {data.name}, in {counted(poses, 'pose')}."


def _lift(
    lifter: "Lifter", views: Views | BodyViews, confidence: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Positions and sigmas of the views' joints, then fronts and their sigmas if there are any."""
    rays, joints = views.rays, views.rays.shape[1]
    if joints < len(lifter.skeleton):  # Human3.6M's 17, which are the first of the 28
        lacking = ((0, 0), (0, len(lifter.skeleton) - joints))
        rays, confidence = np.pad(rays, (*lacking, (0, 0))), np.pad(confidence, lacking)
    parts = [slice(at, at + 256) for at in range(0, len(views), 256)]
    lifted = [lifter.lift_rays(rays[p], confidence[p]) for p in parts]
    arrays = [
        np.concatenate([getattr(x, n)[:, :joints] for x in lifted]).astype(np.float64)
        for n in ("positions", "sigma")
    ]
    if lifted[0].fronts is not None:
        arrays += [
            np.concatenate([getattr(x, n) for x in lifted]).astype(np.float64)
            for n in ("fronts", "front_sigma")
        ]
    return tuple(arrays)


def _calibrated(card: ModelCard, lifter: "Lifter", data: OpenData) -> ModelCard:
    """Fit a card's factors on the sigmas of joints and of fronts, and its size_sigma.

    Validation people: of 28 joints every stratum, exact and with simulated detections, which has
    postures, bodies (children's, too) and definitions that are rare in training or foreign to it.
    Of 17 joints these people are on their own bodies, all of usual size: they say nothing of how
    far others' sizes are off, and size_sigma stays.
    """
    if lifter.skeleton != BODY_28:
        found = _varied(lifter, data, "validation", seed=2)
        return replace(card, sigma_scale=sigma_scale(*found[:3]))
    motion = data.motion("validation", stride=data.stride)
    noisy = strata(motion, augmentation=Augmentation(mirror=0))
    every = [*strata(motion).values(), *noisy.values()]
    parts = [_known(lifter, views) for views in every]
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return replace(
        card,
        sigma_scale=sigma_scale(*joined[:3]),
        front_scale=front_scale(*joined[3:]),
        size_sigma=min(size_spread(*joined[:2]), 1.0),  # the most that a card may state
    )


def _known(lifter: "Lifter", views: Views | BodyViews) -> tuple[np.ndarray, ...]:
    """Predictions, truth and sigmas of joints, then of fronts, where a pose was lifted."""
    positions, sigma, *rest = _lift(lifter, views, views.confidence)
    known = np.isfinite(positions).all(axis=(1, 2))
    arrays = [positions[known], views.targets[known], sigma[known]]
    if rest and isinstance(views, BodyViews):
        arrays += [rest[0][known], views.fronts[known], rest[1][known]]
    return tuple(arrays)


def _varied(lifter: "Lifter", data: OpenData, part: Split, *, seed: int) -> tuple[np.ndarray, ...]:
    """Predictions, truth and sigmas of people seen as in training, but on their own bodies."""
    if lifter.skeleton == BODY_28:
        rng = np.random.default_rng(seed)
        figures, activity = figures_as_recorded(data.motion(part, stride=data.stride), rng)
        views = view_figures(figures, activity, Anatomy(), Augmentation(mirror=0), rng)
        return _known(lifter, views)
    people = people_of(getattr(data, part), stride=STRIDE)
    same_bodies = Augmentation(size=0, bones=0, recombine=0)
    return _known(
        lifter, training_views(people, same_bodies, count=CALIBRATION_VIEWS, seed=(seed,))
    )


def _metrics(lifter: "Lifter", data: OpenData) -> list[dict[str, object]]:
    captures: dict[Split, MotionCapture] = {"test": data.test}
    if data.cross:
        captures["cross"] = data.cross
    rows: list[dict[str, object]] = []
    for part, capture in captures.items():
        who = "test subjects" if part == "test" else capture.name
        for protocol in ("unseen-17", "h36m-like"):
            found = score(lambda v, c: _lift(lifter, v, c)[0], capture, protocol)
            rows.append({"on": who, **_rounded(found)})
        views = exact_views(people_of(capture, stride=STRIDE), UNSEEN_RIG, seed=3)
        covered = {
            "exact": sigma_coverage(*_known(lifter, views)[:3]),
            "varied": sigma_coverage(*_varied(lifter, data, part, seed=4)[:3]),
        }
        rows += [
            {
                "on": who,
                "protocol": f"coverage, {kind}",
                **{str(k): round(v, 1) for k, v in c.items()},
            }
            for kind, c in covered.items()
        ]
        if lifter.skeleton == BODY_28:
            motion = data.motion(part, stride=data.stride)
            found = score_detected(lambda v: _lift(lifter, v, v.confidence), motion)
            rows.append({"on": who, **_rounded(found)})
    return rows


def _rounded(row: Mapping[str, object]) -> dict[str, object]:
    return {k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}


def _write_weights(tensors: "Mapping[str, Tensor]", card: ModelCard, path: Path) -> None:
    """Half-precision weights as safetensors, the card in the header."""
    from safetensors.torch import save

    kept = {
        name: (t.half() if t.is_floating_point() else t).contiguous()
        for name, t in tensors.items()
    }
    data = save(kept, metadata={"card": card.to_json()})  # to write a file would hide its errors
    with replacing(path) as beside:
        beside.write_bytes(data)
