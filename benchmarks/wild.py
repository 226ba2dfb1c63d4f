"""Lifted poses of a real person against four calibrated cameras.

    python benchmarks/wild.py --out runs/wild --model open-base --model new=runs/new.onnx \\
        [--docs docs]

Films: ``Demo_SinglePerson`` of the wheel pose2sim 0.10.49 (BSD-3-Clause), taken through pip
without its dependencies: 100 frames at 60 fps from four synchronized cameras, one person. The
reference is triangulated from the keypoints of BlazePose's heavy model in all four views; each
view alone is then lifted from the keypoints of BlazePose (full) and of MoveNet, and compared with
it over 12 joints (shoulders, elbows, wrists, hips, knees, ankles). Beside them the reference's own
image is lifted, as by a detector without error. ``film`` has the parts that errors are taken into,
the directions, and what is hidden.

The reference is made by a detector, too: what it does wrong in all four views alike is not seen,
and it is as blurred as its reprojection error says.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))
from film.hiding import CUT, HIDDEN, hide, portrait, shown
from film.methods import CLIP, OWN, SMOOTHED, Made, Method, lift, load_models, make_all
from film.pictures import draw
from film.reference import SKELETONS, describe, detect, load_reference, project, seen_from
from film.tables import (
    HALVES,
    by_reference_table,
    cameras_table,
    directions_table,
    halves_table,
    p_mpjpe_table,
    parts_table,
    references_table,
    take_all_apart,
    turns_table,
    write_csv,
)
from get_films import PACKAGE, get_films
from pages import fill_pages, show, table

from graphlift.formats.calibration import read_cameras
from graphlift.motion.requirements import legs

DETECTORS = ("blazepose", "movenet")
REFERENCE = "blazepose-heavy"
EXACT = "reference's own"


@dataclass(frozen=True, eq=False)
class Film:
    """The films, and what detectors see in them.

    Args:
        cameras: One a view.
        seen: Detector -> of each view keypoints and the detector's own 3D.
        cut: The same of images that end at the waist.
        truths: The reference in each view.
        others: Name of a detector -> the same of a reference made of its keypoints.
        exact: The reference's own image in each view, as if a detector had found it.
        source: The detector that the reference is made of.
        words: How good the reference is.
    """

    cameras: list
    seen: dict
    cut: dict
    truths: list
    others: dict
    exact: list
    source: str
    words: str


def watch(out, detectors, source, wheel=None):
    """Films, detections and reference, from the folder if they are there."""
    calibration, videos = get_films(out / "films", wheel)
    cameras = list(read_cameras(calibration).values())

    def detect_all(variant):
        return [detect(video, out / f"{video.stem}-{variant}.npz", variant) for video in videos]

    def detect_cut(variant, views):
        found = []
        for video, (keypoints, _) in zip(videos, views, strict=True):
            box = portrait(keypoints)
            name = "-".join(map(str, (video.stem, variant, *box)))
            found.append(detect(video, out / f"{name}.npz", variant, box=box))
        return found

    def triangulate_all(variant, views):
        path = out / f"reference-{variant}.npz"
        return load_reference(path, cameras, [keypoints for keypoints, _ in views])

    seen = {variant: detect_all(variant) for variant in detectors}
    cut = {variant: detect_cut(variant, views) for variant, views in seen.items()
           if variant not in SKELETONS}  # fmt: skip  # MoveNet loses the person in such images
    reference, errors = triangulate_all(source, seen.get(source) or detect_all(source))
    others = {name: triangulate_all(name, seen[name])[0] for name in seen if name != source}
    exact = [project(reference, *each) for each in zip(cameras, seen[detectors[0]], strict=True)]
    return Film(
        cameras,
        seen,
        cut,
        [seen_from(camera, reference) for camera in cameras],
        {name: [seen_from(camera, each) for camera in cameras] for name, each in others.items()},
        exact,
        source,
        describe(reference, errors),
    )


def make_halves(film, lifters):
    """What is hidden -> method -> views made of half a body; and -> masks of what is seen."""
    made, masks = {}, {}
    for what in HIDDEN:
        half = {
            detector: [
                (hide(keypoints, what), np.full_like(own, np.nan)) for keypoints, own in views
            ]
            for detector, views in film.seen.items()
        }
        made[what] = make_all(lifters, film.cameras, film.cut if what == CUT else half, HALVES)
        masks[what] = {d: [shown(keypoints) for keypoints, _ in v] for d, v in half.items()}
    return made, masks


def gravity_table(lifters, film):
    """How far gravity, found from the motion, is off, and where the lower ankle is."""
    rows = []
    for detector, views in film.seen.items():
        for name, lifter in lifters.items():
            cells = []
            for (keypoints, _), camera, truth in zip(
                views, film.cameras, film.truths, strict=True
            ):
                poses = lift(lifter, keypoints, camera, CLIP)
                off = np.degrees(np.arccos(poses.camera.R[:, 2] @ truth.up))
                ankles = poses.positions[:, 0, legs(poses.skeleton)[:, 2], 2].min(axis=1)
                low, middle = np.nanquantile(ankles, [0.05, 0.5])
                cells.append(f"{off:.0f}°, {low:.2f} to {middle:.2f}")
            rows.append([detector, name, *cells])
    held = [np.degrees(np.arccos(-truth.up[1])) for truth in film.truths]
    rows.append(["–", "the camera's own vertical", *(f"{each:.0f}°" for each in held)])
    head = [f"camera {k + 1}" for k in range(len(film.cameras))]
    return table(["keypoints", "3D from", *head], rows, words=2)


def draw_models(path, made, film, models, *, detector, view):
    """The picture: the last two models on one clip, or BlazePose's own beside a single model."""
    methods = [Method(detector, model, CLIP) for model in models][-2:]
    if len(methods) < 2:
        methods.insert(0, Method(detector, OWN, SMOOTHED))
    chosen = {method.model: made[method][view] for method in methods if method in made}
    draw(path, chosen, film.truths[view], frames=(10, 35, 60, 85))
    print(f"\nfigure: {path}")


def compare(film, lifters):
    """What every method makes of every view, its errors taken apart, and the tables by name."""
    made = make_all(lifters, film.cameras, film.seen)
    halves, masks = make_halves(film, lifters)
    exact = make_all(lifters, film.cameras, {EXACT: film.exact}, HALVES)
    parts = take_all_apart(made | exact, film.truths)
    clips = {m: views for m, views in parts.items() if m.way == CLIP or m.smoothed_own}
    others, again = {}, {film.source: clips}
    for name, truths in film.others.items():
        method = Method("–", f"reference from {name}", CLIP)
        others[method] = [Made(truth.positions) for truth in truths]
        again[name] = take_all_apart({m: (made | exact)[m] for m in clips}, truths)
    tables = {
        "references": references_table(film.others, film.truths),
        "P-MPJPE": p_mpjpe_table(parts),
        "P-MPJPE by reference": by_reference_table(again),
        "parts of clips": parts_table(clips),
        "turns": turns_table(clips),
        "directions": directions_table(made | exact | others, film.truths),
        "halves": halves_table(made, halves, film.truths, masks),
        "gravity": gravity_table(lifters, film),
        "parts": parts_table({m: views for m, views in parts.items() if m not in clips}),
        "cameras": cameras_table(clips),
    }
    return made, parts, tables


def run(out, lifters, *, detectors=DETECTORS, source=REFERENCE, wheel=None, figure=None, view=0):
    """The whole benchmark; tables by name."""
    film = watch(out, detectors, source, wheel)
    print(film.words)
    made, parts, tables = compare(film, lifters)
    write_csv(out / "parts.csv", parts)
    show(tables)
    draw_models(figure or out / "wild.png", made, film, lifters, detector=detectors[0], view=view)
    return tables


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for films and detections")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, if it is here")
    for option, words in (
        ("--model", "a model to lift with: a name, an .onnx file, or LABEL=FILE; again for more"),
        ("--detector", "gives keypoints to lift; blazepose and movenet when left out"),
    ):
        parser.add_argument(option, action="append", default=[], help=words)
    parser.add_argument("--reference", default=REFERENCE, help="gives those to triangulate")
    parser.add_argument(
        "--docs", type=Path, help="a folder of pages whose tables and picture are replaced"
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    tables = run(
        arguments.out,
        load_models(arguments.model),
        detectors=tuple(arguments.detector or DETECTORS),
        source=arguments.reference,
        wheel=arguments.wheel,
        figure=arguments.docs and arguments.docs / "figures/wild.png",
    )
    if arguments.docs:
        fill_pages(arguments.docs, tables)


if __name__ == "__main__":
    main()
