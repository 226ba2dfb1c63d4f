"""Fit the times of simulated detections of clips to what two detectors do on films of one person.

    python recipes/fit_detector_noise.py --out runs/noise [--wheel WHEEL]

Films, calibration and reference are those of ``benchmarks/wild.py``: one person, 100 frames at 60
fps, four synchronized cameras; the reference is triangulated from BlazePose's heavy model in all
four. Measured are the errors of BlazePose (full) and of MoveNet in each view, as px for a person
of :data:`graphlift.simulated_detector.REFERENCE_SIZE`. Cameras 1 and 2 are fitted; 3 and 4 are
printed beside. The face is pixelated in the films: its figures are printed, and not used.

The reference errs, too. Three estimates of one position, BlazePose's, MoveNet's and the
reference's, give the autocovariance of each one's own error, if the three errors are independent:
half of what the two differences that it is in have, less half of the third's. What the two
detectors do wrong alike counts as the reference's error. Source: Gray and Allan, "A method for
estimating the frequency stability of an individual oscillator", 1974 (the three-cornered hat).
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from detector_errors import (
    BODY,
    FACE,
    FEET,
    all_runs,
    autocovariance,
    burst_correlation,
    centred_correlation,
    chain_seconds,
    compare,
    fit_decay,
    fit_jitter,
    join,
    measure_jitter,
    neighbours,
    runs,
    simulate_errors,
    tail_index,
    three_cornered,
)
from film.reference import make_reference
from get_films import PACKAGE, get_films

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.detector_noise import jitter_correlation
from graphlift.files import replacing
from graphlift.formats.calibration import read_cameras
from graphlift.formats.npz_members import read_arrays
from graphlift.sequences import keypoints_from
from graphlift.simulated_detector import REFERENCE_SIZE, person_size
from graphlift.skeletons import COCO_17, MEDIAPIPE_33
from graphlift.video import load_detector, open_video, stream_people

JOINTS = (*BODY, *FACE, *FEET)
SKELETONS = {"blazepose": MEDIAPIPE_33, "movenet": COCO_17, "blazepose-heavy": MEDIAPIPE_33}
COMPARED = {"blazepose": JOINTS, "movenet": (*BODY, *FACE)}
UNSURE = {"blazepose": 0.5, "movenet": 0.2}
"""Confidence below which a joint counts as lost."""
REFERENCE, FITTED, BESIDE = "blazepose-heavy", (0, 1), (2, 3)
LAGS = (1, 2, 5, 10, 20)
BURST_LAGS = (2, 3, 5, 7, 10)
APART = 0.1
"""s; swaps with less between them are one episode."""


def detect(path, cache, name):
    """Keypoints of one person in a video, kept for the next time."""
    skeleton = SKELETONS[name]
    if not cache.exists():
        missing = np.full((len(skeleton), 3), np.nan)
        frames = [
            seen.people[0].keypoints if seen.people else missing
            for seen in stream_people(open_video(path), load_detector(name, threads=1))
        ]
        with replacing(cache) as beside, beside.open("wb") as file:
            np.savez(file, keypoints=np.array(frames))
    return keypoints_from(read_arrays(cache, max_bytes=1 << 30)["keypoints"], skeleton)


def compare_view(keypoints, reference, name):
    at = keypoints.skeleton.index(*COMPARED[name])
    confidence = keypoints.confidence[:, 0, at]
    return compare(keypoints.positions[:, 0, at], confidence, reference, COMPARED[name])


def print_row(label, cells):
    print(f"| {label:<30} |" + "".join(f" {cell} |" for cell in cells))


def print_head(label, columns):
    print(f"\n| {label:<30} |" + "".join(f" {column} |" for column in columns))
    print(f"|{'-' * 32}|" + "---:|" * len(columns))


def decimals(values):
    return [f"{value:.2f}" for value in values]


def print_reference(cameras, keypoints, reference, errors):
    """How far off the reference is: by reprojection, by another detector, by a view less."""
    median, most = np.quantile(errors, [0.5, 0.9])
    print(f"reference: reprojection median {median:.1f} px of the image, 90 % {most:.1f}")
    print("px of a person of reference size: median, 90 %")
    others, _ = make_reference(cameras, keypoints["movenet"], BODY)
    for k, camera in enumerate(cameras):
        rest = [j for j in range(len(cameras)) if j != k]
        three = [cameras[j] for j in rest], [keypoints[REFERENCE][j] for j in rest]
        fewer, _ = make_reference(*three, BODY)
        ours, theirs, without = (
            camera_to_image(world_to_camera(each, camera), camera)
            for each in (reference, others, fewer)
        )
        scale = REFERENCE_SIZE / person_size(ours)[:, None]
        off = [
            np.linalg.norm(ours[:, : len(BODY)] - each, axis=-1) * scale
            for each in (theirs, without)
        ]
        cells = ["{:.1f}, {:.1f}".format(*np.quantile(each, [0.5, 0.9])) for each in off]
        print(f"  camera {k + 1}: from MoveNet's four views {cells[0]}; without it {cells[1]}")


def print_joints(views, name, fps):
    """Each joint's errors from the reference: size, tail and correlation; left and right alike."""
    print_head(name, ("median, %", "90 %, %", "tail", *(f"{lag / fps:.3f} s" for lag in LAGS)))
    kinds = dict.fromkeys(joint.lstrip("LR") for joint in COMPARED[name])
    for kind in kinds:
        at = [j for j, joint in enumerate(COMPARED[name]) if joint.lstrip("LR") == kind]
        every = np.concatenate([view.length[:, at].ravel() for view in views])
        every = every[np.isfinite(every)]
        sizes = 100 * np.quantile(every, [0.5, 0.9]) / REFERENCE_SIZE
        covariance = sum(autocovariance(v.jitter[:, at], (0, *LAGS)) for v in views)
        cells = [f"{each:.1f}" for each in (*sizes, tail_index(every))]
        print_row(kind, [*cells, *decimals((covariance / covariance[0])[1:])])
    length = np.concatenate([np.linalg.norm(v.jitter, axis=-1).ravel() for v in views])
    length = length[np.isfinite(length)]
    print(
        f"without swaps and misses: median {np.median(length):.1f} px, mean {length.mean():.1f}, "
        f"90 % {np.quantile(length, 0.9):.1f}, tail index {tail_index(length):.1f}; joints that a "
        f"bone connects correlate by {np.mean([neighbours(v) for v in views]):.2f}"
    )


def print_times(seen, cameras, fps):
    """Autocorrelation over the body's joints; RMS and that of the detectors' own are returned."""
    seconds = np.array(LAGS) / fps
    print_head("autocorrelation, body", ("RMS, px", *(f"{t:.3f} s" for t in seconds)))

    def report(label, covariance):
        root = f"{np.sqrt(covariance[0]):.1f}"
        print_row(label, [root, *decimals((covariance / covariance[0])[1:])])

    for name in UNSURE:
        errors = [seen[name][k].jitter[:, : len(BODY)] for k in cameras]
        each = [autocovariance(error, (0, *LAGS)) for error in errors]
        report(f"{name}, from the reference", np.mean(each, axis=0))
    pairs = [(seen["blazepose"][k], seen["movenet"][k]) for k in cameras]
    own = np.mean([three_cornered(*pair, (0, *LAGS)) for pair in pairs], axis=0)
    for name, each in zip((*UNSURE, "reference"), own, strict=True):
        report(f"{name}, its own", each)
    both = own[:2].mean(axis=0)
    report("detectors, their own", both)
    model = measure_jitter(simulate_errors(fps, 1.0), LAGS, BURST_LAGS)
    print_row("the model at level 1, alike", [f"{model[0]:.1f}", *decimals(model[1])])
    print_row("the model, uncut", ["", *decimals(jitter_correlation(seconds))])
    return np.sqrt(both[0]), both[1:] / both[0]


def print_mistakes(views, cameras, name):
    """Swaps, misses and losses: how often, and in runs of how many frames; confidence."""
    from scipy.stats import spearmanr

    for k, view in zip(cameras, views, strict=True):
        length = np.linalg.norm(view.error[:, : len(BODY)], axis=-1).ravel()
        confidence = view.confidence[:, : len(BODY)]
        order = np.array_split(length[np.argsort(confidence, axis=None)], 3)
        thirds = ", ".join(f"{np.median(third):.1f}" for third in order)
        related = spearmanr(confidence.ravel(), length)[0]
        print(f"{name}, camera {k + 1}: confidence and error, rank correlation {related:.2f}; "
              f"median px in thirds of rising confidence {thirds}")  # fmt: skip
        lost = confidence < UNSURE[name]
        kinds = {"legs or arms swapped": view.swapped, "body missed": view.gross[:, : len(BODY)]}
        kinds |= {"face, feet missed": view.gross[:, len(BODY) :], "body unsure": lost}
        for kind, masks in kinds.items():
            lengths = all_runs(masks)
            if len(lengths):
                print(f"  {kind}: {100 * masks.mean():.1f} %, {len(lengths)} runs, mean "
                      f"{lengths.mean():.1f} frames, longest {lengths.max()}")  # fmt: skip


def print_fit(seen, cameras, own, fps):
    """The constants of ``graphlift.detector_noise``, which has those of cameras 1 and 2."""
    views = [seen[name][k] for name in UNSURE for k in cameras]
    bodies = [view.jitter[:, : len(BODY)] for view in views]
    bursts = np.mean([burst_correlation(each, BURST_LAGS) for each in bodies], axis=0)
    print(f"\nsteps of one width after {BURST_LAGS} frames: {', '.join(decimals(bursts))}")

    level, drift, burst = fit_jitter(*own, bursts, LAGS, BURST_LAGS, fps)
    print(f"JITTER_SECONDS {drift:.3f}, BURST_SECONDS {burst:.3f}, level {level:.2f}")
    flips = [view.swapped.any(axis=1) for view in views]
    episodes = np.concatenate([runs(join(flip, APART * fps)) for flip in flips])
    print(f"SWAP_SECONDS {episodes.mean() / fps:.2f} (episodes of {episodes} frames)")
    print(f"SWAP_SHARE {np.sum(flips) / episodes.sum():.2f}")
    calm = [view for view in views if not view.swapped.any()]
    for label, places in (("", slice(len(BODY))), (" with face and feet", slice(None))):
        missed = np.concatenate([all_runs(view.gross[:, places]) for view in calm])
        print(f"MISS_SECONDS{label} {chain_seconds(missed, fps):.3f} ({len(missed)} runs)")
    body = slice(len(BODY))
    lost = [seen[name][k].confidence[:, body] < UNSURE[name] for name in UNSURE for k in cameras]
    lengths = np.concatenate([all_runs(each) for each in lost])
    share = 100 * np.mean(np.concatenate([each.ravel() for each in lost]))
    print(f"DROP_SECONDS {chain_seconds(lengths, fps):.3f} ({len(lengths)} runs, {share:.1f} %)")
    sure = np.mean([centred_correlation(view.confidence[:, body], LAGS) for view in views], axis=0)
    print(f"CONFIDENCE_SECONDS {fit_decay(sure, np.array(LAGS) / fps):.2f}")


def run(out, wheel=None):
    """Everything: films, detections, reference, tables, constants."""
    calibration, videos = get_films(out / "films", wheel)
    cameras, fps = list(read_cameras(calibration).values()), open_video(videos[0]).fps
    keypoints = {
        name: [detect(video, out / f"{video.stem}-{name}.npz", name) for video in videos]
        for name in SKELETONS
    }
    reference, errors = make_reference(cameras, keypoints[REFERENCE], JOINTS)
    images = [camera_to_image(world_to_camera(reference, each), each) for each in cameras]
    seen = {
        name: [compare_view(*each, name) for each in zip(keypoints[name], images, strict=True)]
        for name in UNSURE
    }
    print_reference(cameras, keypoints, reference, errors)
    for group in (FITTED, BESIDE):
        print(f"\nCameras {group[0] + 1} and {group[1] + 1}")
        own = print_times(seen, group, fps)
        for name in UNSURE:
            print_joints([seen[name][k] for k in group], name, fps)
        for name in UNSURE:
            print_mistakes([seen[name][k] for k in group], group, name)
        print_fit(seen, group, own, fps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for films and detections")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, if it is here")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    run(arguments.out, arguments.wheel)


if __name__ == "__main__":
    main()
