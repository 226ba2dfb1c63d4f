"""Training people varied anew for every step, as the four cameras of the open protocol see them.

The protocol itself trains on recorded frames. Here the same people are of other sizes, turned
about the vertical, mirrored, with another's upper body, and a simulated detector errs anew each
time (:class:`graphlift.samples.augment.Augmentation`). They stand where they were recorded, but
for a mirrored person, who stands mirrored, and a larger one, who stands farther out: places in the
image, too, are the protocol's. All frames are drawn from, not only every third.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.cameras import NEAREST, Camera, camera_to_image, image_to_screen, world_to_camera
from graphlift.datasets import MotionCapture
from graphlift.errors import FormatError
from graphlift.geometry import turn_about_z
from graphlift.samples.augment import vary_bodies
from graphlift.samples.batches import Batches, Place, always_new
from graphlift.samples.random_views import kept_frames
from graphlift.samples.samples import Selection, activity_weights
from graphlift.simulated_detector import Detections, detect, occluded
from graphlift.skeletons import H36M_16, H36M_17, Skeleton, joint_map

KEPT = joint_map(H36M_17, H36M_16)


def rig_batches(
    capture: MotionCapture, rig: Sequence[Camera], chosen: Selection, place: Place, *, stride: int
) -> Batches:
    """Draw people, vary them, and see each through one camera of a rig, a few batches at a time.

    Args:
        capture: The people; capture errors are left out.
        rig: The cameras.
        chosen: How people vary (``augmentation``), the detector, the size of batches, the seed.
        place: Moves an array to the network's device.
        stride: Of the frames that count; an epoch is as long as one of the protocol.

    Raises:
        FormatError: If a varied person is behind a camera.
    """
    kept = kept_frames(capture, stride=1, drop_fast=True)
    positions = np.concatenate([c.positions[k] for c, k in zip(capture.clips, kept, strict=True)])
    weights = activity_weights(
        np.repeat([clip.activity for clip in capture.clips], [len(k) for k in kept])
    )

    def make(seed: tuple[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(weights), size=count, p=weights)
        return varied_views(positions, rows, rig, chosen, rng)

    count = len(rig) * -(-len(positions) // stride)
    return always_new(count, make, place, size=chosen.size, seed=chosen.seed)


def varied_views(
    positions: Float[np.ndarray, "other joint 3"],
    rows: Int[np.ndarray, " frame"],
    rig: Sequence[Camera],
    chosen: Selection,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "frame joint 2"], Float[np.ndarray, "frame joint 3"]]:
    """Vary people where they stand, and let a camera and a detector see each.

    Returns:
        Screen-normalised keypoints, and root-relative positions, m, camera axes: 16 joints,
        float32.
    """
    bodies = vary_bodies(positions, rows, chosen.augmentation, rng)
    foot = bodies[:, [H36M_17.root]] * [1.0, 1.0, 0.0]
    bodies = foot + turn_about_z(bodies - foot, rng.uniform(0, 2 * np.pi, len(bodies)))
    bodies = KEPT(bodies)
    inputs = np.empty((len(rows), len(H36M_16), 2), np.float32)
    targets = np.empty((len(rows), len(H36M_16), 3), np.float32)
    number = rng.integers(len(rig), size=len(rows))
    for each, camera in enumerate(rig):
        at = np.flatnonzero(number == each)
        seen = world_to_camera(bodies[at], camera)
        if (seen[..., 2] <= NEAREST).any():
            raise FormatError(
                "a person of training, varied, is behind a camera of the open protocol, which "
                "must see every joint: lower views.size and views.bones, or move the clip to the "
                "centre of the capture"
            )
        exact = chosen.detections == "gt"  # then nothing depends on what is hidden
        hidden = np.zeros(seen.shape[:2], bool) if exact else occluded(seen, H36M_16)
        view = view_of(
            seen, hidden, camera, H36M_16, chosen.detections, seed=int(rng.integers(2**62))
        )
        inputs[at], targets[at] = view["inputs"], view["targets"]
    return inputs, targets


def view_of(
    positions: Float[np.ndarray, "frame joint 3"],
    hidden: Bool[np.ndarray, "frame joint"],
    camera: Camera,
    skeleton: Skeleton,
    detections: Detections,
    *,
    seed: int | Sequence[int],
) -> dict[str, np.ndarray]:
    """Give what one camera adds to samples, float32, by the names of their fields.

    Args:
        positions: m, axes of the camera.
        hidden: Which joints another limb hides from it.
        camera: Its intrinsics count.
        skeleton: Of the positions.
        detections: Which detector.
        seed: Of a simulated one.
    """
    truth = camera_to_image(positions, camera)
    seen = detect(truth, hidden, skeleton, detections=detections, seed=seed)
    floats = {
        "keypoints": seen.keypoints,
        "inputs": image_to_screen(seen.keypoints, camera.size),
        "targets": positions - positions[:, [skeleton.root]],
        "noise": seen.error,
    }
    return {name: array.astype(np.float32) for name, array in floats.items()}
