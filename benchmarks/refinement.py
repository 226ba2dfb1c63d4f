"""What refinement of whole clips does to the error, on motion-capture truth.

    python benchmarks/refinement.py --data DIR [--model open-base] [--part validation]
                                    [--cameras 1] [--every 1] [--docs docs/refinement.md]

DIR holds cmu.npz and splits.json. Every clip is seen as a whole by one camera like Human3.6M's
(graphlift.samples.random_views.H36M_LIKE_RIG; further away where people walk out of the image),
and lifted. Strata:

* *plain*: the pack's people and joints, the true lens;
* *bodies*: every person 5 % larger or smaller, every bone 4 % (standard deviations), left and
  right alike;
* *shifted*: another definition of joints, in keypoints and truth alike: thorax, neck, head,
  shoulders and hips are moved by 20 to 60 mm, constant in the axes of pelvis or chest, one draw a
  clip, left and right mirrored, the root midway between the hips;
* *coco*: keypoints are COCO's 17, truth is not: nose, eyes and ears stand for neck and head;
* *lens*: the lens is not known: 55° are assumed in place of 47°.

Each with exact keypoints and with noise of CPN's level whose errors last
(graphlift.detector_noise); in half of the clips all confidences are 1.
What is chosen is chosen with --part validation. Intervals are 95 % of bootstrap means over clips.
"""

import argparse
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pages import add_docs, show, table
from simulated_lifter import draw_aimed

from graphlift import motion
from graphlift.cameras import FIELD_OF_VIEW, camera_to_image, world_to_camera
from graphlift.datasets.mocap.pack import read_pack
from graphlift.detector_noise import simulate_clip
from graphlift.geometry import align_similarity, bone_vectors, chain_bones, unit_vectors
from graphlift.lifting import Lifter
from graphlift.motion.refinement import refine
from graphlift.samples.random_views import H36M_LIKE_RIG
from graphlift.scoring.sigma import sigma_coverage
from graphlift.sequences import Poses, keypoints_from
from graphlift.simulated_detector import occluded
from graphlift.skeletons import COCO_17, H36M_17

STRATA = {
    "plain": "as in the pack",
    "bodies": "other bodies",
    "shifted": "joints defined otherwise",
    "coco": "COCO's keypoints",
    "lens": "lens not known",
}
"""And what tables call them."""
HEAD_KEEP = 0.98
"""Share of itself that a head's turn to the side, 25° (standard deviation), keeps from frame to
frame."""
STEPS = (
    ("lifted", lambda poses: poses),
    ("smoothed", motion.smooth),
    ("smoothed, bones held", lambda poses: motion.hold_bones(motion.smooth(poses))),
)
"""With refinement and without, as :func:`graphlift.motion.to_world` composes them."""
IN_DOCS = 1
"""Which of them docs/refinement.md shows."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A clip as a camera sees it: what a lifter said, and what is true, root-relative, m."""

    stratum: str
    noise: str
    lifted: Poses
    truth: np.ndarray


def axes(across, up):
    """Rows: to the left, backward, up."""
    x = unit_vectors(across)
    z = unit_vectors(up - (up * x).sum(axis=-1, keepdims=True) * x)
    return np.stack([x, np.cross(z, x), z], axis=-2)


def place(world, name):
    return world[:, H36M_17.joints.index(name)]


def body_axes(world):
    """Axes of pelvis and chest."""
    hip = place(world, "Hip")
    return (
        axes(place(world, "LHip") - place(world, "RHip"), place(world, "Spine") - hip),
        axes(place(world, "LShoulder") - place(world, "RShoulder"), place(world, "Thorax") - hip),
    )


def shift(world, rng):
    """Move joints to another definition of them, by 20 to 60 mm."""
    pelvis, chest = body_axes(world)
    moved = world.copy()

    def draw():
        return unit_vectors(rng.standard_normal(3)) * rng.uniform(0.02, 0.06)

    for name in ("Thorax", "Neck/Nose", "Head"):
        place(moved, name)[:] += draw() @ chest
    for name, part in (("Shoulder", chest), ("Hip", pelvis)):
        offset = draw()
        place(moved, f"L{name}")[:] += offset @ part
        place(moved, f"R{name}")[:] += (offset * [-1, 1, 1]) @ part
    place(moved, "Hip")[:] = (place(moved, "LHip") + place(moved, "RHip")) / 2
    return moved


def vary(world, rng):
    """Give the person another body, in the same pose, above the same place."""
    bones = 1 + 0.04 * rng.standard_normal(len(H36M_17))
    left = H36M_17.mirror > np.arange(len(H36M_17))
    bones[left] = bones[H36M_17.mirror[left]]
    vectors = bone_vectors(world, H36M_17.parents)
    vectors[:, H36M_17.root] = 0
    vectors *= (bones * (1 + 0.05 * rng.standard_normal()))[:, None]
    return world[:, :1] + chain_bones(vectors, H36M_17.parents, H36M_17.order)


def head_turns(rng, frames):
    """Angles by which a head is turned to the side, rad."""
    values = rng.standard_normal(frames)
    for frame in range(1, frames):
        values[frame] = HEAD_KEEP * values[frame - 1] + np.sqrt(1 - HEAD_KEEP**2) * values[frame]
    return np.deg2rad(25) * values


def coco_points(world, rng):
    """Put COCO's keypoints on a body: nose, eyes and ears about a head that turns."""
    head = place(world, "Head")
    chest = axes(
        place(world, "LShoulder") - place(world, "RShoulder"), head - place(world, "Neck/Nose")
    )
    turn = head_turns(rng, len(world))
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    front, up = sin * chest[:, 0] - cos * chest[:, 1], chest[:, 2]
    left = cos * chest[:, 0] + sin * chest[:, 1]
    face = [
        head + 0.10 * front - 0.03 * up,
        *(head + side * 0.03 * left + 0.085 * front for side in (1, -1)),
        *(head + side * 0.075 * left for side in (1, -1)),
    ]
    names = ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Foot")
    return np.stack([*face, *(place(world, s + n) for n in names for s in "LR")], axis=1)


def draw_camera(world, rng):
    """Draw cameras, further and further away, until one sees nearly all of a clip."""
    ground = world[:, 0, :2]
    middle = (ground.min(axis=0) + ground.max(axis=0)) / 2
    for trial in range(600):
        far = tuple(d * 1.02 ** (trial // 10) for d in H36M_LIKE_RIG.distance)
        camera = draw_aimed(rng, replace(H36M_LIKE_RIG, distance=far), middle)
        positions = world_to_camera(world, camera)
        image = camera_to_image(positions, camera)
        inside = ((image > 0) & (image < camera.size)).all(axis=-1).mean()
        if positions[..., 2].min() > 1 and inside > 0.98:
            return camera
    raise SystemExit("no camera sees this clip as a whole")


def detected(world, camera, stratum, noise, fps, rng):
    """Keypoints of a clip, in px, with confidences, and in which skeleton; NaN where lost."""
    positions = world_to_camera(world, camera)
    px = camera_to_image(positions, camera)
    seen, confidence = px, np.ones(px.shape[:2])
    if noise == "noisy":
        hidden, seed = occluded(positions, H36M_17), int(rng.integers(2**62))
        found = simulate_clip(px, hidden, H36M_17, fps=fps, level=1, seed=seed)
        sure = rng.random() < 0.5
        seen = found.keypoints
        confidence = (found.confidence > 0).astype(float) if sure else found.confidence
    if stratum != "coco":
        return seen, confidence, H36M_17
    # Every point of COCO errs like the joint beside it.
    beside = [*["Head"] * 5, *(s + n for n in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Foot")
                               for s in "LR")]  # fmt: skip
    at = H36M_17.index(*beside)
    exact = camera_to_image(world_to_camera(coco_points(world, rng), camera), camera)
    return exact + (seen - px)[:, at], confidence[:, at], COCO_17


def look(clip, seed, lifter) -> Iterator[Seen]:
    """See and lift a clip in every stratum, always by the same camera."""

    def rng(*more):
        return np.random.default_rng([seed, zlib.crc32(clip.name.encode()), *more])

    world = clip.positions.astype(float)
    camera = draw_camera(world, rng(0))
    lens = replace(camera, R=np.eye(3), position=np.zeros(3))
    for stratum in STRATA:
        change = {"bodies": vary, "shifted": shift}.get(stratum)
        people = world if change is None else change(world, rng(1))
        truth = world_to_camera(people, camera)
        for noise in ("exact", "noisy"):
            px, confidence, skeleton = detected(people, camera, stratum, noise, clip.fps, rng(2))
            keypoints = keypoints_from(
                px, skeleton, confidence=confidence, image_size=camera.size, fps=clip.fps
            )
            known = {"field_of_view": FIELD_OF_VIEW} if stratum == "lens" else {"camera": lens}
            yield Seen(stratum, noise, lifter(keypoints, **known), truth - truth[:, :1])


def errors(poses, truth):
    """MPJPE and P-MPJPE of a clip, mm."""
    count = len(H36M_17)  # the first of 28
    found = poses.positions[:, 0, :count] - poses.positions[:, 0, :1]
    pairs = ((found, truth), (align_similarity(found, truth), truth))
    return [1000 * np.linalg.norm(a - b, axis=-1).mean() for a, b in pairs]


def covered(poses, truth):
    """Per cent of joints within the 50, 80 and 95 % balls of sigma."""
    count = len(H36M_17)
    own = poses.positions[:, 0, :count], truth, poses.sigma[:, 0, :count]
    return list(sigma_coverage(*own).values())


def interval(values, weights, rng, draws=2000):
    """Bootstrap means over clips, each as heavy as it has frames: 2.5 and 97.5 %."""
    chosen = rng.integers(len(values), size=(draws, len(values)))
    means = (values * weights)[chosen].sum(axis=1) / weights[chosen].sum(axis=1)
    return np.percentile(means, [2.5, 97.5])


def measure(seen):
    """Errors of one clip without and with refinement, after each step, and coverage of sigma."""
    refined = refine(seen.lifted)
    rows = [
        [*errors(step(seen.lifted), seen.truth), *errors(step(refined), seen.truth)]
        for _, step in STEPS
    ]
    return np.array(rows), np.array([covered(p, seen.truth) for p in (seen.lifted, refined)])


def changes(results, step):
    """What refinement changes after one of STEPS, mm: before, after, the change's interval."""
    rows = []
    for (stratum, noise), clips in results.items():
        weights = np.array([frames for frames, *_ in clips], dtype=float)
        errors = np.stack([errors[step] for _, errors, _ in clips])
        mean = (errors * weights[:, None]).sum(axis=0) / weights.sum()
        cells = []
        for kind in (0, 1):
            change = errors[:, 2 + kind] - errors[:, kind]
            low, high = interval(change, weights, np.random.default_rng(0))
            gain = mean[2 + kind] - mean[kind]
            cells += [f"{mean[kind]:.1f}", f"{mean[2 + kind]:.1f}",
                      f"{gain:+.1f} ({low:+.1f} to {high:+.1f})"]  # fmt: skip
        rows.append([STRATA[stratum], noise, *cells])
    head = ["", "keypoints", "MPJPE: before", "after", "change", "P-MPJPE: before", "after"]
    return table([*head, "change"], rows, words=2)


def coverage(results):
    """Per cent of joints within the 50, 80 and 95 % balls of sigma, lifted and refined."""
    rows = []
    for (stratum, noise), clips in results.items():
        weights = np.array([frames for frames, *_ in clips], dtype=float)
        mean = np.average(np.stack([covers for *_, covers in clips]), axis=0, weights=weights)
        rows.append([STRATA[stratum], noise, *("/".join(f"{v:.0f}" for v in row) for row in mean)])
    return table(["", "keypoints", "lifted", "refined"], rows, words=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="with cmu.npz and splits.json")
    parser.add_argument("--model", default="open-base", help="a lifter's name or file")
    parser.add_argument("--part", default="validation", choices=("validation", "test"))
    parser.add_argument("--cameras", type=int, default=1, help="cameras a clip")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th clip")
    add_docs(parser)
    options = parser.parse_args()
    people = json.loads((options.data / "splits.json").read_text())["cmu"][options.part]
    clips = read_pack(options.data / "cmu.npz").of(people).clips[:: options.every]
    lifter, results = Lifter.load(options.model), {}
    for seed in range(options.cameras):
        for clip in clips:
            for seen in look(clip, seed, lifter):
                row = (len(seen.truth), *measure(seen))
                results.setdefault((seen.stratum, seen.noise), []).append(row)
    frames = sum(len(clip.positions) for clip in clips)
    print(f"{options.model}; {len(clips)} clips of {options.part} people, {frames:,} frames, "
          f"{options.cameras} camera(s) a clip")  # fmt: skip
    others = {name: changes(results, k) for k, (name, _) in enumerate(STEPS) if k != IN_DOCS}
    show({f"refinement, {name}": text for name, text in others.items()})
    tables = {"refinement": changes(results, IN_DOCS), "sigma of refinement": coverage(results)}
    show(tables, options.docs)


if __name__ == "__main__":
    main()
