"""Networks. With ``training``, the only package that imports torch (extra ``train``)."""

from graphlift.nn.baselines import Martinez
from graphlift.nn.build import build_network
from graphlift.nn.gcn import PoseGCN
from graphlift.nn.graph_conv import GraphConv
from graphlift.nn.locally_connected import LocallyConnected
from graphlift.nn.modulated import ModulatedConv
from graphlift.nn.non_local import EmbeddedNonLocal, NonLocal

__all__ = [
    "EmbeddedNonLocal",
    "GraphConv",
    "LocallyConnected",
    "Martinez",
    "ModulatedConv",
    "NonLocal",
    "PoseGCN",
    "build_network",
]
