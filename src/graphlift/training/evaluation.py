"""Predictions of a network, and their error on validation subjects."""

import numpy as np
import torch
from torch import nn

from graphlift.errors import ModelError
from graphlift.samples import Samples
from graphlift.scoring import mpjpe_over_activities


def lift(network: nn.Module, samples: Samples, *, batch: int = 512) -> np.ndarray:
    """Lift every frame, with the network in evaluation mode, on the device of its weights.

    Returns:
        (frame, joint, 3), m, camera axes, as the network gives them: the root is near the origin.
        Of a network over time (window, 2, output, joint, 3).
    """
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        inputs = torch.from_numpy(samples.inputs).to(next(network.parameters()).device)
        parts = [network(x) for x in torch.split(inputs, batch)]
    network.train(was_training)
    return np.asarray(torch.cat(parts).cpu().numpy()[..., :3])


def predict(network: nn.Module, samples: Samples) -> np.ndarray:
    """Lift every frame, and move it so that the root is at the origin, as protocols do.

    Returns:
        (frame, joint, 3), m, camera axes.
    """
    poses = lift(network, samples)
    return np.asarray(poses - poses[..., [samples.skeleton.root], :])


def validate(network: nn.Module, samples: Samples) -> float:
    """Score frames by their MPJPE, mm, averaged over activities.

    Raises:
        ModelError: If a prediction is not finite: training has diverged.
    """
    predicted = predict(network, samples)
    if not np.isfinite(predicted).all():
        raise ModelError(
            "training diverged: the network's predictions are not finite: give this run a lower "
            "learning_rate, and another folder"
        )
    joints = (-1, *predicted.shape[-2:])
    each = predicted[..., 0, 0].size // len(predicted)
    return mpjpe_over_activities(
        predicted.reshape(joints),
        samples.targets[..., :3].reshape(joints),
        np.repeat(samples.activity, each),
    )
