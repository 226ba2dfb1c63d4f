"""What each method makes of each view: lifters, with and without a clip's steps, and BlazePose.

Four ways of each model: *frame by frame*, what the lifter returns; and three with sides mended and
bones held, as ``graphlift lift`` does it, once without its refinement (*smoothed*), once without
its smoothing (*refined*), and whole (*clip*). BlazePose's own 3D is taken as it is, and *smoothed*
with sides mended and the same filter.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from film.reference import DETECTED, POINTS
from graphlift.lifting import Lifter
from graphlift.motion import mend_sides, savgol, to_world
from graphlift.sequences import frame_rate
from graphlift.skeletons import MEDIAPIPE_33

OWN = "BlazePose's own 3D"
FRAMES, SMOOTHED, REFINED, CLIP = WAYS = ("frame by frame", "smoothed", "refined", "clip")
_OPTIONS = {SMOOTHED: {"refine": False}, REFINED: {"smooth": None}, CLIP: {}}


@dataclass(frozen=True, order=True)
class Method:
    """Which model lifts which detector's keypoints, and how.

    Args:
        detector: Name.
        model: Name.
        way: One of :data:`WAYS`.
    """

    detector: str
    model: str
    way: str

    @property
    def smoothed_own(self):
        """Whether it is what lifters of clips are compared with."""
        return (self.model, self.way) == (OWN, SMOOTHED)


@dataclass(frozen=True, eq=False)
class Made:
    """What a method made of one view.

    Args:
        points: Of :data:`film.reference.POINTS`, m, camera axes; NaN where the method has none.
        fronts: Of :data:`graphlift.sequences.FRONTS`, camera axes; None from models of 17 joints.
    """

    points: np.ndarray  # frame point 3
    fronts: np.ndarray | None = None


def load_models(names):
    """Lifters by label; a name is that of a shipped model, a path, or LABEL=PATH."""
    lifters = {}
    for name in names:
        label, given, path = name.partition("=")
        label = label if given else Path(name).stem if Path(name).is_file() else name
        if label in lifters:
            raise SystemExit(f"two models are called {label}: name one with LABEL={name}")
        lifters[label] = Lifter.load(path or name, threads=1)
    return lifters


def lift(lifter, keypoints, camera, way):
    """Poses of one view in one of the four ways; those that use the clip are in world axes."""
    if way == FRAMES:
        return lifter(keypoints, camera=camera)
    lens = replace(camera, R=np.eye(3), position=np.zeros(3))
    return to_world(lifter(mend_sides(keypoints)[0], camera=lens), **_OPTIONS[way])


def in_camera(poses):
    """Poses of one person in the camera's axes; where their origin is does not matter."""
    points = pick_points(poses.positions[:, 0], poses.skeleton)
    fronts = None if poses.fronts is None else poses.fronts[:, 0]
    if poses.axes == "world":
        points = points @ poses.camera.R.T
        fronts = None if fronts is None else fronts @ poses.camera.R.T
    return Made(points, fronts)


def pick_points(positions, skeleton):
    """The points by whatever name the skeleton has for them; NaN for what it lacks.

    Human3.6M calls its ankles feet, MediaPipe its big toes foot indices.
    """
    points = np.full((len(positions), len(POINTS), 3), np.nan)
    for place, name in enumerate(POINTS):
        for known in (name, DETECTED[name], name.replace("Ankle", "Foot")):
            if known in skeleton.joints:
                points[:, place] = positions[:, skeleton.joints.index(known)]
                break
    return points


def own_points(keypoints, world, way):
    """BlazePose's own 3D landmarks, camera axes."""
    if way == SMOOTHED:
        mended = mend_sides(keypoints)[1][:, 0]
        world = np.where(mended[:, None, None], world[:, MEDIAPIPE_33.mirror], world)
        world = savgol(world, frame_rate(keypoints)[0])
    return Made(pick_points(world, MEDIAPIPE_33))


def make_all(lifters, cameras, seen, ways=WAYS):
    """What every method makes of every view.

    Args:
        lifters: By name.
        cameras: One a view.
        seen: By detector: keypoints and the detector's own 3D of each view; NaN if it has none.
        ways: Which of :data:`WAYS`.

    Returns:
        Method -> one :class:`Made` a view.
    """
    made = {}
    for detector, views in seen.items():
        if np.isfinite(views[0][1]).any():
            for way in (FRAMES, SMOOTHED):
                made[Method(detector, OWN, way)] = [own_points(*view, way) for view in views]
        for name, lifter in lifters.items():
            for way in ways:
                made[Method(detector, name, way)] = [
                    in_camera(lift(lifter, keypoints, camera, way))
                    for (keypoints, _), camera in zip(views, cameras, strict=True)
                ]
    return made
