"""Predictions of a network, and their error on validation subjects."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from graphlift.errors import ModelError
from graphlift.hypotheses import Hypotheses
from graphlift.nn.build import Said
from graphlift.nn.mixture import Mixture
from graphlift.samples import Samples
from graphlift.scoring import mpjpe_over_activities


def lift(network: nn.Module, samples: Samples, *, batch: int = 512) -> np.ndarray:
    """Lift every frame, with the network in evaluation mode, on the device of its weights.

    Returns:
        (frame, joint, 3), m, camera axes, as the network gives them: the root is near the origin.
        Of a network over time (window, 2, output, joint, 3).
    """
    parts = [pose_of(said) for said in _answers(network, samples, batch)]
    return np.asarray(torch.cat(parts).cpu().numpy()[..., :3])


def lift_hypotheses(network: nn.Module, samples: Samples, *, batch: int = 512) -> Hypotheses:
    """Lift every frame to the poses that a network holds possible, each relative to its root.

    Returns:
        (frame, hypothesis, joint, 3), m, camera axes.

    Raises:
        ModelError: If the network gives one pose of a frame.
    """
    said = _answers(network, samples, batch)
    mixtures = [each for each in said if isinstance(each, Mixture)]
    if len(mixtures) < len(said):
        raise ModelError(
            f"{type(network).__name__} gives one pose of a frame and has no hypotheses: train "
            'model.method = "mixture" for several'
        )
    poses, sigma, log_weight = (
        torch.cat(parts).cpu().numpy() for parts in zip(*mixtures, strict=True)
    )
    roots = poses[..., [samples.skeleton.root], :]
    return Hypotheses(poses - roots, np.exp(log_weight), sigma)


def _answers(network: nn.Module, samples: Samples, batch: int) -> list[Said]:
    """What a network says of all frames, in parts."""
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        inputs = torch.from_numpy(samples.inputs).to(next(network.parameters()).device)
        said = [network(x) for x in torch.split(inputs, batch)]
    network.train(was_training)
    return said


def pose_of(said: Said) -> Tensor:
    """The pose alone of what a network says; of several the most likely."""
    return said if isinstance(said, Tensor) else said.pose


def predict(network: nn.Module, samples: Samples) -> np.ndarray:
    """Lift every frame, and move it so that the root is at the origin, as protocols do.

    Returns:
        (frame, joint, 3), m, camera axes.
    """
    poses = lift(network, samples)
    return np.asarray(poses - poses[..., [samples.skeleton.root], :])


def validate(network: nn.Module, samples: Samples, where: Path | None = None) -> float:
    """Score frames by their MPJPE, mm, averaged over activities.

    Args:
        network: In training.
        samples: To be scored.
        where: Folder of the run, for the message, if it is of one.

    Raises:
        ModelError: If a prediction is not finite: training has diverged.
    """
    predicted = predict(network, samples)
    if not np.isfinite(predicted).all():
        raise ModelError(
            f"{f'{where}: ' if where else ''}training diverged: the network's predictions are not "
            "finite: give this run a lower learning_rate, and another folder"
        )
    joints = (-1, *predicted.shape[-2:])
    each = predicted[..., 0, 0].size // len(predicted)
    return mpjpe_over_activities(
        predicted.reshape(joints),
        samples.targets[..., :3].reshape(joints),
        np.repeat(samples.activity, each),
    )
