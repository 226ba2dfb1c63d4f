"""Refinement of a whole clip: poses that agree with the keypoints and with one body.

A lifter of single frames gives each frame a body of its own and does not look back at the image.
Here each person gets the poses that are most probable given four things: the keypoints (rays,
each as certain as its confidence and the clip's own noise allow); the lifter's prediction, bone
by bone, as a prior as wide as its sigma; bones of constant length; and feet that stand on one
level (:mod:`graphlift.motion.standing`). The lengths, and how the keypoints' convention
differs from the lifter's, are estimated from the whole clip (:mod:`graphlift.motion.one_body`).

People's proportions have no prior of their own: the lifter's prediction contains one already.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.cameras import NEAREST, Camera
from graphlift.errors import ModelError
from graphlift.motion.one_body import (
    Trunk,
    apply_convention,
    find_convention,
    find_lengths,
    measure_convention,
    measure_lengths,
    trunk_axes,
    trunk_of,
)
from graphlift.motion.placing import find_translations, sightings, unplaced
from graphlift.motion.requirements import below, blocks, check_axes, legs
from graphlift.motion.standing import Standing, find_standing, on_one_level
from graphlift.motion.surface import surface_offsets
from graphlift.motion.trajectory import MEMORY, choose_camera, find_path
from graphlift.motion.tree import Eliminated, Levels, Planes, eliminate, levels_of, outer
from graphlift.sequences import Poses, frame_rate
from graphlift.skeletons import Skeleton, joint_map
from graphlift.words import counted

KEYPOINT = 0.013
"""m at the person's distance: how far off a keypoint is at least, 3 px of a person of 360 px."""
JITTER = 0.8
"""Times the keypoints' own jitter over time, which adds to :data:`KEYPOINT`."""
USUAL_JITTER, FRAMES = 0.025, 10
"""m, and the weight of this value in frames: of clips too short to show their jitter."""
LARGEST_JITTER = 0.04
"""m; what is larger is motion that the frame rate does not resolve."""
PRIOR = 1.4
"""How much less certain the lifter's bones are than its sigma says, beside :data:`BLUR`."""
BLUR = 0.01
"""m; how far off a bone is at least, each coordinate."""
STEADY_SHARE = 0.25
"""Of a joint's sigma: how much of it at least is its own, and not its parent's."""
HINGE = 0.01
"""m; how closely bones keep their length."""
LOOSE, TIGHT = 1, 2
"""Gauss-Newton steps without, and with, lengths of bones."""
HONEST = 1.1
"""Times the standard deviation that all this implies: so the 80 % ball holds 80 % of the joints.

Source: windows of validation people by four definitions, exact and noisy (docs/whole-clips.md).
"""
FURTHEST = 0.6
"""m; where a joint would move further, the steps have failed, and the frame stays as it was."""
_RIDGE = np.array([1e-3, 1e-3, 1e-3, 0.0, 0.0, 0.0]).reshape(6, 1, 1)
"""1/m²; far below any information, so that nothing seen at all still has a solution."""


@dataclass(frozen=True, eq=False)
class _Evidence:
    """What is known of one person in some frames; joints in the order of a tree's levels.

    Args:
        rays: x and y at unit depth.
        certainty: Information of each ray's coordinates.
        vectors: Bones that the lifter predicts, m.
        variance: Of their coordinates, m².
        points: Where the lifter's prediction would be in the camera's axes, m.
        offsets: From joints to the points that keypoints show of them, m.
        frames: Which frames of the clip.
    """

    rays: Float[np.ndarray, "2 joint frame"]
    certainty: Float[np.ndarray, "joint frame"]
    vectors: Planes
    variance: Float[np.ndarray, "joint frame"]
    points: Planes
    offsets: Planes
    frames: Int[np.ndarray, " frame"]


@dataclass(frozen=True, eq=False)
class _Person:
    """One person of a clip, as a lifter and a camera see them.

    Args:
        poses: Of this person alone.
        camera: Its lens.
        source: Skeleton of the keypoints.
        tree: Order of the joints.
        trunk: Bones with a convention.
        translation: m, camera axes; NaN where it is not known.
        noise: Of each joint's keypoint, m at the person's distance.
        exact: Whether each joint is a keypoint itself. One that is derived from others shows the
            same point of the body only roughly, which the lifter knows better: it places the
            person, and does not count for the pose.
        together: Frames that count as one, because errors last.
        ankles: Their places in the tree.
        soles: Places of what hangs on them.
        standing: When feet stand; None where that does not count.
    """

    poses: Poses
    camera: Camera
    source: Skeleton
    tree: Levels
    trunk: Trunk
    translation: Float[np.ndarray, "frame 3"]
    noise: Float[np.ndarray, " joint"]
    exact: Bool[np.ndarray, " joint"]
    together: float
    ankles: Int[np.ndarray, " side"]
    soles: Int[np.ndarray, " joint"]
    standing: Standing | None


def refine(
    poses: Poses,
    camera: Camera | None = None,
    *,
    field_of_view: float | None = None,
    feet: bool = True,
) -> Poses:
    """Make poses agree with their keypoints and with bones of constant length.

    Minimises, for each person, the sum over frames of: the squared distances of the joints from
    their rays, each over its variance (a joint further off weighs less, Huber); the squared
    differences of the bones from the lifter's, over theirs; the squared differences of their
    lengths from the clip's; and those of the heights of standing feet from one level. Sigma
    becomes that of the result. Frames in which a person cannot be placed, or whose sigma is not
    known, stay as they are.

    Args:
        poses: Rooted, camera axes, with the keypoints that they were lifted from, not smoothed.
        camera: Its lens counts, and where its place is known, gravity; ``poses.camera`` when left
            out, or else an assumed one.
        field_of_view: Of the image's longer side, degrees, where no camera is given.
        feet: Whether standing feet are on one level; gravity is found if it is not known.

    Raises:
        ModelError: If poses are in world axes, move through space already or have no keypoints,
            or as :func:`graphlift.motion.trajectory.choose_camera`.
        SkeletonError: If the skeleton lacks hips, knees, ankles or shoulders.

    Source: Gauss-Newton on the reprojection error, as in bundle adjustment (Triggs et al.,
    "Bundle adjustment: a modern synthesis", 2000).
    """
    check_axes(poses, "camera", "refinement")
    if not poses.rooted or poses.keypoints is None:
        why = "have no keypoints" if poses.rooted else "move through space already"
        raise ModelError(
            f"refinement needs root-relative poses with keypoints, but these {why}: give what "
            "the lifter returned, or leave the step out (refine=False)"
        )
    fps, assumed = frame_rate(poses)
    camera, lens = choose_camera(poses, camera, field_of_view)
    valid = poses.valid
    placed = np.zeros_like(valid)
    for place in range(len(poses.people)):  # one after the other: each needs memory of its own
        alone = poses if len(poses.people) == 1 else poses.of_people([place])
        person = _find_person(alone, camera, fps, feet=feet)
        joints = np.argsort(person.tree.order)
        if not place:  # and not before: finding a person takes as much memory, for a while
            positions, sigma = poses.positions.copy(), poses.sigma.copy()
        for frames, rooted, spread in _refined(person):
            positions[frames, place] = rooted.T[:, joints]
            sigma[frames, place] = spread.T[:, joints]
            placed[frames, place] = True
    if not placed.any():
        return poses
    count = int((valid & ~placed).sum())
    rest = f"; {counted(count, 'frame')} left as lifted, as nothing there shows where a person is"
    return poses.noting(
        *assumed,
        f"Poses were refined to agree with the keypoints, by {lens}, with bones of constant length"
        f"{' and with one level for standing feet' if feet else ''}{rest if count else ''}.",
        positions=positions,
        sigma=sigma,
    )


def _find_person(poses: Poses, camera: Camera, fps: float, *, feet: bool) -> _Person:
    """Place one person in every frame, measure the jitter of the keypoints, and see feet stand."""
    assert poses.keypoints is not None
    skeleton, tree = poses.skeleton, levels_of(poses.skeleton)
    trunk, place = trunk_of(skeleton, tree), np.argsort(tree.order)
    ankles, whole = legs(skeleton)[:, 2], unplaced(len(poses))
    kinds = joint_map(poses.keypoints.skeleton, skeleton).kinds
    jitter, count = np.zeros(len(skeleton)), np.zeros(len(skeleton))
    for part in blocks(len(poses)):
        rays, weights = _sightings(poses, camera, part)
        here = poses.positions[part, 0]
        valid = np.isfinite(here).all(axis=(-2, -1))
        here = here + surface_offsets(here, skeleton, poses.keypoints.skeleton)
        sigma = poses.sigma[part, 0].astype(np.float64)
        placed = find_translations(here, rays, weights, camera.focal, sigma=sigma, iterations=2)
        unsure = ~(valid & np.isfinite(sigma).all(axis=1))
        placed.translation[unsure], placed.known[unsure] = np.nan, False
        whole.put(part, placed)
        distance = placed.translation[placed.known, 2]
        if distance.size:
            rough, seen = _jitter(np.where(weights[..., None] > 0, rays, np.nan))
            jitter += seen * (rough * np.median(distance)) ** 2
            count += seen
    square = (jitter + FRAMES * USUAL_JITTER**2) / (count + FRAMES)
    noise = JITTER * np.minimum(np.sqrt(square), LARGEST_JITTER)
    translation, standing = whole.translation, None
    if feet and whole.known.any():
        path = find_path(whole, poses.positions[:, 0], fps)
        del whole  # what is known of each translation takes three times as much
        standing = find_standing(poses, path, camera)
    return _Person(
        poses=poses,
        camera=camera,
        source=poses.keypoints.skeleton,
        tree=tree,
        trunk=trunk,
        translation=translation,
        noise=np.hypot(KEYPOINT, noise),
        exact=np.array(kinds) == "exact",
        together=max(1.0, 2 * MEMORY * fps),
        ankles=place[ankles],
        soles=place[np.concatenate([below(skeleton, ankle) for ankle in ankles])],
        standing=standing,
    )


def _sightings(
    poses: Poses, camera: Camera, part: slice
) -> tuple[Float[np.ndarray, "frame joint 2"], Float[np.ndarray, "frame joint"]]:
    """Find one person's rays in some frames, and their weights: 0 where a joint is missing."""
    assert poses.keypoints is not None
    rays, weights = sightings(poses.keypoints.of_frames(part), poses.skeleton, camera)
    return rays[:, 0], weights[:, 0]


def _jitter(
    rays: Float[np.ndarray, "frame joint 2"],
) -> tuple[Float[np.ndarray, " joint"], Float[np.ndarray, " joint"]]:
    """Measure the standard deviation of noise in rays by their third differences, and count them.

    People move nearly with constant acceleration from frame to frame. The median of the sizes of
    normal numbers is 0.6745 of their standard deviation; noise that keeps 0.7 of itself from
    frame to frame has third differences of variance 5.3 (20 - 30 · 0.7 + 12 · 0.7² - 2 · 0.7³).
    """
    sizes = np.sort(np.abs(np.diff(rays, n=3, axis=0)), axis=0)  # NaN last
    count = np.isfinite(sizes).sum(axis=0)
    if not len(sizes):
        return np.zeros(rays.shape[1]), np.zeros(rays.shape[1])
    middle = np.take_along_axis(sizes, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    median = np.where(count > 0, middle, 0.0).mean(axis=-1)
    return median / (0.6745 * np.sqrt(5.3)), count[:, 0].astype(float)


def _refined(
    person: _Person,
) -> Iterator[tuple[Int[np.ndarray, " frame"], Planes, Float[np.ndarray, "joint frame"]]]:
    """Refine one person: what the clip says of the body first, then the poses, block by block.

    Yields:
        Numbers of frames; positions from the root, and their sigma, m, joints in the tree's order.
    """
    tree, trunk = person.tree, person.trunk
    lengths = np.zeros((2, len(tree.order)))
    convention = np.zeros((len(trunk.bones), 3, 4))
    for evidence in _evidence(person):
        points, known = _improve(person, evidence, evidence.vectors, None, LOOSE)
        covariance, bones = known.bone_covariances(), points - points[:, tree.parents]
        # A foot's bones are as short as their errors: lengths that count these would sink it.
        covariance[:, person.soles] = 0
        lengths += measure_lengths(bones, covariance)
        axes = trunk_axes(evidence.points, trunk)
        excess = bones - evidence.vectors
        convention += measure_convention(excess, covariance, evidence.variance, axes, trunk)
    length = find_lengths(lengths, trunk)
    difference = find_convention(convention, trunk, together=person.together)
    for evidence in _evidence(person):
        axes = trunk_axes(evidence.points, trunk)
        vectors = apply_convention(evidence.vectors, difference, axes, trunk)
        points, known = _improve(person, evidence, vectors, length, TIGHT)
        rooted = points - points[:, :1]
        moved = np.abs(rooted - (evidence.points - evidence.points[:, :1])).max(axis=(0, 1))
        good = moved < FURTHEST  # and finite
        sigma = HONEST * np.sqrt(np.maximum(known.spread(), 0.0) / 3)
        yield evidence.frames[good], rooted[..., good], sigma[:, good]


def _evidence(person: _Person) -> Iterator[_Evidence]:
    """Gather what is known of a person, in blocks of the frames in which they are placed."""
    order, parents = person.tree.order, person.tree.parents
    for part in blocks(len(person.translation)):
        frames = np.flatnonzero(np.isfinite(person.translation[part, 0]))
        if not frames.size:
            continue
        rays, weights = _sightings(person.poses, person.camera, part)
        weights = _planes(weights[frames])[order] * person.exact[order, None]
        rays = np.where(weights > 0, _planes(rays[frames])[:, order], 0.0)
        frames = frames + part.start
        at = _planes(person.translation[frames])
        poses = person.poses.positions[frames, 0]
        offsets = surface_offsets(poses, person.poses.skeleton, person.source)
        lifted = _planes(poses)[:, order]
        sigma = _planes(person.poses.sigma[frames, 0])[order]
        yield _Evidence(
            rays=rays,
            certainty=(weights * at[2] / person.noise[order, None]) ** 2,
            vectors=lifted - lifted[:, parents],
            variance=_variance(sigma, parents),
            points=lifted + at[:, None],
            offsets=_planes(offsets)[:, order],
            frames=frames,
        )


def _planes(values: np.ndarray) -> np.ndarray:
    """Put frames last and coordinates first, in float64."""
    return np.ascontiguousarray(values.T, dtype=np.float64)


def _variance(
    sigma: Float[np.ndarray, "joint frame"], parents: Int[np.ndarray, " joint"]
) -> Float[np.ndarray, "joint frame"]:
    """Find the variance of bones from that of joints: errors add up from the root, m²."""
    square = sigma**2
    own = np.maximum(square - square[parents], STEADY_SHARE**2 * square)
    return np.asarray(PRIOR**2 * own + BLUR**2)


def _improve(
    person: _Person,
    evidence: _Evidence,
    vectors: Planes,
    lengths: Float[np.ndarray, " joint"] | None,
    steps: int,
) -> tuple[Planes, Eliminated]:
    """Take Gauss-Newton steps from the lifter's prediction; return what the last one knew.

    Feet are on one level once lengths are known.
    """
    tree, points = person.tree, evidence.points
    for _ in range(steps):
        own, right = _from_keypoints(evidence, points)
        links, pull = _from_body(tree, evidence.variance, vectors, points, lengths)
        right += pull
        if person.standing is not None and lengths is not None:
            level, lift = on_one_level(person.standing, evidence.frames, points[:, person.ankles])
            own[:, person.ankles] += level
            right[:, person.ankles] += lift
        for place, parent in enumerate(tree.parents[1:].tolist(), start=1):
            right[:, parent] -= pull[:, place]
        known = eliminate(tree, own, links)
        points = points + known.solve(right)
    return points, known


def _from_keypoints(evidence: _Evidence, points: Planes) -> tuple[Planes, Planes]:
    """Linearise the distances from the rays: information of each joint, and right side."""
    shown = points + evidence.offsets
    depth = np.maximum(shown[2], NEAREST)
    x, y = shown[:2] / depth
    off_x, off_y = x - evidence.rays[0], y - evidence.rays[1]
    distance = np.sqrt(evidence.certainty * (off_x**2 + off_y**2))
    pull = evidence.certainty / np.maximum(distance, 1.0) / depth
    each = pull / depth
    own = [each, each, each * (x * x + y * y), np.zeros_like(x), -each * x, -each * y]
    right = [-pull * off_x, -pull * off_y, pull * (x * off_x + y * off_y)]
    return np.stack(own) + _RIDGE, np.stack(right)


def _from_body(
    tree: Levels,
    variance: Float[np.ndarray, "joint frame"],
    vectors: Planes,
    points: Planes,
    lengths: Float[np.ndarray, " joint"] | None,
) -> tuple[Planes, Planes]:
    """Linearise the differences from predicted bones and lengths: information, right side."""
    bones = points - points[:, tree.parents]
    certain = 1 / variance
    links = np.zeros((6, *certain.shape))
    links[:3] = certain
    pull = certain * (vectors - bones)
    if lengths is not None:
        now = np.maximum(np.linalg.norm(bones, axis=0), 1e-9)
        along = bones / now
        links += outer(along, np.full_like(certain, HINGE**-2))
        pull += along * ((lengths[:, None] - now) / HINGE**2)
    pull[:, 0] = 0
    return links, pull
