"""The root's path: the places of single frames, joined as people move.

Everything follows from the keypoints, the intrinsics and the poses; gravity and floor are not
known here.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from graphlift.cameras import FIELD_OF_VIEW, Camera, assumed_camera, image_to_rays
from graphlift.errors import ModelError
from graphlift.motion.placing import FEWEST, PIXELS, Placed, place
from graphlift.motion.requirements import blocks, check_axes, frame_rate, runs
from graphlift.sequences import Keypoints, Poses
from graphlift.skeletons import Skeleton, joint_map

DERIVED = 0.3
"""Weight of a keypoint that is a mean or a neighbour of the joint, against the joint itself."""
TRUSTED = 0.03
"""m; joints with a larger sigma weigh less, by the square."""

PADDING = 16
"""px; video is coded in blocks of this size, and what is padded is not shown."""

MEMORY = 0.3
"""s; for how long a pose's errors last: frames closer together are not independent."""
RESTLESS = 2.0
"""m²/s³; spectral density of the root's acceleration: how quickly people change their velocity."""
BRIDGE = 1.0
"""s; a person who is gone for longer comes back on another path."""
STEADY = 0.1
"""m/s; how well a standing foot is known to stand still, pose errors included."""


def smooth_path(
    placed: Placed,
    fps: float,
    *,
    restless: float = RESTLESS,
    still: tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step 3"]] | None = None,
) -> Float[np.ndarray, "frame 3"]:
    """Find the path that agrees best with single frames and with how people move.

    Minimises the squared distances from the single frames' places, each measured by its own
    information (sharp across, blunt in depth), plus squared accelerations over ``restless``: the
    smoother of a motion with white acceleration, solved at once as a banded linear system.
    Frames that tell nothing are bridged by the same principle.

    Args:
        placed: From :func:`place`, frames in order of time.
        fps: Frames per second.
        restless: Spectral density of the acceleration, m²/s³.
        still: Weights, 1/m², and values, m, of what else is known of the steps from each frame
            to the next.

    Source: Rauch, Tung and Striebel, "Maximum likelihood estimates of linear dynamic systems",
    AIAA J. 1965, which gives the same path frame by frame.
    """
    from scipy.linalg import solveh_banded

    count = len(placed.told)
    share = 1 / PIXELS**2 / max(1.0, 2 * MEMORY * fps)
    known = np.nan_to_num(placed.translation)
    right = share * (placed.information @ known[..., None])[..., 0]
    # bands[6 - k] couples an unknown with the one k before it; LAPACK's order in memory.
    bands = np.moveaxis(np.zeros((count, 3, 7)), -1, 0)
    for row in range(3):
        for column in range(row + 1):
            bands[6 - row + column, :, row] = share * placed.information[:, row, column]
    # A whisper of no motion at all keeps the system solvable with a single known frame.
    weights, steps = (np.zeros(count - 1), np.zeros((count - 1, 3))) if still is None else still
    weights = weights + 1e-9
    right[1:] += weights[:, None] * steps
    right[:-1] -= weights[:, None] * steps
    _add_differences(bands, weights, (-1.0, 1.0))
    _add_differences(bands, np.full(max(count - 2, 0), fps**3 / restless), (1.0, -2.0, 1.0))
    # Stretched so that unknowns run frame by frame, coordinates within; solved in place.
    stretched = np.moveaxis(bands, 0, -1).reshape(-1, 7).T
    path = solveh_banded(
        stretched, right.ravel(), overwrite_ab=True, overwrite_b=True, check_finite=False
    )
    return np.asarray(path.reshape(count, 3))


def locate(
    poses: Poses,
    camera: Camera | None = None,
    *,
    field_of_view: float | None = None,
    smooth: bool = True,
    contacts: Bool[np.ndarray, "frame person joint"] | None = None,
) -> Poses:
    """Move root-relative poses to where their keypoints say that they stand, in camera axes.

    Frames that tell nothing (fewer than four joints seen, joints on top of each other) get their
    place from those around them and are not ``seen``.

    Args:
        poses: Rooted, camera axes, with the keypoints that they were lifted from.
        camera: Its lens counts; ``poses.camera`` when left out, or else an assumed one.
        field_of_view: Of the image's longer side, degrees, where no camera is given.
        smooth: Whether to smooth the path (:func:`smooth_path`) or join frames by straight lines.
        contacts: Joints that stand still, which steadies a smoothed path.

    Raises:
        ModelError: If poses are in world axes, move through space already or have no keypoints,
            no frame tells where anybody is, or as :func:`choose_camera`.
    """
    check_axes(poses, "camera", "finding the root's path")
    fps, assumed = frame_rate(poses)
    camera, lens = choose_camera(poses, camera, field_of_view)
    placed = _place_everybody(poses, camera)
    told = np.zeros(poses.valid.shape, dtype=bool)
    paths = np.full((*told.shape, 3), np.nan)
    for person, one in enumerate(placed):
        told[:, person] = one.told
        feet = None if contacts is None else contacts[:, person]
        paths[:, person] = _path(one, poses.positions[:, person], fps, feet=feet, smooth=smooth)
    return poses.noting(
        *assumed,
        _note(poses, lens, told, np.isfinite(paths[..., 0])),
        positions=np.add(poses.positions, paths[:, :, None], out=np.empty_like(poses.positions)),
        rooted=False,
        seen=poses.seen & told[..., None],
        camera=camera,
    )


def choose_camera(
    poses: Poses, camera: Camera | None, field_of_view: float | None
) -> tuple[Camera, str]:
    """Take the given camera, the poses' own, or one of a field of view; and say which.

    Raises:
        ModelError: If its image has another size than the keypoints', or neither it nor the
            image's size is known.
        ShapeError: If the field of view is not from 1 to below 180 degrees.
    """
    size = None if poses.keypoints is None else poses.keypoints.image_size
    known = poses.camera if camera is None else camera
    if known is not None and size is not None and not _same_image(known.size, size):
        raise ModelError(
            f"the camera's image is {known.size[0]} x {known.size[1]} px, but the keypoints' "
            f"{size[0]} x {size[1]}: scale one to the other, its focal length and centre included"
        )
    if camera is not None:
        return camera, "the given camera's lens"
    if field_of_view is None and known is not None:
        return known, "the poses' own camera's lens"
    seen = known.size if known else size
    if seen is None:
        raise ModelError(
            "how far away people are follows from the lens, and neither a camera nor the image "
            "size is known: give camera= or the keypoints' image_size=, or trajectory=False"
        )
    degrees = FIELD_OF_VIEW if field_of_view is None else field_of_view
    made = assumed_camera(seen, field_of_view=degrees)
    if known is not None:
        made = replace(made, R=known.R, position=known.position)
    word = "an assumed" if field_of_view is None else "the given"
    return made, f"{word} field of view of {degrees:g}°"


def _same_image(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether sizes differ by a codec's padding at most: 1088 px recorded, 1080 px shown."""
    return all(abs(a - b) < PADDING for a, b in zip(one, other, strict=True))


def sightings(
    keypoints: Keypoints, skeleton: Skeleton, camera: Camera
) -> tuple[Float[np.ndarray, "frame person joint 2"], Float[np.ndarray, "frame person joint"]]:
    """Turn keypoints into rays of a skeleton's joints, and say how much each of them weighs.

    Returns:
        Rays, x and y at unit depth; weights, the confidence (less where the joint is derived
        from others), 0 where there is nothing.
    """
    mapping = joint_map(keypoints.skeleton, skeleton)
    bent = any((*camera.radial, *camera.tangential))
    with np.errstate(over="ignore", invalid="ignore"):  # far outside a distorted image
        rays = image_to_rays(mapping(keypoints.positions), camera, iterations=20 if bent else 0)
    confidence = mapping(keypoints.confidence[..., None])[..., 0]
    kind = np.array([{"exact": 1.0, "derived": DERIVED, "missing": 0.0}[k] for k in mapping.kinds])
    seen = np.isfinite(rays).all(axis=-1) & (np.abs(rays) < 10).all(axis=-1)
    return rays, np.where(seen, np.nan_to_num(confidence) * kind, 0.0)


def _add_differences(
    bands: Float[np.ndarray, "7 frame 3"],
    weights: Float[np.ndarray, " frame"],
    taps: tuple[float, ...],
) -> None:
    """Add ``weights`` times the squares of Σ taps[k] x[t + k] to a banded system."""
    for a, first in enumerate(taps):
        for b in range(a, len(taps)):
            bands[6 - 3 * (b - a), b : b + len(weights)] += (weights * first * taps[b])[:, None]


def _stretches(flags: np.ndarray, longest: float) -> list[tuple[int, int]]:
    """Find the stretches of flags, gaps of at most ``longest`` frames included."""
    found: list[tuple[int, int]] = []
    for start, end in runs(flags).tolist():
        if found and start - found[-1][1] <= longest:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _place_everybody(poses: Poses, camera: Camera) -> list[Placed]:
    """Place each person frame by frame, and refuse poses that tell nothing."""
    if not poses.rooted or poses.keypoints is None:
        why = "have no keypoints" if poses.rooted else "move through space already"
        raise ModelError(
            f"the root's path is found for root-relative poses with keypoints, but these {why}: "
            "give what the lifter returned, or trajectory=False"
        )
    found = [_place_block(poses, poses.keypoints, camera, part) for part in blocks(len(poses))]
    placed = [
        Placed(
            translation=np.concatenate([one.translation for one in person]),
            information=np.concatenate([one.information for one in person]),
            told=np.concatenate([one.told for one in person]),
        )
        for person in zip(*found, strict=True)
    ]
    if poses.valid.any() and not any(one.told.any() for one in placed):
        raise ModelError(
            f"nobody can be placed: no frame shows {FEWEST} joints of one person far enough apart "
            "to tell the distance; give trajectory=False to leave people in place"
        )
    return placed


def _place_block(poses: Poses, keypoints: Keypoints, camera: Camera, part: slice) -> list[Placed]:
    """Place each person in some frames."""
    here = replace(
        keypoints, positions=keypoints.positions[part], confidence=keypoints.confidence[part]
    )
    rays, weights = sightings(here, poses.skeleton, camera)
    weights = weights / np.maximum(np.nan_to_num(poses.sigma[part]) / TRUSTED, 1.0) ** 2
    return [
        place(poses.positions[part, person], rays[:, person], weights[:, person], camera.focal)
        for person in range(len(poses.people))
    ]


def _path(
    placed: Placed,
    positions: np.ndarray,
    fps: float,
    *,
    feet: np.ndarray | None,
    smooth: bool,
) -> Float[np.ndarray, "frame 3"]:
    """One person's path: smoothed where frames tell it, then straight between them.

    It is held before the first and after the last of them; NaN on visits that tell nothing.
    """
    path = placed.translation.copy()
    for start, end in _stretches(placed.told, BRIDGE * fps) if smooth else []:
        part = slice(start, end)
        still = None if feet is None else _still(positions[part], feet[part], fps)
        path[part] = smooth_path(_part(placed, part), fps, still=still)
    whole = np.full(path.shape, np.nan)
    for start, end in _stretches(np.isfinite(positions).all(axis=(-2, -1)), BRIDGE * fps):
        at = start + np.flatnonzero(np.isfinite(path[start:end, 0]))
        if at.size:
            visit = np.arange(start, end)
            whole[start:end] = np.stack([np.interp(visit, at, x) for x in path[at].T], axis=-1)
    return whole


def _part(placed: Placed, part: slice) -> Placed:
    return Placed(placed.translation[part], placed.information[part], placed.told[part])


def _still(
    positions: np.ndarray, feet: np.ndarray, fps: float
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step 3"]]:
    """Say how the root must move for the joints in contact to stay where they are."""
    ever = np.flatnonzero(feet.any(axis=0))
    feet = feet[:, ever]
    steps = np.diff(positions[:, ever].astype(np.float64), axis=0)
    both = feet[1:] & feet[:-1] & np.isfinite(steps).all(axis=-1)
    count = both.sum(axis=1)
    mean = np.where(both[..., None], steps, 0.0).sum(axis=1) / np.maximum(count, 1)[:, None]
    return count * (fps / STEADY) ** 2 / max(1.0, 2 * MEMORY * fps), -mean


def _note(poses: Poses, lens: str, told: np.ndarray, placed: np.ndarray) -> str:
    bridged = (poses.valid & placed & ~told).sum()
    lost = (poses.valid & ~placed).sum(axis=0)
    words = [f"The root's path follows from the keypoints and {lens}"]
    if bridged:
        words.append(f"in {bridged} frames from those around them")
    words += [
        f"person {name} cannot be placed in {count} frames, which are left empty"
        for name, count in zip(poses.people, lost, strict=True)
        if count
    ]
    return f"{'; '.join(words)}. The camera is taken to stand still."
