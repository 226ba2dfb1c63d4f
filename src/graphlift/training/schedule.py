"""How the learning rate falls."""

import numpy as np

from graphlift.training.config import TrainConfig


def learning_rate(config: TrainConfig, step: int, steps: int, per_epoch: int) -> float:
    """The learning rate of a step, counted from 0: a pure function of the step."""
    if config.schedule == "cosine":
        return config.learning_rate * (1 + float(np.cos(np.pi * step / steps))) / 2
    if config.schedule == "staircase":
        stair = config.decay_steps or per_epoch
        # Published codes set the rate at the first step, by its share of a stair, and then only
        # where the count of steps from 1 is a multiple of the stair.
        power = (step + 1) // stair or 1 / stair
        return float(config.learning_rate * config.decay**power)
    return float(config.learning_rate * config.decay ** (step // per_epoch))
