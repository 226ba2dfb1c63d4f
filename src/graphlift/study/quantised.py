"""A model to lift with becomes one of 8-bit integers, checked on people it was not made from."""

from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
from jaxtyping import Float

from graphlift.card import ModelCard
from graphlift.errors import ConfigError, ModelError
from graphlift.files import check_not_read, replacing
from graphlift.lifting import Lifter
from graphlift.metrics import joint_errors
from graphlift.model_files import read_model
from graphlift.quantisation import quantise
from graphlift.samples import TrainingData
from graphlift.training.config import TrainConfig
from graphlift.training.tables import parse_table

FRAMES = 2_048
"""Training frames from which scales and corrections of biases are taken."""
TESTED = 8_192
"""Validation frames, at most, on which the answers are compared."""
MOST = 0.02
"""m: how far joints may move in the mean before a model is refused."""


def sample_inputs(
    card: ModelCard, data: TrainingData, frames: int = FRAMES
) -> Float[np.ndarray, "frame joint number"]:
    """Draw what a model saw in training, by the recipe on its card.

    Raises:
        ConfigError: If its card has no recipe, or one that is not of this version or does not fit
            the data.
    """
    config = _recipe(card)
    data.check(config.selection)
    batches = data.batches(config.selection, lambda array: array)
    drawn = (batches[step][0] for step in islice(count(), -(-frames // config.batch_size)))
    return np.concatenate(list(drawn))[:frames]


def release_quantised(model: str | Path, data: TrainingData, out: Path) -> ModelCard:
    """Write an .onnx that computes by integers (:mod:`graphlift.quantisation`) what a model does.

    Its card says how far its answers are from the model's on validation people of the data. Scores
    of the model are not those of this one, so they are left out; its sigmas are kept.

    Args:
        model: Name of a shipped model, or path of an .onnx for lifting.
        data: To draw frames from by the model's recipe; need not be those of its training.
        out: File to write.

    Raises:
        FileNotFoundError: If there is no such model.
        FormatError: If the file is damaged, or not one of graphlift's.
        ModelError: If it has no products that can be replaced, or its answers move too far.
        ConfigError: As of :func:`sample_inputs`, or if ``out`` is the model or no .onnx.
    """
    if out.suffix != ".onnx":
        raise ConfigError(f"{out}: a model is an .onnx file: give it a name that ends so")
    check_not_read(out, Path(model))
    given = Lifter.load(model, threads=1)
    content, where = read_model(model)
    card = replace(given.card, name=out.stem, metrics=())
    inputs = sample_inputs(given.card, data)
    unseen = data.samples("validation", _recipe(given.card).selection)
    unseen = unseen.every(-(-len(unseen) // TESTED))
    before = given.run(unseen.inputs)[..., :3]

    with replacing(out) as beside:
        beside.write_bytes(quantise(content, where, card, inputs))
        after = Lifter.load(beside, threads=1).run(unseen.inputs)[..., :3]
        moved = float(joint_errors(after, before).mean())
        if not moved <= MOST:
            raise ModelError(
                f"{where}: by integers its joints would move by {1000 * moved:.0f} mm in the "
                "mean: its features differ too much in size; use it as it is"
            )
        row = {
            "on": f"{data.name}, validation subjects",
            "protocol": f"distance from {given.card.name}",
            "mm": round(1000 * moved, 2),
        }
        card = replace(card, metrics=(row,))
        beside.write_bytes(quantise(content, where, card, inputs))
    return replace(card, arithmetic="int8")


def _recipe(card: ModelCard) -> TrainConfig:
    if not card.recipe:
        raise ConfigError(
            f"{card.name}: its card has no recipe, which says what frames it was trained on: give "
            "a model that `graphlift model export` wrote"
        )
    return parse_table(TrainConfig, dict(card.recipe), f"the recipe of {card.name}")
