"""The reference: one person's joints, triangulated from a detector's keypoints in four views."""

import itertools
from dataclasses import dataclass

import numpy as np

from graphlift.cameras import Camera, camera_to_image, world_to_camera
from graphlift.files import replacing
from graphlift.formats.npz_members import read_arrays
from graphlift.geometry import unit_vectors
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17, MEDIAPIPE_33
from graphlift.video import load_detector, open_video

JOINTS = tuple(
    f"{side}{joint}"
    for joint in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
    for side in "LR"
)
POINTS = (*JOINTS, "Nose", "LEar", "REar", "LHeel", "RHeel", "LBigToe", "RBigToe")
"""The compared joints, then those that directions are made of."""
DETECTED = {name: name.replace("BigToe", "FootIndex") for name in POINTS}
"""The names that MediaPipe has for them."""
SKELETONS = {"movenet": COCO_17}
"""Of detectors that have other joints than MediaPipe's."""

TRUST_THREE = 0.6
"""Three views replace four if their error is less than this part of the four's."""


def detect(path, cache, variant, *, box=(0, None, None)):
    """Keypoints of a video and BlazePose's own 3D landmarks, kept for the next time.

    Args:
        path: Of the video.
        cache: File for what is found.
        variant: The detector's name.
        box: The part of the image that the detector is shown, px: left, right, bottom.
    """
    skeleton = SKELETONS.get(variant, MEDIAPIPE_33)
    if not cache.exists():
        detector, video = load_detector(variant), open_video(path)
        left, right, bottom = box
        images = (image[:bottom, left:right] for image in video.frames())
        missing = np.full((len(skeleton), 3), np.nan)
        found, world = [], []
        for _, people in detector.watch(images):
            found.append(people[0].keypoints if people else missing)
            own = people[0].world if people else None
            world.append(missing if own is None else own)
        with replacing(cache) as beside, beside.open("wb") as file:
            np.savez(
                file,
                keypoints=np.array(found) + np.array([left, 0, 0]),
                world=np.array(world),
                image_size=video.size,
                fps=video.fps,
            )
    stored = read_arrays(cache, max_bytes=1 << 30)
    keypoints = keypoints_from(
        stored["keypoints"],
        skeleton,
        image_size=tuple(stored["image_size"].tolist()),
        fps=float(stored["fps"]),
        source=path.name,
    )
    return keypoints, stored["world"]


def opencv(camera):
    """A camera as OpenCV takes it: matrix, distortion, rotation vector, translation."""
    import cv2

    (fx, fy), (cx, cy) = camera.focal, camera.centre
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    D = np.array([*camera.radial[:2], *camera.tangential, camera.radial[2]])
    return K, D, cv2.Rodrigues(camera.R)[0], -camera.R @ camera.position


def triangulate(cameras, views):
    """World position of one joint seen in several views, and the mean reprojection error, px.

    The direct linear transform on undistorted rays. Source: Hartley and Zisserman, "Multiple View
    Geometry", 2nd ed., 12.2.
    """
    import cv2

    rows = []
    for camera, view in zip(cameras, views, strict=True):
        K, D, _, t = opencv(camera)
        x, y = cv2.undistortPoints(view.reshape(1, 1, 2), K, D).ravel()
        P = np.column_stack([camera.R, t])
        rows += [x * P[2] - P[0], y * P[2] - P[1]]
    *point, scale = np.linalg.svd(np.array(rows))[2][-1]
    position = np.array(point) / scale
    errors = []
    for camera, view in zip(cameras, views, strict=True):
        K, D, r, t = opencv(camera)
        seen = cv2.projectPoints(position.reshape(1, 3), r, t, K, D)[0].ravel()
        errors.append(np.hypot(*(seen - view)))
    return position, float(np.mean(errors))


def make_reference(cameras, keypoints, joints=JOINTS):
    """Reference (frame, joint, 3), m, world, and its reprojection errors (frame, joint), px."""
    at = keypoints[0].skeleton.index(*joints)
    views = np.stack([each.positions[:, 0, at] for each in keypoints], axis=2)
    frames, joints = views.shape[:2]
    positions, errors = np.full((frames, joints, 3), np.nan), np.full((frames, joints), np.nan)
    for frame, joint in np.ndindex(frames, joints):
        seen = views[frame, joint]
        if not np.isfinite(seen).all():
            continue
        best = triangulate(cameras, seen)
        for three in itertools.combinations(range(len(cameras)), 3):
            tried = triangulate([cameras[k] for k in three], seen[list(three)])
            if tried[1] < TRUST_THREE * best[1]:
                best = tried
        positions[frame, joint], errors[frame, joint] = best
    return positions, errors


def load_reference(cache, cameras, keypoints):
    """As :func:`make_reference` for :data:`POINTS`, kept for the next time.

    A point that the detector does not have is NaN.
    """
    if not cache.exists():
        known = [k for k, name in enumerate(DETECTED.values())
                 if name in keypoints[0].skeleton.joints]  # fmt: skip
        names = tuple(DETECTED[POINTS[k]] for k in known)
        positions = np.full((len(keypoints[0]), len(POINTS), 3), np.nan)
        errors = np.full(positions.shape[:2], np.nan)
        positions[:, known], errors[:, known] = make_reference(cameras, keypoints, names)
        with replacing(cache) as beside, beside.open("wb") as file:
            np.savez(file, positions=positions, errors=errors, joints=POINTS)
    stored = read_arrays(cache, max_bytes=1 << 30)
    return stored["positions"], stored["errors"]


@dataclass(frozen=True, eq=False)
class Truth:
    """The reference as one camera has it.

    Args:
        positions: Of :data:`POINTS`, m, camera axes.
        rays: Unit vectors from the camera to them.
        up: Unit vector against gravity, camera axes, of the calibration.
    """

    positions: np.ndarray  # frame point 3
    rays: np.ndarray  # frame point 3
    up: np.ndarray  # 3

    @property
    def joints(self):
        """The compared ones: (frame, 12, 3)."""
        return self.positions[:, : len(JOINTS)]


def seen_from(camera: Camera, reference):
    """The reference in a camera's axes."""
    positions = world_to_camera(reference, camera)
    return Truth(positions, unit_vectors(positions), camera.R[:, 2])


def project(reference, camera, like):
    """The reference's image in a camera, as :func:`detect` gives what a detector found.

    Args:
        reference: (frame, point, 3), m, world.
        camera: The camera.
        like: What a detector found in the same film: its frame rate and image size are taken.
    """
    positions = np.full((len(reference), 1, len(MEDIAPIPE_33), 2), np.nan)
    at = MEDIAPIPE_33.index(*DETECTED.values())
    positions[:, 0, at] = camera_to_image(world_to_camera(reference, camera), camera)
    size, fps = like[0].image_size, like[0].fps
    keypoints = keypoints_from(positions, MEDIAPIPE_33, image_size=size, fps=fps, source="exact")
    return keypoints, np.full((*positions.shape[::2], 3), np.nan)


def describe(reference, errors):
    """How good the reference is: reprojection, px, and how constant its thighs are, in words."""
    body = errors[:, : len(JOINTS)]
    median, most = np.nanmedian(body), np.nanpercentile(body, 90)
    found = [f"Reprojection: median {median:.1f} px, nine in ten below {most:.1f} px"]
    others = [
        f"{name} {np.nanmedian(column):.1f}"
        for name, column in zip(POINTS[len(JOINTS) :], errors[:, len(JOINTS) :].T, strict=True)
        if np.isfinite(column).any()
    ]
    found.append(", ".join(others))
    thighs = []
    for side in "LR":
        ends = [reference[:, JOINTS.index(f"{side}{joint}")] for joint in ("Hip", "Knee")]
        length = 1000 * np.linalg.norm(ends[0] - ends[1], axis=-1)
        thighs.append(f"{side} {np.nanmedian(length):.0f} ± {np.nanstd(length):.0f} mm")
    return "; ".join((*filter(None, found), f"thighs {', '.join(thighs)}"))
