"""Networks whose numbers are not where they start, and short runs of the training loop."""

import torch

from graphlift.training.checkpoints import read_checkpoint
from graphlift.training.loop import train
from graphlift.training.state import MODEL


def shaken(module, scale=0.3):
    """In double precision, with all its numbers moved, running statistics included."""
    torch.manual_seed(0)
    module = module.double()
    for parameter in module.parameters():
        parameter.data += scale * torch.randn_like(parameter)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return module


def finished(config, data, out, stop=None):
    """The kept weights of a run and its record; None if it is stopped after so many steps."""
    run = train(config, data, out)
    for progress in run:
        if progress.step == stop:
            run.close()
            return None
    return read_checkpoint(out / MODEL)
