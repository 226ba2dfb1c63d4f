"""A finished run becomes a model to ship: calibrated, scored, exported, with its card."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphlift.card import CMU, ModelCard
from graphlift.datasets import MotionCapture
from graphlift.errors import ModelError
from graphlift.files import replacing
from graphlift.protocols import STRIDE
from graphlift.samples.augment import Augmentation
from graphlift.samples.open_data import OpenData
from graphlift.samples.random_views import (
    UNSEEN_RIG,
    Views,
    exact_views,
    people_of,
    training_views,
)
from graphlift.scoring.sigma import sigma_coverage, sigma_scale
from graphlift.study.open_models import score

if TYPE_CHECKING:
    from torch import Tensor

    from graphlift.lifting import Lifter

LIMITS = (
    "Trained on few people of one laboratory, who mostly walk and dance.",
    "Its cameras and its detector were simulated: it has not seen a photograph.",
    "One frame says nothing of a person's true size: without a height all come out average.",
    "Depth is ambiguous from one view: sigma says how much.",
    "Hands, feet beyond the ankle and faces are not lifted.",
)
CALIBRATION_VIEWS = 20_000


def release(model: Path, data: OpenData, name: str, out: Path) -> ModelCard:
    """Export the kept weights of a run with random cameras, as ONNX and as safetensors.

    Sigma is calibrated on validation subjects, as training views vary them; test subjects and the
    other data set are scored once.

    Args:
        model: ``model.safetensors`` of the run.
        data: What it was trained on.
        name: Of the model.
        out: Folder for ``NAME.onnx``, ``NAME.safetensors`` and ``NAME.json``.

    Raises:
        CheckpointError: If the file is damaged.
        ModelError: If the run was not one with random cameras, 17 joints and sigma.
    """
    from graphlift.export import export_onnx
    from graphlift.lifting import Lifter
    from graphlift.nn.gcn import PoseGCN
    from graphlift.training.checkpoints import load_run

    network, config, record = load_run(model, ("data_digest",))
    if config.cameras != "random" or not config.model.sigma or not isinstance(network, PoseGCN):
        raise ModelError(
            f'{model}: was not trained for lifting: use cameras = "random", model.joints = 17, '
            'model.inputs = "canonical" and model.sigma = true (recipes/open.toml)'
        )
    decoupled = "decoupled " if config.model.decouple_self else ""
    card = ModelCard(
        name=name,
        skeleton="h36m-17",
        inputs="canonical",
        method=f"{decoupled}{config.model.method}",
        parameters=sum(p.numel() for p in network.parameters()),
        recipe={k: v for k, v in record["config"].items() if k != "data"},
        data=f"{data.name}, training subjects",
        data_digest=record["data_digest"],
        acknowledgement=CMU,
        limits=LIMITS,
    )
    path = out / f"{name}.onnx"
    export_onnx(network, card, path)
    card = replace(
        card, sigma_scale=sigma_scale(*_varied(Lifter.load(path), data.validation, seed=2))
    )
    export_onnx(network, card, path)
    card = replace(card, metrics=tuple(_metrics(Lifter.load(path), data)))
    export_onnx(network, card, path)
    _write_weights(network.state_dict(), card, out / f"{name}.safetensors")
    with replacing(out / f"{name}.json") as beside:
        beside.write_text(card.to_json() + "\n", encoding="utf-8")
    return card


def _lift(lifter: "Lifter", views: Views, confidence: np.ndarray) -> tuple[np.ndarray, ...]:
    parts = [slice(at, at + 256) for at in range(0, len(views), 256)]
    lifted = [lifter.lift_rays(views.rays[p], confidence[p]) for p in parts]
    return tuple(np.concatenate(arrays).astype(np.float64) for arrays in zip(*lifted, strict=True))


def _varied(
    lifter: "Lifter", capture: MotionCapture, *, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, truth and sigmas on people as training views vary them."""
    people = people_of(capture, stride=STRIDE)
    same_bodies = Augmentation(size=0, bones=0, recombine=0)
    views = training_views(people, same_bodies, count=CALIBRATION_VIEWS, seed=(seed,))
    predicted, sigma = _lift(lifter, views, views.confidence)
    known = np.isfinite(predicted).all(axis=(1, 2))
    return predicted[known], views.targets[known], sigma[known]


def _metrics(lifter: "Lifter", data: OpenData) -> list[dict[str, object]]:
    captures = {"test subjects": data.test} | ({data.cross.name: data.cross} if data.cross else {})
    rows: list[dict[str, object]] = []
    for who, capture in captures.items():
        for protocol in ("unseen-17", "h36m-like"):
            found = score(lambda v, c: _lift(lifter, v, c)[0], capture, protocol)
            rows.append({"on": who, **_rounded(found)})
        views = exact_views(people_of(capture, stride=STRIDE), UNSEEN_RIG, seed=3)
        exact, sigma = _lift(lifter, views, views.confidence)
        covered = {
            "exact": sigma_coverage(exact, views.targets, sigma),
            "varied": sigma_coverage(*_varied(lifter, capture, seed=4)),
        }
        rows += [
            {
                "on": who,
                "protocol": f"coverage, {kind}",
                **{str(k): round(v, 1) for k, v in c.items()},
            }
            for kind, c in covered.items()
        ]
    return rows


def _rounded(row: Mapping[str, object]) -> dict[str, object]:
    return {k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}


def _write_weights(tensors: "Mapping[str, Tensor]", card: ModelCard, path: Path) -> None:
    """Half-precision weights as safetensors, the card in the header."""
    from safetensors.torch import save_file

    kept = {
        name: (t.half() if t.is_floating_point() else t).contiguous()
        for name, t in tensors.items()
    }
    with replacing(path) as beside:
        save_file(kept, beside, metadata={"card": card.to_json()})
