"""Every kind of keypoint JSON, written here as its tool writes it, against the numbers put in."""

import numpy as np
import pytest
from helpers.tiny_keypoints import (
    alphapose,
    assert_same,
    coco_annotations,
    coco_results,
    dump,
    landmarks,
    mmpose_image,
    mmpose_video,
    openpose,
    walk,
)

from graphlift.formats import read_keypoints
from graphlift.skeletons import (
    COCO_17,
    COCO_23,
    H36M_17,
    HALPE_26,
    MEDIAPIPE_33,
    MPII_16,
    OPENPOSE_BODY_25,
    OPENPOSE_COCO_18,
)

COCO_NAMES = [
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
      for side in ("left", "right")),
]  # fmt: skip


# OpenPose


@pytest.mark.parametrize("skeleton", [OPENPOSE_BODY_25, OPENPOSE_COCO_18], ids=lambda s: s.name)
def test_openposes_folder_is_told_by_its_joints(tmp_path, skeleton):
    triples = walk(skeleton)
    triples[2, 0, 5] = 0

    keypoints = read_keypoints(openpose(tmp_path / "json", triples))

    assert keypoints.skeleton is skeleton
    assert_same(keypoints, triples, people=("0",))
    assert f"OpenPose JSON {tmp_path / 'json'} ({skeleton.name}, 4 frames" in keypoints.source


def test_openposes_frames_with_nobody_are_there_the_first_too(tmp_path):
    triples = walk(OPENPOSE_BODY_25, frames=6)
    shown = [triples[f] if f not in (0, 3, 5) else triples[f][:0] for f in range(6)]

    keypoints = read_keypoints(openpose(tmp_path, shown))

    assert len(keypoints) == 6
    assert keypoints.seen.any(axis=(1, 2)).tolist() == [False, True, True, False, True, False]


def test_openposes_missing_files_are_frames_with_nobody_and_stated(tmp_path):
    triples = walk(OPENPOSE_BODY_25, frames=6)
    openpose(tmp_path, triples, start=40)
    for frame in (42, 43):
        (tmp_path / f"walk_{frame:012d}_keypoints.json").unlink()

    keypoints = read_keypoints(tmp_path)

    triples[[2, 3]] = 0
    assert_same(keypoints, triples)
    assert (
        "6 frames, 40 to 45, 2 without a file taken as frames without people" in keypoints.source
    )


def test_openposes_people_are_told_apart_whatever_their_order(tmp_path):
    triples = walk(OPENPOSE_BODY_25, frames=6, people=3)
    shown = [frame[np.roll(np.arange(3), number)] for number, frame in enumerate(triples)]

    keypoints = read_keypoints(openpose(tmp_path, shown))

    assert_same(keypoints, triples, people=("0", "1", "2"))
    assert "people told apart by likeness" in keypoints.source


def test_openposes_own_ids_are_used_where_it_has_them(tmp_path):
    triples = walk(OPENPOSE_BODY_25, frames=3, people=2)

    keypoints = read_keypoints(openpose(tmp_path, triples, ids=[(7, 4), (4, 7), (7, 4)]))

    assert keypoints.people == ("7", "4")
    np.testing.assert_array_equal(keypoints.positions[1, 0], triples[1, 1, :, :2])


def test_one_openpose_file_is_one_frame_also_of_the_first_version(tmp_path):
    triples = walk(OPENPOSE_COCO_18, frames=1)
    openpose(tmp_path, triples, key="pose_keypoints")

    keypoints = read_keypoints(next(tmp_path.glob("*.json")))

    assert_same(keypoints, triples)


def test_a_face_without_a_body_is_nobody(tmp_path):
    triples = walk(OPENPOSE_BODY_25, frames=2)
    openpose(tmp_path, triples)
    face = {"pose_keypoints_2d": [], "face_keypoints_2d": [1.0, 2.0, 0.5]}
    dump(tmp_path / "walk_000000000002_keypoints.json", {"people": [face]})

    keypoints = read_keypoints(tmp_path)

    assert keypoints.seen.any(axis=(1, 2)).tolist() == [True, True, False]


def test_the_people_seen_most_are_kept_if_only_some_are_wanted(tmp_path):
    triples = walk(OPENPOSE_BODY_25, frames=5, people=3)
    shown = [frame[[2, 0]] if number else frame for number, frame in enumerate(triples)]

    keypoints = read_keypoints(openpose(tmp_path, shown), people=2)

    assert keypoints.people == ("0", "2")
    assert_same(keypoints, triples[:, [0, 2]])
    assert keypoints.notes == ("1 other person was left out: 1 (in 20 % of frames).",)


# COCO


def test_coco_results_are_frames_by_their_image_ids(tmp_path):
    triples = walk(COCO_17, frames=4)

    keypoints = read_keypoints(dump(tmp_path / "r.json", coco_results(triples, start=12)))

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, triples)
    assert "COCO results" in keypoints.source
    assert "frames 12 to 15" in keypoints.source


def test_coco_annotations_have_flags_sizes_and_tracks(tmp_path):
    triples = walk(COCO_17, frames=3, people=2)
    triples[1, 0, 4] = 0
    data = coco_annotations(triples, COCO_NAMES, ids=[(5, 8), (8, 5), (5, 8)])
    data["annotations"][0]["keypoints"][2] = 1  # the nose is hidden

    keypoints = read_keypoints(dump(tmp_path / "a.json", data))

    assert keypoints.image_size == (640, 480)
    assert keypoints.people == ("5", "8")
    assert keypoints.confidence[0, 0, 0] == 0.5
    assert set(np.unique(keypoints.confidence)) == {0, 0.5, 1}
    np.testing.assert_array_equal(keypoints.positions[1, 0], triples[1, 1, :, :2])
    assert not keypoints.seen[1, 1, 4]


def test_an_image_without_annotations_is_a_frame_with_nobody(tmp_path):
    data = coco_annotations(walk(COCO_17, frames=4), COCO_NAMES)
    data["annotations"] = [each for each in data["annotations"] if each["image_id"] != 900]
    data["annotations"][0]["iscrowd"] = 1

    keypoints = read_keypoints(dump(tmp_path / "a.json", data))

    assert keypoints.seen.any(axis=(1, 2)).tolist() == [False, False, True, True]


def test_coco_annotations_with_names_in_another_order_are_put_in_ours(tmp_path):
    triples = walk(COCO_17, frames=2)
    data = coco_annotations(triples[:, :, ::-1], COCO_NAMES[::-1])

    keypoints = read_keypoints(dump(tmp_path / "a.json", data))

    np.testing.assert_array_equal(keypoints.positions, triples[..., :2])


def test_posetracks_frames_come_by_frame_id(tmp_path):
    triples = walk(COCO_17, frames=3)
    data = coco_annotations(triples, COCO_NAMES)
    for image, frame in zip(data["images"], (4, 0, 2), strict=True):
        image["frame_id"] = frame

    keypoints = read_keypoints(dump(tmp_path / "a.json", data))

    assert keypoints.seen.any(axis=(1, 2)).tolist() == [True, False, True, False, True]
    np.testing.assert_array_equal(keypoints.positions[[4, 0, 2]], triples[..., :2])


def test_whole_bodies_are_read_as_far_as_body_and_feet(tmp_path):
    triples = walk(COCO_23, frames=2)
    whole = np.concatenate([triples, np.ones((2, 1, 110, 3))], axis=2)
    file = dump(tmp_path / "r.json", coco_results(whole))

    keypoints = read_keypoints(file)

    assert keypoints.skeleton is COCO_23
    assert_same(keypoints, triples)
    body = read_keypoints(file, skeleton="coco-17")
    assert body.skeleton is COCO_17
    assert_same(body, triples[:, :, :17])


# AlphaPose


@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26], ids=lambda s: s.name)
def test_alphapose_is_told_by_its_file_names(tmp_path, skeleton):
    triples = walk(skeleton, frames=3)

    keypoints = read_keypoints(dump(tmp_path / "alphapose-results.json", alphapose(triples)))

    assert keypoints.skeleton is skeleton
    assert_same(keypoints, triples)
    assert "AlphaPose JSON" in keypoints.source


def test_alphaposes_frames_with_nobody_are_there_the_first_too(tmp_path):
    triples = walk(HALPE_26, frames=12)
    shown = [triples[f] if f not in (0, 1, 7) else triples[f][:0] for f in range(12)]

    keypoints = read_keypoints(dump(tmp_path / "a.json", alphapose(shown)))

    triples[[0, 1, 7]] = 0
    assert_same(keypoints, triples)


@pytest.mark.parametrize("form", [lambda n: n, float, lambda n: [float(n)], lambda n: [[n]]])
def test_alphaposes_idx_is_the_track_however_it_is_nested(tmp_path, form):
    triples = walk(HALPE_26, frames=3, people=2)
    ids = [(form(3), form(1)), (form(1), form(3)), (form(3), form(1))]

    keypoints = read_keypoints(dump(tmp_path / "a.json", alphapose(triples, ids=ids)))

    assert keypoints.people == ("3", "1")
    np.testing.assert_array_equal(keypoints.positions[1, 0], triples[1, 1, :, :2])


def test_alphapose_without_tracking_gives_everybody_one_id_and_is_not_believed(tmp_path):
    triples = walk(HALPE_26, frames=4, people=2)
    shown = [frame[:: 1 - 2 * (number % 2)] for number, frame in enumerate(triples)]

    keypoints = read_keypoints(dump(tmp_path / "a.json", alphapose(shown)))

    assert_same(keypoints, triples, people=("0", "1"))
    assert "told apart by likeness" in keypoints.source


def test_alphaposes_scores_above_one_count_as_one(tmp_path):
    triples = walk(COCO_17, frames=2)
    triples[..., 2] *= 6

    keypoints = read_keypoints(dump(tmp_path / "a.json", alphapose(triples)))

    np.testing.assert_array_equal(keypoints.confidence, np.minimum(triples[..., 2], 1))


def test_alphaposes_image_folders_count_from_their_first_number(tmp_path):
    triples = walk(COCO_17, frames=3)
    data = alphapose(triples, names="img_0005{}.png")

    assert_same(read_keypoints(dump(tmp_path / "a.json", data)), triples)


# MMPose


@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26, MPII_16], ids=lambda s: s.name)
def test_mmposes_video_is_a_list_of_frames(tmp_path, skeleton):
    triples = walk(skeleton, frames=4, people=2)
    data = mmpose_video(triples)
    data[0]["instances"] = []

    keypoints = read_keypoints(dump(tmp_path / "m.json", data))

    triples[0] = 0
    assert keypoints.skeleton is skeleton
    assert_same(keypoints, triples)
    assert "MMPose JSON" in keypoints.source


def test_mmposes_image_is_a_list_of_people(tmp_path):
    triples = walk(COCO_17, frames=1, people=2)

    keypoints = read_keypoints(dump(tmp_path / "m.json", mmpose_image(triples[0])))

    assert_same(keypoints, triples)


H36M_NAMES = [
    *("root", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot"),
    *("spine", "thorax", "neck_base", "head", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_shoulder", "right_elbow", "right_wrist"),
]


@pytest.mark.parametrize(
    ("skeleton", "names"), [(COCO_17, COCO_NAMES), (H36M_17, H36M_NAMES)], ids=["coco", "h36m"]
)
def test_mmposes_demos_name_their_joints_and_count_from_one(tmp_path, skeleton, names):
    triples = walk(skeleton, frames=3)
    meta = {"dataset_name": "x", "keypoint_id2name": dict(enumerate(names))}
    data = {"meta_info": meta, "instance_info": mmpose_video(triples, start=1)}

    keypoints = read_keypoints(dump(tmp_path / "m.json", data))

    assert keypoints.skeleton is skeleton
    assert_same(keypoints, triples)


def test_mmposes_halpe_calls_the_top_of_the_head_head(tmp_path):
    names = [*COCO_NAMES, "head", "neck", "hip", "left_big_toe", "right_big_toe",
             "left_small_toe", "right_small_toe", "left_heel", "right_heel"]  # fmt: skip
    triples = walk(HALPE_26, frames=2)
    meta = {"keypoint_id2name": dict(enumerate(names))}

    keypoints = read_keypoints(
        dump(
            tmp_path / "m.json",
            {"meta_info": meta, "instance_info": mmpose_video(triples)},
        )
    )

    assert keypoints.skeleton is HALPE_26
    assert_same(keypoints, triples)


# MediaPipe


SIZE = (1280, 720)


def per_frame(triples):
    return [landmarks(people, SIZE) for people in triples]


WRAPPINGS = {
    "one person a frame": lambda frames: [frame[0] if frame else None for frame in frames],
    "people a frame": lambda frames: frames,
    "tasks": lambda frames: [
        {"pose_landmarks": frame, "pose_world_landmarks": []} for frame in frames
    ],
    "javascript": lambda frames: [{"landmarks": frame, "worldLandmarks": []} for frame in frames],
    "legacy javascript": lambda frames: [
        {"poseLandmarks": frame[0]} if frame else {} for frame in frames
    ],
    "MessageToDict": lambda frames: [
        {"landmark": frame[0]} if frame else None for frame in frames
    ],
    "nested": lambda frames: [
        {"pose_landmarks": {"landmark": frame[0]} if frame else None} for frame in frames
    ],
    "frames": lambda frames: {"frames": frames},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_mediapipes_fractions_become_px(tmp_path, wrapping):
    triples = walk(MEDIAPIPE_33, frames=4)
    frames = per_frame(triples)
    frames[0] = []
    path = dump(tmp_path / "p.json", WRAPPINGS[wrapping](frames))

    keypoints = read_keypoints(path, image_size=SIZE)

    triples[0] = 0
    assert keypoints.skeleton is MEDIAPIPE_33
    assert keypoints.image_size == SIZE
    assert_same(keypoints, triples, atol=1e-9)


def test_mediapipes_file_may_say_its_size_and_rate(tmp_path):
    frames = per_frame(walk(MEDIAPIPE_33))
    said = {"width": 1280, "height": 720, "fps": 29.97, "frames": frames}

    keypoints = read_keypoints(dump(tmp_path / "p.json", said))
    other = read_keypoints(dump(tmp_path / "p.json", said), image_size=(640, 360), fps=25)

    assert (keypoints.image_size, keypoints.fps) == (SIZE, 29.97)
    assert (other.image_size, other.fps) == ((640, 360), 25)
    np.testing.assert_allclose(other.positions, keypoints.positions / 2)


def test_mediapipes_several_people_are_told_apart(tmp_path):
    triples = walk(MEDIAPIPE_33, frames=4, people=2)
    shown = [frame[:: 1 - 2 * (number % 2)] for number, frame in enumerate(triples)]

    keypoints = read_keypoints(dump(tmp_path / "p.json", per_frame(shown)), image_size=SIZE)

    assert_same(keypoints, triples, atol=1e-9)


def test_a_landmark_without_visibility_is_seen(tmp_path):
    frames = per_frame(walk(MEDIAPIPE_33, frames=2))
    for landmark in frames[1][0]:
        del landmark["visibility"]

    keypoints = read_keypoints(dump(tmp_path / "p.json", frames), image_size=SIZE)

    assert (keypoints.confidence[1] == 1).all()
    assert (keypoints.confidence[0] < 1).any()
