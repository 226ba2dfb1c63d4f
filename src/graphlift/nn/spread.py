"""Make a network train on a part of each batch as if it had all of it."""

from torch import nn

from graphlift.nn.attention import MultiHead
from graphlift.nn.baselines import DenseLayer
from graphlift.nn.dropout import Dropout
from graphlift.nn.locally_connected import LocalLayer
from graphlift.nn.over_time import PoseOverTime
from graphlift.nn.whole_batch import Part, WholeBatchNorm


def spread(network: nn.Module, part: Part) -> None:
    """Let the layers that depend on more than one sample heed the whole batch.

    Parameters, buffers and their names stay. Which axis is that of samples: the first where layers
    have no axis of joints before it; attention has a row for each head of a sample.

    Args:
        network: That was built by :func:`graphlift.nn.build.build_network`.
        part: Of the batch that this process has.
    """
    first = isinstance(network, PoseOverTime)
    for module in list(network.modules()):
        heads = module.heads if isinstance(module, MultiHead) else 1
        axis = 0 if first or isinstance(module, DenseLayer | LocalLayer | MultiHead) else 1
        for name, layer in module.named_children():
            if isinstance(layer, nn.BatchNorm1d):
                setattr(module, name, WholeBatchNorm(layer, part))
            elif isinstance(layer, Dropout):
                layer.part, layer.axis, layer.each = part, axis, heads
