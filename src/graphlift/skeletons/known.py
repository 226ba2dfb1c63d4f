"""The skeletons of the field's detectors and data sets.

Names are ours where the field's differ for the same point: ``Hip`` is the pelvis (between the
hips), ``L`` and ``R`` are the person's own left and right. A name that two data sets use for
different points of the body has two names here: Halpe's ``Head`` is ``HeadTop``, MPII's upper
neck is ``UpperNeck``.
"""

from collections.abc import Mapping

from graphlift.skeletons.skeleton import Skeleton


def _skeleton(name: str, centre: str, tree: str) -> Skeleton:
    """Build a skeleton from ``child<parent`` words in array order; the root is written alone."""
    words = [word.split("<") for word in tree.split()]
    joints = tuple(word[0] for word in words)
    parents = tuple(joints.index(word[1]) if len(word) > 1 else -1 for word in words)
    return Skeleton(name, joints, parents, centre)


H36M_17 = _skeleton(
    "h36m-17",
    "Spine",
    "Hip RHip<Hip RKnee<RHip RFoot<RKnee LHip<Hip LKnee<LHip LFoot<LKnee Spine<Hip Thorax<Spine "
    "Neck/Nose<Thorax Head<Neck/Nose LShoulder<Thorax LElbow<LShoulder LWrist<LElbow "
    "RShoulder<Thorax RElbow<RShoulder RWrist<RElbow",
)
"""Human3.6M's 17 moving joints, in VideoPose3D's order. Root: Hip; centre: Spine.

Source: Pavllo et al., CVPR 2019; the centre from the study's authors' convolution-style classes.
"""

BODY_28 = _skeleton(
    "body-28",
    "Spine",
    "Hip RHip<Hip RKnee<RHip RFoot<RKnee LHip<Hip LKnee<LHip LFoot<LKnee Spine<Hip Thorax<Spine "
    "Neck/Nose<Thorax Head<Neck/Nose LShoulder<Thorax LElbow<LShoulder LWrist<LElbow "
    "RShoulder<Thorax RElbow<RShoulder RWrist<RElbow "
    "Nose<Head LEye<Nose REye<Nose LEar<Head REar<Head "
    "LBigToe<LFoot LSmallToe<LFoot LHeel<LFoot RBigToe<RFoot RSmallToe<RFoot RHeel<RFoot",
)
"""The union of what detectors give: Human3.6M's 17, then the face and the feet.

Its Neck/Nose is the base of the skull and its Head the middle of the head, because nose and ears
are joints of their own.
"""

H36M_16 = _skeleton(
    "h36m-16",
    "Spine",
    "Hip RHip<Hip RKnee<RHip RFoot<RKnee LHip<Hip LKnee<LHip LFoot<LKnee Spine<Hip Thorax<Spine "
    "Head<Thorax LShoulder<Thorax LElbow<LShoulder LWrist<LElbow "
    "RShoulder<Thorax RElbow<RShoulder RWrist<RElbow",
)
"""The 17 without Neck/Nose, on which the study's 4.22 M parameters were counted.

Source: Zhao et al., "Semantic Graph Convolutional Networks", CVPR 2019 (its published code).
"""

COCO_17 = _skeleton(
    "coco-17",
    "Nose",
    "Nose LEye<Nose REye<Nose LEar<LEye REar<REye LShoulder<Nose RShoulder<Nose LElbow<LShoulder "
    "RElbow<RShoulder LWrist<LElbow RWrist<RElbow LHip<LShoulder RHip<RShoulder LKnee<LHip "
    "RKnee<RHip LAnkle<LKnee RAnkle<RKnee",
)
"""COCO's 17 keypoints. COCO has no pelvis and no spine: the nose, its only joint on the midline,
is both root and centre, and the trunk is two shoulder-to-hip bones.

Source: Lin et al., "Microsoft COCO", ECCV 2014 (keypoint names and order); the tree is ours.
"""

COCO_23 = _skeleton(
    "coco-23",
    "Nose",
    "Nose LEye<Nose REye<Nose LEar<LEye REar<REye LShoulder<Nose RShoulder<Nose LElbow<LShoulder "
    "RElbow<RShoulder LWrist<LElbow RWrist<RElbow LHip<LShoulder RHip<RShoulder LKnee<LHip "
    "RKnee<RHip LAnkle<LKnee RAnkle<RKnee LBigToe<LAnkle LSmallToe<LBigToe LHeel<LAnkle "
    "RBigToe<RAnkle RSmallToe<RBigToe RHeel<RAnkle",
)
"""The body and the feet of COCO-WholeBody: the first 23 of its 133 keypoints. The rest are the
face (68) and the hands (21 each).

Source: Jin et al., "Whole-Body Human Pose Estimation in the Wild", ECCV 2020 (names and order);
the tree is ours.
"""

MPI_INF_3DHP_17 = _skeleton(
    "mpi-inf-3dhp-17",
    "Spine",
    "HeadTop<Head Neck<Spine RShoulder<Neck RElbow<RShoulder RWrist<RElbow LShoulder<Neck "
    "LElbow<LShoulder LWrist<LElbow RHip<Hip RKnee<RHip RAnkle<RKnee LHip<Hip LKnee<LHip "
    "LAnkle<LKnee Hip Spine<Hip Head<Neck",
)
"""MPI-INF-3DHP's 17 test joints in the official order, children before parents. Root: Hip.

Source: Mehta et al., 3DV 2017 (the test set's ``univ_annot3``).
"""

OPENPOSE_BODY_25 = _skeleton(
    "openpose-body-25",
    "MidHip",
    "Nose<Neck Neck<MidHip RShoulder<Neck RElbow<RShoulder RWrist<RElbow LShoulder<Neck "
    "LElbow<LShoulder LWrist<LElbow MidHip RHip<MidHip RKnee<RHip RAnkle<RKnee LHip<MidHip "
    "LKnee<LHip LAnkle<LKnee REye<Nose LEye<Nose REar<REye LEar<LEye LBigToe<LAnkle "
    "LSmallToe<LBigToe LHeel<LAnkle RBigToe<RAnkle RSmallToe<RBigToe RHeel<RAnkle",
)
"""OpenPose's BODY_25. Its Neck is the middle of the shoulders, its MidHip that of the hips.

Source: Cao et al., "OpenPose", TPAMI 2021, and its documentation of the output (1.7); the tree,
rooted at MidHip, is ours.
"""

OPENPOSE_COCO_18 = _skeleton(
    "openpose-coco-18",
    "Neck",
    "Nose<Neck Neck RShoulder<Neck RElbow<RShoulder RWrist<RElbow LShoulder<Neck "
    "LElbow<LShoulder LWrist<LElbow RHip<Neck RKnee<RHip RAnkle<RKnee LHip<Neck LKnee<LHip "
    "LAnkle<LKnee REye<Nose LEye<Nose REar<REye LEar<LEye",
)
"""OpenPose's COCO model: COCO's 17 in another order, and a Neck between the shoulders.

Source: Cao et al., "Realtime multi-person 2D pose estimation", CVPR 2017, and OpenPose's
documentation of the output.
"""

HALPE_26 = _skeleton(
    "halpe-26",
    "Hip",
    "Nose<Neck LEye<Nose REye<Nose LEar<LEye REar<REye LShoulder<Neck RShoulder<Neck "
    "LElbow<LShoulder RElbow<RShoulder LWrist<LElbow RWrist<RElbow LHip<Hip RHip<Hip LKnee<LHip "
    "RKnee<RHip LAnkle<LKnee RAnkle<RKnee HeadTop<Neck Neck<Hip Hip LBigToe<LAnkle "
    "RBigToe<RAnkle LSmallToe<LBigToe RSmallToe<RBigToe LHeel<LAnkle RHeel<RAnkle",
)
"""The body of Halpe's 136 keypoints, as AlphaPose and RTMPose's body models write them.

Source: Fang et al., "AlphaPose", TPAMI 2022 (Halpe-FullBody's list; it calls HeadTop "Head").
"""

MEDIAPIPE_33 = _skeleton(
    "mediapipe-33",
    "Nose",
    "Nose LEyeInner<Nose LEye<LEyeInner LEyeOuter<LEye REyeInner<Nose REye<REyeInner "
    "REyeOuter<REye LEar<LEyeOuter REar<REyeOuter LMouth<Nose RMouth<Nose LShoulder<Nose "
    "RShoulder<Nose LElbow<LShoulder RElbow<RShoulder LWrist<LElbow RWrist<RElbow "
    "LPinky<LWrist RPinky<RWrist LIndex<LWrist RIndex<RWrist LThumb<LWrist RThumb<RWrist "
    "LHip<LShoulder RHip<RShoulder LKnee<LHip RKnee<RHip LAnkle<LKnee RAnkle<RKnee "
    "LHeel<LAnkle RHeel<RAnkle LFootIndex<LHeel RFootIndex<RHeel",
)
"""MediaPipe Pose's 33 landmarks (BlazePose). No pelvis and no spine: as COCO_17.

Source: Bazarevsky et al., "BlazePose", 2020 (arXiv:2006.10204), and MediaPipe's list of pose
landmarks; the tree is ours.
"""

MPII_16 = _skeleton(
    "mpii-16",
    "Hip",
    "RAnkle<RKnee RKnee<RHip RHip<Hip LHip<Hip LKnee<LHip LAnkle<LKnee Hip Thorax<Hip "
    "UpperNeck<Thorax HeadTop<UpperNeck RWrist<RElbow RElbow<RShoulder RShoulder<Thorax "
    "LShoulder<Thorax LElbow<LShoulder LWrist<LElbow",
)
"""MPII Human Pose's 16 joints, children before parents.

Source: Andriluka et al., "2D human pose estimation: new benchmark and state of the art
analysis", CVPR 2014.
"""

SKELETONS: Mapping[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        *(H36M_16, H36M_17, COCO_17, MPI_INF_3DHP_17, MPII_16),
        *(OPENPOSE_BODY_25, OPENPOSE_COCO_18, HALPE_26, MEDIAPIPE_33),
        *(BODY_28, COCO_23),
    )
}

ANKLE_HEIGHT = 0.08
"""m; how high an ankle is above the floor that its foot stands on."""

SOLE_HEIGHTS: Mapping[str, float] = {
    "Heel": 0.04,
    "BigToe": 0.02,
    "SmallToe": 0.02,
    "FootIndex": 0.02,
}
"""m; how high the points of a foot that detectors give are above the floor that it stands on.

Source: adults of the table of bodies (:mod:`graphlift.bodies`), their ankles at ANKLE_HEIGHT: 40,
21 and 18 mm.
"""

BY_JOINTS: Mapping[int, Skeleton] = {len(body): body for body in (H36M_16, H36M_17, BODY_28)}
"""The skeletons that networks are trained on, by their number of joints."""
