"""Lifted poses of a real person against four calibrated cameras.

    python benchmarks/wild.py --out runs/wild [--model open-pre-agg] [--reference blazepose-heavy]

Films: ``Demo_SinglePerson`` of the wheel pose2sim 0.10.49 (BSD-3-Clause), taken through pip
without its dependencies: 100 frames at 60 fps from four synchronized cameras, one person. The
reference is triangulated from BlazePose's keypoints in all four views; each view alone is then
lifted and compared with it: P-MPJPE over 12 joints (shoulders, elbows, wrists, hips, knees,
ankles), the mean over frames. The baseline is BlazePose's own 3D landmarks of the same view. Rows
marked *clip* use neighbouring frames, too: what ``graphlift lift`` does by default (sides mended,
smoothed, bones held, feet still), and for the baseline sides mended and the same smoothing.

The reference is made by a detector, too: what it does wrong in all four views alike is not seen,
and it is as blurred as its reprojection error says.
"""

import argparse
import itertools
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))
from get_films import PACKAGE, get_films

from graphlift.files import replacing
from graphlift.formats.calibration import read_cameras
from graphlift.formats.npz_members import read_arrays
from graphlift.geometry import align_similarity
from graphlift.lifting import Lifter
from graphlift.metrics import joint_errors
from graphlift.motion import mend_sides, savgol, to_world
from graphlift.motion.requirements import legs
from graphlift.sequences import frame_rate, keypoints_from
from graphlift.skeletons import MEDIAPIPE_33
from graphlift.video import load_detector, open_video, stream_people

JOINTS = tuple(
    f"{side}{joint}"
    for joint in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
    for side in "LR"
)
BONES = tuple(
    (JOINTS.index(a), JOINTS.index(b))
    for a, b in (
        *(("LShoulder", "RShoulder"), ("LHip", "RHip")),
        *((f"{s}Shoulder", f"{s}Hip") for s in "LR"),
        *((f"{s}Shoulder", f"{s}Elbow") for s in "LR"),
        *((f"{s}Elbow", f"{s}Wrist") for s in "LR"),
        *((f"{s}Hip", f"{s}Knee") for s in "LR"),
        *((f"{s}Knee", f"{s}Ankle") for s in "LR"),
    )
)
BASELINE = "BlazePose's own"
WHOLE = "clip"
COLOURS = ("black", "tab:orange", "tab:blue", "tab:green", "tab:red")

TRUST_THREE = 0.6
"""Three views replace four if their error is less than this part of the four's."""


def detect(path, cache, variant):
    """Keypoints of a video and BlazePose's own 3D landmarks, kept for the next time."""
    if not cache.exists():
        detector, video = load_detector(variant), open_video(path)
        missing = np.full((len(MEDIAPIPE_33), 3), np.nan)
        frames = [
            (seen.people[0].keypoints, seen.people[0].world) if seen.people else (missing,) * 2
            for seen in stream_people(video, detector)
        ]
        with replacing(cache) as beside, beside.open("wb") as file:
            np.savez(
                file,
                keypoints=np.array([keypoints for keypoints, _ in frames]),
                world=np.array([world for _, world in frames]),
                image_size=video.size,
                fps=video.fps,
            )
    stored = read_arrays(cache, max_bytes=1 << 30)
    keypoints = keypoints_from(
        stored["keypoints"],
        MEDIAPIPE_33,
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


def pick_joints(poses):
    """The compared joints of lifted poses: Human3.6M calls its ankles feet."""
    names = [
        name if name in poses.skeleton.joints else name.replace("Ankle", "Foot") for name in JOINTS
    ]
    return poses.positions[:, 0, poses.skeleton.index(*names)]


def score(predicted, reference):
    """P-MPJPE over frames that both have, mm; its deviation over frames; that of each joint."""
    both = np.isfinite(predicted).all(axis=(1, 2)) & np.isfinite(reference).all(axis=(1, 2))
    errors = 1000 * joint_errors(predicted[both], reference[both], alignment="similarity")
    return errors.mean(), errors.mean(axis=1).std(), errors.mean(axis=0), len(errors)


def lift_views(lifters, cameras, keypoints, world):
    """Every method's 12 joints for every camera (frame, joint, 3): the baselines, then lifters."""
    at = MEDIAPIPE_33.index(*JOINTS)
    made = {BASELINE: [each[:, at] for each in world]}
    made[f"{BASELINE}, {WHOLE}"] = [
        over_time(seen, each)[:, at] for seen, each in zip(keypoints, world, strict=True)
    ]
    for name, lift in lifters.items():
        pairs = zip(keypoints, cameras, strict=True)
        made[name] = [pick_joints(lift(seen, camera)) for seen, camera in pairs]
    return made


def print_table(made, reference):
    cameras = range(1, len(made[BASELINE]) + 1)
    print(f"\nP-MPJPE, mm (± between frames), {len(JOINTS)} joints: {', '.join(JOINTS)}\n")
    print(f"| {'':<21} |" + "".join(f" camera {k} |" for k in cameras) + " mean | frames |")
    print(f"|{'-' * 23}|" + "---:|" * (len(cameras) + 2))
    for name, views in made.items():
        scores = [score(view, reference) for view in views]
        cells = "".join(f" {mean:.1f} ± {spread:.0f} |" for mean, spread, _, _ in scores)
        mean, frames = np.mean([each[0] for each in scores]), sum(each[3] for each in scores)
        print(f"| {name:<21} |{cells} {mean:.1f} | {frames} |")
    print("\neach joint, mm, the mean over cameras")
    for name, views in made.items():
        errors = np.mean([score(view, reference)[2] for view in views], axis=0)
        cells = (f"{joint} {error:.0f}" for joint, error in zip(JOINTS, errors, strict=True))
        print(f"  {name:<21} {'  '.join(cells)}")


def print_upright(lifters, cameras, keypoints):
    """How far from the calibration's vertical gravity was found, before: the camera's own."""
    down = np.array([0.0, 0.0, -1.0])
    for name, lift in lifters.items():
        if not name.endswith(WHOLE):
            continue
        print(f"\n{name}: gravity off by (the camera's own vertical by), degrees")
        for k, (seen, camera) in enumerate(zip(keypoints, cameras, strict=True), start=1):
            truth, found = camera.R @ down, lift(seen, camera).camera.R @ down
            off = np.degrees(np.arccos([found @ truth, truth[1]]))
            print(f"  camera {k}: {off[0]:.1f} ({off[1]:.1f})")


def print_standing(lifters, cameras, keypoints):
    """How high the lower ankle is above the floor; that of a standing foot is at 0.08 m."""
    for name, lift in lifters.items():
        if not name.endswith(WHOLE):
            continue
        print(f"\n{name}: lower ankle above the floor, m: 5, 50 and 95 % of the frames; residual")
        for k, (seen, camera) in enumerate(zip(keypoints, cameras, strict=True), start=1):
            poses = lift(seen, camera)
            ankles = poses.positions[:, 0, legs(poses.skeleton)[:, 2], 2]
            low = np.nanquantile(ankles.min(axis=1), [0.05, 0.5, 0.95])
            said = next(note for note in poses.notes if "The floor lies" in note)
            said = said.partition("parts: ")[2]
            print(f"  camera {k}: {low[0]:.2f} {low[1]:.2f} {low[2]:.2f}; {said}")


def draw(path, made, reference, camera, *, view, frames):
    """A row a frame: the poses as the camera sees them, and from its side. No image is shown."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, rows = plt.subplots(len(frames), 2, figsize=(7.5, 4.2 * len(frames)), squeeze=False)
    for (front, side), frame in zip(rows, frames, strict=True):
        goal = (reference[frame] - reference[frame].mean(axis=0)) @ camera.R.T
        poses = {"reference": goal}
        poses |= {n: align_similarity(views[view][frame], goal) for n, views in made.items()}
        for (name, pose), colour in zip(poses.items(), COLOURS, strict=False):
            draw_bones(front, pose[:, [0, 1]] * [1, -1], colour, name)
            draw_bones(side, pose[:, [2, 1]] * [1, -1], colour, name)
        for plot, title in ((front, "as the camera sees it"), (side, "from the camera's right")):
            plot.set(title=title, aspect="equal", xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), xlabel="m")
        side.legend(loc="upper right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def draw_bones(plot, positions, colour, name=None):
    for k, (a, b) in enumerate(BONES):
        label = name if k == 0 else None
        plot.plot(*positions[[a, b]].T, color=colour, linewidth=2, label=label)


def over_time(keypoints, world):
    """What the clip as a whole does for a lifter, done to the baseline: sides, smoothing."""
    mended = mend_sides(keypoints)[1][:, 0]
    world = np.where(mended[:, None, None], world[:, MEDIAPIPE_33.mirror], world)
    return savgol(world, frame_rate(keypoints)[0])


def load_lifters(names):
    """Callables (keypoints, camera) -> poses, by name: frame by frame, and as `lift` does it."""
    lifters = {}
    for name in names:
        lifter = Lifter.load(name)
        lifters[name] = partial(lift_frames, lifter)
        lifters[f"{name}, {WHOLE}"] = partial(lift_clip, lifter)
    return lifters


def lift_frames(lifter, keypoints, camera):
    return lifter(keypoints, camera=camera)


def lift_clip(lifter, keypoints, camera):
    """What `graphlift lift` does by default, the camera's lens known and its place not."""
    lens = replace(camera, R=np.eye(3), position=np.zeros(3))
    return to_world(lifter(mend_sides(keypoints)[0], camera=lens))


def describe(reference, errors):
    median, most = np.nanmedian(errors), np.nanpercentile(errors, 90)
    print(f"reference: reprojection median {median:.1f} px, nine in ten below {most:.1f} px")
    for side in "LR":
        ends = [reference[:, JOINTS.index(f"{side}{joint}")] for joint in ("Hip", "Knee")]
        length = 1000 * np.linalg.norm(ends[0] - ends[1], axis=-1)
        print(f"  {side} thigh {np.nanmedian(length):.0f} ± {np.nanstd(length):.0f} mm")


def run(out, *, wheel=None, detector="blazepose", source=None, lifters=None, view=0):
    """The whole benchmark; returns what each method made of each view, and the reference."""
    calibration, videos = get_films(out / "films", wheel)
    cameras = list(read_cameras(calibration).values())

    def detect_all(variant):
        views = [detect(video, out / f"{video.stem}-{variant}.npz", variant) for video in videos]
        return zip(*views, strict=True)

    keypoints, world = detect_all(detector)
    views, _ = detect_all(source or detector)
    reference, errors = make_reference(cameras, views)
    describe(reference, errors)
    with replacing(out / "reference.npz") as beside, beside.open("wb") as file:
        np.savez(file, positions=reference, errors=errors, joints=JOINTS)
    made = lift_views(lifters or {}, cameras, keypoints, world)
    print_table(made, reference)
    print_upright(lifters or {}, cameras, keypoints)
    print_standing(lifters or {}, cameras, keypoints)
    figure = out / "wild.png"
    draw(figure, made, reference, cameras[view], view=view, frames=(25, 75))
    print(f"\nfigure: {figure}")
    return made, reference


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for films and detections")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, if it is here")
    parser.add_argument("--model", action="append", default=[], help="a model to lift with")
    parser.add_argument("--detector", default="blazepose", help="gives the keypoints to lift")
    parser.add_argument("--reference", help="gives those to triangulate; else the same")
    arguments = parser.parse_args()
    run(
        arguments.out,
        wheel=arguments.wheel,
        detector=arguments.detector,
        source=arguments.reference,
        lifters=load_lifters(arguments.model),
    )


if __name__ == "__main__":
    main()
