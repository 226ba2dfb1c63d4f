"""Lifted poses of a real person against four calibrated cameras.

    python benchmarks/wild.py --out runs/wild --model open-pre-agg --model new=runs/new.onnx \\
        [--docs docs/wild.md]

Films: ``Demo_SinglePerson`` of the wheel pose2sim 0.10.49 (BSD-3-Clause), taken through pip
without its dependencies: 100 frames at 60 fps from four synchronized cameras, one person. The
reference is triangulated from the keypoints of BlazePose's heavy model in all four views; each
view alone is then lifted from the keypoints of BlazePose (full) and of MoveNet, and compared with
it over 12 joints (shoulders, elbows, wrists, hips, knees, ankles). ``film`` has the parts that
errors are taken into, the directions, and what is hidden.

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
from film.methods import CLIP, OWN, SMOOTHED, Method, lift, load_models, make_all
from film.pictures import draw
from film.reference import SKELETONS, describe, detect, load_reference, make_reference, seen_from
from film.tables import (
    HALVES,
    cameras_table,
    directions_table,
    fill_page,
    halves_table,
    p_mpjpe_table,
    parts_table,
    references_table,
    take_all_apart,
    turns_table,
    write_csv,
)
from get_films import PACKAGE, get_films

from graphlift.formats.calibration import read_cameras
from graphlift.motion.requirements import legs

__all__ = ["make_reference", "run"]

DETECTORS = ("blazepose", "movenet")
REFERENCE = "blazepose-heavy"


@dataclass(frozen=True, eq=False)
class Film:
    """The films, and what detectors see in them.

    Args:
        cameras: One a view.
        seen: Detector -> of each view keypoints and the detector's own 3D.
        cut: The same of images that end at the waist.
        truths: The reference in each view.
        others: Name of a detector -> the same of a reference made of its keypoints.
        words: How good the reference is.
    """

    cameras: list
    seen: dict
    cut: dict
    truths: list
    others: dict
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
    return Film(
        cameras,
        seen,
        cut,
        [seen_from(camera, reference) for camera in cameras],
        {name: [seen_from(camera, each) for camera in cameras] for name, each in others.items()},
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


def print_upright(lifters, film):
    """How far from the calibration's vertical gravity was found, before: the camera's own; and how
    high the lower ankle is above the floor: that of a standing foot is at 0.08 m."""
    for detector, views in film.seen.items():
        for name, lifter in lifters.items():
            print(
                f"\n{detector} → {name}: gravity off by (the camera's own vertical by), degrees;\n"
                "lower ankle above the floor, m: 5, 50 and 95 % of the frames; residual"
            )
            pairs = zip(views, film.cameras, film.truths, strict=True)
            for k, ((keypoints, _), camera, truth) in enumerate(pairs, start=1):
                poses = lift(lifter, keypoints, camera, CLIP)
                cosines = poses.camera.R[:, 2] @ truth.up, -truth.up[1]
                off = np.degrees(np.arccos(cosines))
                ankles = poses.positions[:, 0, legs(poses.skeleton)[:, 2], 2]
                low = np.nanquantile(ankles.min(axis=1), [0.05, 0.5, 0.95])
                said = next(note for note in poses.notes if "The floor lies" in note)
                said = said.partition("parts: ")[2]
                heights = " ".join(f"{each:.2f}" for each in low)
                print(f"  camera {k}: {off[0]:.1f} ({off[1]:.1f}); {heights}; {said}")


def draw_models(path, made, film, models, *, detector, view):
    """The picture: two models on the same clip, or BlazePose's own beside a single one."""
    methods = [Method(detector, model, CLIP) for model in models][-2:]
    if len(methods) < 2:
        methods.insert(0, Method(detector, OWN, SMOOTHED))
    chosen = {method.model: made[method][view] for method in methods if method in made}
    draw(path, chosen, film.truths[view], frames=(10, 35, 60, 85))
    print(f"\nfigure: {path}")


def run(out, lifters, *, detectors=DETECTORS, source=REFERENCE, wheel=None, view=0):
    """The whole benchmark; tables by name."""
    film = watch(out, detectors, source, wheel)
    print(film.words)
    made = make_all(lifters, film.cameras, film.seen)
    parts = take_all_apart(made, film.truths)
    write_csv(out / "parts.csv", parts)
    halves, masks = make_halves(film, lifters)
    tables = {
        "references": references_table(film.others, film.truths),
        "P-MPJPE": p_mpjpe_table(parts),
        "parts": parts_table(parts),
        "turns": turns_table(parts),
        "cameras": cameras_table(parts),
        "directions": directions_table(made, film.truths),
        "halves": halves_table(made, halves, film.truths, masks),
    }
    for name, text in tables.items():
        print(f"\n{name}\n\n{text}")
    print_upright(lifters, film)
    draw_models(out / "wild.png", made, film, lifters, detector=detectors[0], view=view)
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
    parser.add_argument("--docs", type=Path, help="a page whose tables are replaced")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    tables = run(
        arguments.out,
        load_models(arguments.model),
        detectors=tuple(arguments.detector or DETECTORS),
        source=arguments.reference,
        wheel=arguments.wheel,
    )
    if arguments.docs:
        fill_page(arguments.docs, tables)


if __name__ == "__main__":
    main()
