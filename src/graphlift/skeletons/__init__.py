"""Skeletons: which joints a pose has, in which order, and how to convert between them."""

from graphlift.skeletons.joint_maps import JointMap as JointMap
from graphlift.skeletons.joint_maps import Kind as Kind
from graphlift.skeletons.joint_maps import conversion_table as conversion_table
from graphlift.skeletons.joint_maps import joint_map as joint_map
from graphlift.skeletons.known import ANKLE_HEIGHT as ANKLE_HEIGHT
from graphlift.skeletons.known import BODY_28 as BODY_28
from graphlift.skeletons.known import BY_JOINTS as BY_JOINTS
from graphlift.skeletons.known import COCO_17 as COCO_17
from graphlift.skeletons.known import COCO_23 as COCO_23
from graphlift.skeletons.known import H36M_16 as H36M_16
from graphlift.skeletons.known import H36M_17 as H36M_17
from graphlift.skeletons.known import HALPE_26 as HALPE_26
from graphlift.skeletons.known import MEDIAPIPE_33 as MEDIAPIPE_33
from graphlift.skeletons.known import MPI_INF_3DHP_17 as MPI_INF_3DHP_17
from graphlift.skeletons.known import MPII_16 as MPII_16
from graphlift.skeletons.known import OPENPOSE_BODY_25 as OPENPOSE_BODY_25
from graphlift.skeletons.known import OPENPOSE_COCO_18 as OPENPOSE_COCO_18
from graphlift.skeletons.known import SKELETONS as SKELETONS
from graphlift.skeletons.known import SOLE_HEIGHTS as SOLE_HEIGHTS
from graphlift.skeletons.skeleton import Skeleton as Skeleton
