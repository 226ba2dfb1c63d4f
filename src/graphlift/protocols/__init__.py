"""Protocols by name, and the frames that are trained and tested on under them."""

from graphlift.protocols.adaptations import ADAPTATIONS as ADAPTATIONS
from graphlift.protocols.adaptations import ROOT_IN_PLACE as ROOT_IN_PLACE
from graphlift.protocols.adaptations import root_in_place as root_in_place
from graphlift.protocols.examples import Examples as Examples
from graphlift.protocols.examples import StudyData as StudyData
from graphlift.protocols.examples import observe as observe
from graphlift.protocols.examples import read_study_data as read_study_data
from graphlift.protocols.licensed import PairedData as PairedData
from graphlift.protocols.licensed import TrainingData as TrainingData
from graphlift.protocols.licensed import is_pack as is_pack
from graphlift.protocols.licensed import official_joints as official_joints
from graphlift.protocols.licensed import read_data as read_data
from graphlift.protocols.named import PROTOCOLS as PROTOCOLS
from graphlift.protocols.named import STRIDE as STRIDE
from graphlift.protocols.named import Protocol as Protocol
from graphlift.protocols.named import protocol_named as protocol_named
from graphlift.protocols.named import share_out as share_out
