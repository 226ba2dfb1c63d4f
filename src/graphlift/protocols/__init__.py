"""Protocols by name, and the known deviations from them."""

from graphlift.protocols.adaptations import ADAPTATIONS as ADAPTATIONS
from graphlift.protocols.adaptations import ROOT_IN_PLACE as ROOT_IN_PLACE
from graphlift.protocols.adaptations import root_in_place as root_in_place
from graphlift.protocols.named import PROTOCOLS as PROTOCOLS
from graphlift.protocols.named import STRIDE as STRIDE
from graphlift.protocols.named import Protocol as Protocol
from graphlift.protocols.named import protocol_named as protocol_named
from graphlift.protocols.named import share_out as share_out
