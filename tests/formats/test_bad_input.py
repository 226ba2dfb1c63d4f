"""What is no keypoints: each refusal names the thing, the place and the way out."""

import csv

import numpy as np
import pytest
from helpers.tiny_keypoints import (
    MAKERS,
    NAMES,
    TRIPLES,
    coco_annotations,
    coco_results,
    dump,
    landmarks,
    mmpose_video,
    openpose,
    ours,
    refused,
    walk,
    wide_csv,
)

from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.formats import read_keypoints, read_poses, write_poses
from graphlift.sequences import Poses
from graphlift.skeletons import H36M_17, MEDIAPIPE_33, OPENPOSE_BODY_25, OPENPOSE_COCO_18

# Folders


def test_a_path_to_nothing_names_what_may_be_there(tmp_path):
    refused(
        tmp_path / "no.json", r"no keypoints at .*no\.json: give a folder", DatasetNotFoundError
    )


def test_an_empty_folder_says_what_it_should_hold(tmp_path):
    (tmp_path / "notes.txt").write_text("x")

    refused(tmp_path, r"no keypoints in .*: a folder should hold OpenPose's", DatasetNotFoundError)


def test_a_folder_of_two_clips_names_them(tmp_path):
    openpose(tmp_path, walk(OPENPOSE_BODY_25), name="left")
    openpose(tmp_path, walk(OPENPOSE_BODY_25), name="right")

    refused(tmp_path, r"holds 2 clips \(left_, right_\): put each into a folder of its own")


def test_a_file_without_a_number_and_a_number_given_twice_are_named(tmp_path):
    openpose(tmp_path / "a", walk(OPENPOSE_BODY_25))
    dump(tmp_path / "a" / "camera_keypoints.json", {})
    openpose(tmp_path / "b", walk(OPENPOSE_BODY_25))
    dump(tmp_path / "b" / "walk_0_keypoints.json", {})

    refused(tmp_path / "a", r"camera_keypoints\.json: has no frame number in its name: name it as")
    refused(
        tmp_path / "b", r"walk_0_keypoints\.json: is frame 0, as walk_000000000000_k.* keep one"
    )


def test_another_file_in_the_folder_is_named(tmp_path):
    openpose(tmp_path, walk(OPENPOSE_BODY_25))
    dump(tmp_path / "walk_000000000009_keypoints.json", {"annotations": []})

    refused(tmp_path, r'0009_keypoints\.json: is not as OpenPose writes it: there is no "people"')


def test_two_skeletons_in_one_folder_are_named_by_frame(tmp_path):
    openpose(tmp_path, walk(OPENPOSE_BODY_25))
    openpose(tmp_path, walk(OPENPOSE_COCO_18), start=4)

    refused(tmp_path, r"two skeletons in one: 25 joints in frame 0, 18 in frame 4: split it by sk")


def test_frame_numbers_that_count_something_else_take_no_memory(tmp_path):
    openpose(tmp_path, walk(OPENPOSE_BODY_25, frames=1))
    openpose(tmp_path, walk(OPENPOSE_BODY_25, frames=1), start=1_700_000_000)

    refused(
        tmp_path, r"1,700,000,001 frames of 1 person would take .* check that its numbers count fr"
    )


# Nobody, and numbers that cannot be


def test_a_file_that_shows_nobody_at_all_says_so(tmp_path):
    openpose(tmp_path / "a", [walk(OPENPOSE_BODY_25)[0][:0]] * 5)
    blind = TRIPLES * [1, 1, 0]

    refused(
        tmp_path / "a",
        r"no person is seen in any frame \(5 frames\): .* check the detector's video",
    )
    refused(
        dump(tmp_path / "b.json", coco_results(blind)),
        r"no person is seen in any frame \(4 frames\)",
    )
    refused(
        dump(tmp_path / "c.json", {"people": []}), r"no person is seen in any frame \(1 frame\)"
    )


@pytest.mark.parametrize("value", [float("nan"), -0.3, 0, None])
def test_a_confidence_that_is_none_masks_the_joint_and_nothing_else(tmp_path, value):
    data = coco_results(TRIPLES)
    data[1]["keypoints"][3 * 5 + 2] = value

    keypoints = read_keypoints(dump(tmp_path / "a.json", data))

    expected = np.ones((4, 1, 17), dtype=bool)
    expected[1, 0, 5] = False
    np.testing.assert_array_equal(keypoints.seen, expected)
    assert keypoints.confidence[1, 0, 5] == 0


def test_absent_confidence_is_full_confidence(tmp_path):
    np.savez(tmp_path / "a.npz", keypoints=TRIPLES[..., :2], skeleton="coco-17")
    header = [f"{name}_{n}" for name in NAMES for n in "xy"]
    with (tmp_path / "b.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *TRIPLES[..., :2].reshape(4, -1).tolist()])
    data = mmpose_video(TRIPLES)
    for frame in data:
        del frame["instances"][0]["keypoint_scores"]
    dump(tmp_path / "c.json", data)

    for name in ("a.npz", "b.csv", "c.json"):
        assert (read_keypoints(tmp_path / name).confidence == 1).all()


def test_fractions_of_the_image_and_distances_no_image_has_are_refused(tmp_path):
    small, far = TRIPLES.copy(), TRIPLES.copy()
    small[..., :2] /= 1000
    far[0, 0, 0, 0] = 1e7

    for name, triples, pattern in (
        ("small", small, r"fractions of the image; multiply x by its width"),
        ("far", far, r", frame [01]: Nose lies 1e\+07 px away: these are no px; .* NaN"),
    ):
        refused(dump(tmp_path / f"{name}.json", coco_results(triples)), pattern)
        np.savez(tmp_path / f"{name}.npz", keypoints=triples, skeleton="coco-17")
        refused(tmp_path / f"{name}.npz", pattern)
        refused(wide_csv(tmp_path / f"{name}.csv", triples), pattern)


def test_mediapipe_in_px_is_not_multiplied_again(tmp_path):
    frames = [landmarks(people, (1, 1)) for people in walk(MEDIAPIPE_33)]

    path = dump(tmp_path / "p.json", frames)

    refused(path, r"frame 0: x and y should be fractions of the image", image_size=(640, 480))


def test_mediapipe_without_the_images_size_says_how_to_give_it(tmp_path):
    frames = [landmarks(people, (640, 480)) for people in walk(MEDIAPIPE_33)]

    message = refused(
        dump(tmp_path / "p.json", frames), r"p\.json: MediaPipe gives positions as fr"
    )

    assert "give image_size=(width, height) in px (--image-size WIDTHxHEIGHT)" in message


# What the caller says


@pytest.mark.parametrize("fps", [0, -25, 1e-4, 999_999, float("nan"), float("inf"), "fast"])
def test_a_rate_that_cannot_be_is_the_callers_mistake(fps):
    refused(TRIPLES, r"fps is .*: frames per second are a number above 0", ConfigError,
            fps=fps, skeleton="coco-17")  # fmt: skip


@pytest.mark.parametrize("fps", [0.0, -25.0, 999_999.0, float("nan")])
def test_a_rate_that_cannot_be_in_a_file_names_the_file(tmp_path, fps):
    np.savez(tmp_path / "a.npz", keypoints=TRIPLES, skeleton="coco-17", fps=fps)
    frames = [landmarks(people, (640, 480)) for people in walk(MEDIAPIPE_33)]
    dump(tmp_path / "b.json", {"frames": frames, "fps": fps, "width": 640, "height": 480})

    for name in ("a.npz", "b.json"):
        refused(tmp_path / name, rf"{name}: fps is .*: frames per second are a number above 0")


@pytest.mark.parametrize("size", [(0, 480), (-640, 480), (640,), (640.5, 480), "640x480", 640,
                                  (float("nan"), 1)])  # fmt: skip
def test_an_image_size_that_cannot_be_is_refused(tmp_path, size):
    pattern = r"image_size is .*: width and height are two whole numbers of px"
    refused(TRIPLES, pattern, ConfigError, image_size=size, skeleton="coco-17")


def test_a_skeleton_and_a_number_of_people_that_cannot_be_are_refused():
    message = refused(TRIPLES, r"no skeleton 'coco': give one of h36m-16", ConfigError,
                      skeleton="coco")  # fmt: skip
    assert "openpose-body-25" in message
    refused(TRIPLES, r"people is 0: keep at least 1", ConfigError, people=0, skeleton="coco-17")


def test_a_skeleton_of_other_joints_than_the_files_is_refused(tmp_path):
    openpose(tmp_path / "o", walk(OPENPOSE_BODY_25))

    refused(tmp_path / "o", r"has 25 joints, but coco-17 has 17: leave the skeleton out",
            skeleton="coco-17")  # fmt: skip
    refused(ours(tmp_path / "a.npz"), r"its joints are those of coco-17, not of h36m-17",
            skeleton="h36m-17")  # fmt: skip
    refused(np.ones((3, 1, 2)), "array: no skeleton of 1 joint is known")
    refused(np.ones((3, 12, 2)), r"array: no skeleton of 12 joints is known: known are h36m-16")


def test_an_npz_that_says_two_skeletons_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", keypoints=TRIPLES, skeleton="h36m-17", joints=NAMES)
    np.savez(tmp_path / "b.npz", keypoints=TRIPLES, joints=NAMES[:3])
    np.savez(tmp_path / "c.npz", keypoints=TRIPLES, skeleton="x")

    refused(tmp_path / "a.npz", r"two skeletons in one: .* h36m-17, but its joints are coco")
    refused(tmp_path / "b.npz", r"names 3 joints, but keypoints are of 17")
    refused(tmp_path / "c.npz", r"c\.npz: .*skeleton is 'x': known are h36m-16")


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        (
            {"keypoints": np.ones((4, 17))},
            r"keypoints are \(4, 17\) of float64, but should be num",
        ),
        ({"keypoints": np.full((4, 1, 17, 2), "x")}, r".* of <U1, but should be numbers"),
        ({"confidence": np.ones((4, 17))}, r"confidence is \(4, 17\).*one a joint"),
        ({"people": ["a", "b"]}, r"names 2 people, but keypoints are of 1"),
        ({"image_size": [3]}, r"image size is \[3\]: width and height"),
        ({"joints": [f"tail{n}" for n in range(17)]}, r"only 0 of 17 body parts are joints"),
    ],
)
def test_an_npz_whose_arrays_do_not_fit_names_array_and_shape(tmp_path, changes, pattern):
    said = {} if "joints" in changes else {"skeleton": "coco-17"}
    np.savez(tmp_path / "a.npz", **({"keypoints": TRIPLES} | said | changes))

    refused(tmp_path / "a.npz", rf"a\.npz: {pattern}")


def test_an_npz_of_something_else_says_what_it_has(tmp_path):
    np.savez(tmp_path / "a.npz", poses=TRIPLES)

    refused(tmp_path / "a.npz", r"has no array keypoints \(found poses\): name it so, with px in")


# Files that are cut, empty, or of another kind


@pytest.mark.parametrize("name", [*MAKERS, "a.pose", "a.h5"])
def test_a_file_of_no_bytes_is_refused(tmp_path, name):
    if name == "a.h5":
        pytest.importorskip("h5py")
    (tmp_path / name).touch()

    refused(tmp_path / name, rf"{name}: .*(is empty|damaged)", skeleton="coco-17")


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_refused(tmp_path, name, part):
    whole = MAKERS[name](tmp_path / name).read_bytes()
    cut = whole[: int(len(whole) * part)]
    (tmp_path / name).write_bytes(cut)
    refused(tmp_path / name, rf"{name}.*(cut short|damaged|0 of 0 body)", skeleton="coco-17")


@pytest.mark.parametrize("name", [*MAKERS, "a.pose", "a.h5"])
def test_noise_is_refused_by_every_reader(tmp_path, name):
    if name == "a.h5":
        pytest.importorskip("h5py")
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(5000))

    refused(tmp_path / name, rf"^{tmp_path}.*", skeleton="coco-17")


@pytest.mark.parametrize("name", ["a.mp4", "a", "a.c3d", "a.pkl", "a.txt"])
def test_other_endings_are_refused_with_those_that_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    way_out = "save plain arrays" if name == "a.pkl" else r"\.pose"

    refused(tmp_path / name, rf"{name}: .* is not read: .*{way_out}")


def test_files_larger_than_what_is_read_whole_say_what_to_do(tmp_path):
    for name, make in MAKERS.items():
        if name != "a.npz":  # that one is mapped
            refused(make(tmp_path / name), rf"{name}: has .* GB, more than .*(split|save) it",
                    max_bytes=100, skeleton="coco-17")  # fmt: skip


@pytest.mark.parametrize("name", ["a.csv", "b.csv", "mmpose.json", "coco.json"])
def test_frames_before_the_first_that_is_listed_are_told(tmp_path, name):
    """Such files leave frames with nobody out: were there some before the first?"""
    path = tmp_path / name
    joints = [f"{side}_{part}" for part in ("hip", "knee", "ankle") for side in ("left", "right")]
    rows = range(50, 54)
    if name == "a.csv":
        lines = [f"{frame},{joint},{frame},{7 * place}" for frame in rows
                 for place, joint in enumerate(joints)]  # fmt: skip
        path.write_text("\n".join(["frame,joint,x,y", *lines]))
    elif name == "b.csv":
        header = ",".join(f"{joint}_{axis}" for joint in joints for axis in "xy")
        lines = [f"{frame},{','.join(map(str, range(5, 17)))}" for frame in rows]
        path.write_text("\n".join([f"frame,{header}", *lines]))
    elif name == "mmpose.json":
        dump(path, mmpose_video(TRIPLES, start=50))
    else:
        annotations = coco_annotations(TRIPLES, NAMES)
        for each in annotations["annotations"]:
            each["image_id"] = 50 + each["image_id"] - annotations["images"][0]["id"]
        dump(path, annotations | {"images": []})

    keypoints = read_keypoints(path)

    assert len(keypoints) == 4
    assert "frames 50 to 53" in keypoints.source


def test_a_clip_is_asked_for_only_where_there_are_several(tmp_path):
    for name in MAKERS:
        MAKERS[name](tmp_path / name)
        refused(tmp_path / name, r"has no clip 'S9/Run': only VideoPose3D.*leave", clip="S9/Run")
    openpose(tmp_path / "folder", walk(OPENPOSE_BODY_25))
    refused(tmp_path / "folder", r"folder: has no clip 'x'", clip="x")


def test_poses_are_not_taken_for_keypoints_nor_the_other_way_round(tmp_path):
    write_poses(tmp_path / "poses.npz", Poses(np.zeros((2, 1, 17, 3)), H36M_17))
    ours(tmp_path / "keypoints.npz")

    refused(tmp_path / "poses.npz", r"poses\.npz: holds poses, which are lifted already: look at")
    with pytest.raises(FormatError, match=r"keypoints\.npz: holds keypoints, not poses: lift"):
        read_poses(tmp_path / "keypoints.npz")
