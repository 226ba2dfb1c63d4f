"""Predictions of a network, and their error under protocol ``open-16``."""

import numpy as np
import torch
from torch import nn

from graphlift.errors import ModelError
from graphlift.metrics import joint_errors
from graphlift.protocols import open_16
from graphlift.samples import Samples


def lift(network: nn.Module, samples: Samples, *, batch: int = 512) -> np.ndarray:
    """Lift every frame, with the network in evaluation mode, where its weights are.

    Returns:
        (frame, joint, 3), m, camera axes, as the network gives them: the root is near the origin.
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
    return np.asarray(poses - poses[:, [samples.skeleton.root]])


def validate(network: nn.Module, samples: Samples) -> float:
    """Score ``open-16`` MPJPE, mm.

    Raises:
        ModelError: If a prediction is not finite: training has diverged.
    """
    predicted = predict(network, samples)
    if not np.isfinite(predicted).all():
        raise ModelError(
            "training diverged: the network's predictions are not finite: give this run a lower "
            "learning_rate, and another folder"
        )
    errors = joint_errors(predicted, samples.targets)
    return float(open_16(errors.mean(axis=1), samples.activity)) * 1000
