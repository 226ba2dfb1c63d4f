"""Predictions of a network, and their error on validation subjects."""

import numpy as np
import torch
from torch import nn

from graphlift.errors import ModelError
from graphlift.protocols import Examples
from graphlift.scoring import mpjpe_over_activities
from graphlift.views import Lessons


def lift(network: nn.Module, examples: Examples | Lessons, *, batch: int = 512) -> np.ndarray:
    """Lift every frame, with the network in evaluation mode, where its weights are.

    Returns:
        (frame, joint, 3), m, camera axes, as the network gives them: the root is near the origin.
    """
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        inputs = torch.from_numpy(examples.inputs).to(next(network.parameters()).device)
        parts = [network(x) for x in torch.split(inputs, batch)]
    network.train(was_training)
    return np.asarray(torch.cat(parts).cpu().numpy()[..., :3])


def predict(network: nn.Module, examples: Examples | Lessons) -> np.ndarray:
    """Lift every frame, and move it so that the root is at the origin, as protocols do.

    Returns:
        (frame, joint, 3), m, camera axes.
    """
    poses = lift(network, examples)
    return np.asarray(poses - poses[:, [examples.skeleton.root]])


def validate(network: nn.Module, examples: Examples | Lessons) -> float:
    """Score frames by their MPJPE, mm, averaged over activities.

    Raises:
        ModelError: If a prediction is not finite: training has diverged.
    """
    predicted = predict(network, examples)
    if not np.isfinite(predicted).all():
        raise ModelError(
            "training diverged: the network's predictions are not finite: give this run a lower "
            "learning_rate, and another folder"
        )
    return mpjpe_over_activities(predicted, examples.targets, examples.activity)
