"""Networks. With ``training``, the only package that imports torch (extra ``train``)."""

from graphlift.nn.baselines import Martinez
from graphlift.nn.bidirectional import Bidirectional
from graphlift.nn.build import build_network
from graphlift.nn.gcn import PoseGCN
from graphlift.nn.graformer import GraFormer
from graphlift.nn.graph_conv import GraphConv
from graphlift.nn.high_order import HighOrderGCN
from graphlift.nn.hourglass import GraphHourglass
from graphlift.nn.htnet import HTNet
from graphlift.nn.locally_connected import LocallyConnected
from graphlift.nn.mixture import MixtureDensity
from graphlift.nn.modulated import ModulatedConv
from graphlift.nn.non_local import EmbeddedNonLocal, NonLocal
from graphlift.nn.ordinal_depth import OrdinalDepth

__all__ = [
    "Bidirectional",
    "EmbeddedNonLocal",
    "GraFormer",
    "GraphConv",
    "GraphHourglass",
    "HTNet",
    "HighOrderGCN",
    "LocallyConnected",
    "Martinez",
    "MixtureDensity",
    "ModulatedConv",
    "NonLocal",
    "OrdinalDepth",
    "PoseGCN",
    "build_network",
]
