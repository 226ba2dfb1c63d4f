"""All steps in their order: what a lifter returned becomes people on a floor."""

from collections.abc import Callable, Mapping
from functools import partial

from graphlift.cameras import Camera
from graphlift.motion.bones import hold_bones, scale_to_height
from graphlift.motion.feet import find_contacts, plant_feet
from graphlift.motion.gaps import MAX_GAP, fill_poses
from graphlift.motion.refinement import refine as refine_poses
from graphlift.motion.requirements import check_axes
from graphlift.motion.sizes import describe_sizes, scale_to_floor, share_floor
from graphlift.motion.smoothing import Smoother
from graphlift.motion.smoothing import smooth as smooth_poses
from graphlift.motion.supports import raise_sunk
from graphlift.motion.trajectory import Placed, move, place
from graphlift.motion.upright import Gravity, find_ground, stand
from graphlift.sequences import Poses


def to_world(
    poses: Poses,
    *,
    camera: Camera | None = None,
    field_of_view: float | None = None,
    height: float | Mapping[str, float] | None = None,
    refine: bool = True,
    gaps: float = MAX_GAP,
    smooth: Smoother | None = "savgol",
    bones: bool = True,
    trajectory: bool = True,
    feet: bool = True,
) -> Poses:
    """Turn what a lifter returned into people who walk on a floor, in metres, z up.

    In this order, each step noted in ``notes``: poses made to agree with the keypoints and with
    one body; short gaps are filled; positions smoothed; bones given one length for the clip;
    people scaled to their height; the root's path found from the keypoints; several people scaled
    so that they share a floor; gravity and floor found; people raised where they sank into it;
    feet held still while they stand. A last note says how sure people's sizes are: ``size_sigma``
    has it for each of them. As many frames come out as went in, NaN where a person was
    missing for longer than ``gaps``. Nothing is mirrored.

    Args:
        poses: Rooted, camera axes, with their keypoints.
        camera: Standing still. One whose place in the world is known gives gravity and floor
            exactly; another (R the identity, position 0) only its lens. ``poses.camera`` when
            left out.
        field_of_view: Of the image's longer side, degrees, without a camera; 55 when left out.
        height: Of all people, or by name, m; the model's own scale when left out.
        refine: Whether to make poses agree with the keypoints. Poses without keypoints, sigma or
            a lens that follows from a camera or the image's size stay as they are.
        gaps: Longest gap to fill, s; 0 for none.
        smooth: ``savgol``, ``one-euro`` or None, which leaves the root's path rough, too.
        bones: Whether bones keep their lengths.
        trajectory: Whether people move through space, or in place with a foot on the floor.
        feet: Whether to keep people above the floor and hold feet still that stand.

    Raises:
        ModelError: If poses are in world axes, the path cannot be found (no keypoints, neither
            camera nor image size, no person visible enough), or an option is out of range.
        SkeletonError: If the skeleton lacks hips, knees, ankles or shoulders.
    """
    check_axes(poses, "camera", "to_world()")
    known_lens = camera or poses.camera or (poses.keypoints and poses.keypoints.image_size)
    if refine and poses.keypoints is not None and known_lens:
        poses = refine_poses(poses, camera, field_of_view=field_of_view, feet=feet)
    poses = fill_poses(poses, seconds=gaps)
    poses = poses if smooth is None else smooth_poses(poses, smooth)
    poses = hold_bones(poses) if bones else poses
    poses = poses if height is None else scale_to_height(poses, height)
    gravity, known = None, poses.size_sigma
    stated = height if isinstance(height, Mapping) else () if height is None else poses.people
    if trajectory:
        find = partial(place, camera=camera, field_of_view=field_of_view)
        steady = smooth is not None
        poses, gravity = _walk(poses, find, smooth=steady, stated=tuple(stated), feet=feet)
    by_floor = poses.size_sigma is not known
    poses = poses.noting(*describe_sizes(poses, stated=tuple(stated), by_floor=by_floor))
    poses = stand(poses, camera, gravity)
    poses = raise_sunk(poses) if feet else poses
    return plant_feet(poses) if feet else poses


def _walk(
    poses: Poses,
    find: Callable[[Poses], Placed],
    *,
    smooth: bool,
    stated: tuple[str, ...],
    feet: bool,
) -> tuple[Poses, Gravity | None]:
    """Move rooted poses along their path, in camera axes; find gravity if sizes depend on it.

    Each pass uses what the one before has found: the sizes, from the floor, of people whose height
    is not stated; and which feet stand, which steadies the path.
    """
    gravity, sized = None, poses
    placed = [find(poses)]  # taken out when it is needed for the last time: of an hour, 18 MB
    moving = move(poses, placed[0], smooth=smooth)
    if moving.camera is not None and moving.camera.placed:
        sized = scale_to_floor(poses, moving, moving.camera, stated=stated)
    elif len(poses.people) > 1:
        sized, gravity = share_floor(poses, moving, stated=stated)
    if sized.positions is not poses.positions:
        del moving, placed  # before others are made
        placed = [find(sized)]
        moving = move(sized, placed[0], smooth=smooth)
    if not feet:
        return moving, gravity
    contacts = find_contacts(moving, find_ground(moving, gravity))
    del moving  # of an hour, 37 MB
    return move(sized, placed.pop(), smooth=smooth, contacts=contacts), gravity
