"""The benchmark on real people: its calibration, its reference and its scores, on made-up ones."""

import re
import shutil
import sys
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.walker import walk

from graphlift.cameras import Camera, assumed_camera, camera_to_image, look_at, world_to_camera
from graphlift.formats import read_keypoints
from graphlift.formats.example import example_keypoints_path
from graphlift.lifting import Lifter
from graphlift.sequences import Poses, convert_keypoints, keypoints_from
from graphlift.skeletons import COCO_17, H36M_17, MEDIAPIPE_33

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import pages
import wild
from film import hiding, methods, pictures, reference, tables
from film.reference import JOINTS, POINTS

PLACES = [(4, 0, 1.5), (0, 4, 1.2), (-4, 0.5, 2.0), (0.3, -4, 1.6)]


def camera(place, **lens):
    place = np.array(place, dtype=float)
    settings = {"focal": (1700.0, 1690.0), "centre": (530.0, 950.0), "size": (1088, 1920)}
    R = look_at(place, np.array([0.0, 0.0, 1.0]), roll=0.3)
    return Camera(**(settings | lens), R=R, position=place)


@pytest.fixture
def cameras():
    return [camera(place) for place in PLACES]


@pytest.fixture
def body(rng):
    """Positions (frame, joint of MediaPipe, 3) within half a metre of the middle, m, world."""
    return np.array([0, 0, 1]) + rng.uniform(-0.5, 0.5, size=(3, 33, 3))


def seen(cameras, body):
    return [
        keypoints_from(camera_to_image(world_to_camera(body, each), each), MEDIAPIPE_33)
        for each in cameras
    ]


def test_the_reference_is_where_the_rays_meet(cameras, body):
    positions, errors = reference.make_reference(cameras, seen(cameras, body))

    at = MEDIAPIPE_33.index(*JOINTS)
    np.testing.assert_allclose(positions, body[:, at], atol=1e-6)
    assert errors.max() < 1e-3


def test_distortion_is_taken_out_before_rays_meet(body):
    cameras = [
        camera(place, radial=(-0.05, 0.14, 0.0), tangential=(6e-4, 7e-4)) for place in PLACES
    ]
    views = []
    for each in cameras:
        K, D, r, t = reference.opencv(each)
        image = cv2.projectPoints(body.reshape(-1, 3), r, t, K, D)[0].reshape(*body.shape[:2], 2)
        views.append(keypoints_from(image, MEDIAPIPE_33))

    positions, _ = reference.make_reference(cameras, views)

    at = MEDIAPIPE_33.index(*JOINTS)
    np.testing.assert_allclose(positions, body[:, at], atol=1e-5)


def test_a_view_that_disagrees_with_three_others_is_left_out(cameras, body):
    views = seen(cameras, body)
    views[2].positions[1, 0, MEDIAPIPE_33.index("LKnee")] += 80

    positions, errors = reference.make_reference(cameras, views)

    np.testing.assert_allclose(positions, body[:, MEDIAPIPE_33.index(*JOINTS)], atol=1e-6)
    assert errors.max() < 1e-3


def test_a_joint_that_a_view_does_not_see_has_no_reference(cameras, body):
    views = seen(cameras, body)
    views[0].positions[2] = np.nan

    positions, _ = reference.make_reference(cameras, views)

    assert np.isfinite(positions).all(axis=(1, 2)).tolist() == [True, True, False]


def test_points_that_a_detector_lacks_have_no_reference_and_the_file_is_kept(
    cameras, body, tmp_path
):
    path = tmp_path / "reference.npz"
    all_of_them = seen(cameras, body)
    views = [convert_keypoints(view, COCO_17) for view in all_of_them]

    positions, errors = reference.load_reference(path, cameras, views)

    face = MEDIAPIPE_33.index(*POINTS[:15])
    np.testing.assert_allclose(positions[:, :15], body[:, face], atol=1e-6)
    assert np.isnan(positions[:, 15:]).all()  # heels and toes
    again, _ = reference.load_reference(path, cameras, [])
    np.testing.assert_array_equal(again, positions)
    assert "LHeel" not in reference.describe(positions, errors)


def test_the_reference_is_seen_along_its_rays_and_up_is_the_worlds(cameras, body):
    for each in cameras:
        truth = reference.seen_from(each, body[:, : len(POINTS)])

        distance = np.linalg.norm(body[:, : len(POINTS)] - each.position, axis=-1)
        np.testing.assert_allclose(truth.rays * distance[..., None], truth.positions, atol=1e-9)
        raised = reference.seen_from(each, body[:, : len(POINTS)] + [0, 0, 0.5])
        moved = raised.positions - truth.positions
        np.testing.assert_allclose(moved, np.broadcast_to(0.5 * truth.up, moved.shape), atol=1e-9)


def made_from(positions, skeleton, camera):
    """A lifter's poses, right up to a scale, camera axes or those of the world."""
    rooted = 0.8 * positions @ camera.R.T
    return Poses(rooted[:, None], skeleton), Poses(
        0.8 * positions[:, None], skeleton, axes="world", rooted=False, camera=camera
    )


def test_a_lifter_that_is_right_scores_nothing_whatever_it_calls_an_ankle(cameras, body):
    """In both frames of reference: Human3.6M's ankle is a foot, its other joints anywhere."""
    names = [name.replace("Ankle", "Foot") for name in JOINTS]
    positions = np.full((len(body), 17, 3), 9.0)
    positions[:, H36M_17.index(*names)] = body[:, MEDIAPIPE_33.index(*JOINTS)]
    at = MEDIAPIPE_33.index(*reference.DETECTED.values())
    truths = [reference.seen_from(each, body[:, at]) for each in cameras]

    for way in (0, 1):
        views = [methods.in_camera(made_from(positions, H36M_17, each)[way]) for each in cameras]
        found = tables.take_all_apart({methods.Method("d", "m", "clip"): views}, truths)
        for view in next(iter(found.values())):
            np.testing.assert_allclose(view.size, 0.8)
            np.testing.assert_allclose(view.yaw, 0, atol=1e-9)
            np.testing.assert_allclose(view.stages[:, 3], 0, atol=1e-9)
        mirrored = [methods.Made(view.points * [-1, 1, 1]) for view in views]
        found = tables.take_all_apart({methods.Method("d", "m", "clip"): mirrored}, truths)
        assert all((view.stages[:, 3] > 0.05).all() for view in next(iter(found.values())))


def test_tables_have_each_camera_and_the_difference_from_the_smoothed_baseline(cameras, body):
    body = np.concatenate([body] * 4)
    at = MEDIAPIPE_33.index(*reference.DETECTED.values())
    truths = [reference.seen_from(each, body[:, at]) for each in cameras]
    far = [methods.Made(truth.positions * [1, 1, 1.3]) for truth in truths]
    near = [methods.Made(truth.positions) for truth in truths]
    made = {
        methods.Method("blazepose", methods.OWN, methods.SMOOTHED): far,
        methods.Method("blazepose", "mine", methods.CLIP): near,
    }
    found = tables.take_all_apart(made, truths)

    head, _, baseline, mine = tables.p_mpjpe_table(found).splitlines()

    assert "camera 4 | mean | less BlazePose's, smoothed" in head
    assert mine.startswith("| blazepose | mine | clip | 0 ± 0 | 0 ± 0 | 0 ± 0 | 0 ± 0 | 0 ± 0 | -")
    worse = 1000 * np.mean([view.stages[:, 3] for view in next(iter(found.values()))])
    assert f"| {-worse:+.1f} [" in mine
    assert baseline.endswith("|  |")


def test_two_models_of_one_name_are_told_apart_by_a_label(tmp_path):
    model = Path(str(resources.files("graphlift") / "models/open-small.onnx"))

    found = methods.load_models(["open-small", f"new={model}"])

    assert list(found) == ["open-small", "new"]
    with pytest.raises(SystemExit, match=r"two models are called open-small: .* LABEL="):
        methods.load_models(["open-small", str(model)])


def test_refinement_and_smoothing_are_each_done_or_left_out():
    keypoints = read_keypoints(example_keypoints_path())
    camera = assumed_camera(keypoints.image_size)
    lifter = Lifter.load("open-small", threads=1)

    found = {way: methods.lift(lifter, keypoints, camera, way) for way in methods.WAYS}

    assert found[methods.FRAMES].axes == "camera"
    assert {way: "refined" in " ".join(poses.notes) for way, poses in found.items()} == {
        methods.FRAMES: False, methods.SMOOTHED: False, methods.REFINED: True, methods.CLIP: True,
    }  # fmt: skip
    assert {way: "smoothed" in " ".join(poses.notes) for way, poses in found.items()} == {
        methods.FRAMES: False, methods.SMOOTHED: True, methods.REFINED: False, methods.CLIP: True,
    }  # fmt: skip


@pytest.fixture(scope="module")
def film():
    """A walker as four cameras see them; BlazePose's own 3D is right, and so is the reference."""
    walker = walk(40, start=(-0.5, 0.0))
    joints = {name.replace("Foot", "Ankle"): walker[:, k] for k, name in enumerate(H36M_17.joints)}
    for side, y in (("L", 0.08), ("R", -0.08)):
        ankle = joints[f"{side}Ankle"]
        joints[f"{side}Heel"] = ankle - [0.05, 0, 0.07]
        joints[f"{side}BigToe"] = ankle - [-0.15, 0, 0.07]
        joints[f"{side}Ear"] = joints["Head"] + [0, y, 0]
    joints["Nose"] = joints["Head"] + [0.1, 0, 0]
    points = np.stack([joints[name] for name in POINTS], axis=1)
    cameras = [camera(place) for place in PLACES]
    truths = [reference.seen_from(each, points) for each in cameras]
    like = keypoints_from(np.ones((40, 33, 2)), MEDIAPIPE_33, image_size=(1088, 1920), fps=30.0)
    exact = [reference.project(points, each, (like, None)) for each in cameras]
    own = np.full((40, 33, 3), np.nan)
    own[:, MEDIAPIPE_33.index(*reference.DETECTED.values())] = points
    pairs = zip(exact, cameras, strict=True)
    seen = [(keypoints, own @ each.R.T) for (keypoints, _), each in pairs]
    detected, others = {"blazepose": seen}, {"movenet": truths}
    return wild.Film(cameras, detected, detected, truths, others, exact, "heavy", "")


@pytest.fixture(scope="module")
def compared(film):
    return wild.compare(film, methods.load_models(["open-small"]))


def rows(text):
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def test_what_is_right_is_off_by_nothing_in_every_table(compared):
    _, _, found = compared

    nothing = {"0 ± 0", "0.0 ± 0.0"}
    (other,) = rows(found["references"])
    assert set(list(other.values())[1:]) <= nothing
    for name in ("P-MPJPE", "parts"):
        own = next(row for row in rows(found[name]) if row["3D from"] == methods.OWN)
        assert set(list(own.values())[3:-1]) <= nothing
    angles = next(row for row in rows(found["directions"]) if "reference from" in row["3D from"])
    assert set(list(angles.values())[2:]) == {"0 / 0", "–"}


def test_the_references_own_keypoints_are_lifted_as_a_detectors_are(compared):
    scores = {
        row["keypoints"]: list(row.values())[3:]
        for row in rows(compared[2]["P-MPJPE"])
        if (row["3D from"], row["how"]) == ("open-small", methods.CLIP)
    }

    assert scores["blazepose"] == scores[wild.EXACT]
    assert all(cell != "0 ± 0" for cell in scores[wild.EXACT])


def test_halves_are_compared_with_the_whole_and_a_cut_image_is_lifted_as_it_was_detected(compared):
    found = rows(compared[2]["halves"])

    kinds = {(row["hidden"], row["3D from"]) for row in found}
    assert (hiding.LEGS, tables.GUESS) in kinds
    # The film's "cut" images are whole here: nothing changes, and the whole is in brackets.
    for row in found:
        if row["3D from"] == "open-small":
            half, _, whole = row["hidden joints"].partition(" (")
            same = half.split()[0] == whole.rstrip(")")
            assert same == (row["hidden"] == hiding.CUT)


def test_the_pages_have_a_place_for_each_table_and_a_picture_is_drawn(compared, film, tmp_path):
    docs = Path(__file__).parents[2] / "docs"
    for page in (*docs.glob("wild*.md"), docs / "half-bodies.md"):
        shutil.copy(page, tmp_path)
    written = "".join(page.read_text() for page in tmp_path.glob("*.md"))
    places = re.findall(r"^<!-- table (.+) -->$", written, re.MULTILINE)
    assert sorted(places) == sorted([*compared[2], "half bodies"])

    pages.fill_pages(tmp_path, compared[2])
    written = "".join(page.read_text() for page in tmp_path.glob("*.md"))
    for text in compared[2].values():
        assert text in written

    picture, frames = tmp_path / "wild.png", [0, 39]
    views = next(iter(compared[0].values()))
    pictures.draw(picture, {"mine": views[0]}, film.truths[0], frames=frames)
    assert cv2.imread(str(picture)).shape[1] == 65 * 2.5 * len(frames)
