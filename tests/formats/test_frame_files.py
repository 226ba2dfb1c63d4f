"""Files of one frame each, and frames by image: laid out as each tool lays them out."""

import json
import shutil

import numpy as np
import pytest
from helpers.tiny_keypoints import assert_same, dump, mmpose_image, openpose, refused, walk

from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats import read_keypoints
from graphlift.formats.frame_files import holds_one_clip
from graphlift.skeletons import COCO_17, HALPE_26, OPENPOSE_COCO_18

SIZE = (1280, 720)
TRIPLES = walk(COCO_17, frames=12)
TWO = walk(COCO_17, frames=6, people=2)


def in_fractions(triples, size=SIZE):
    return [people / [*size, 1] for people in triples]


def mmpose_folder(folder, triples, *, start=0):
    for frame, people in enumerate(triples):
        dump(folder / f"{start + frame:06d}.json", mmpose_image(people))
    return folder


def label_lines(people, *, conf=False, ids=None, cls=0, visible=True):
    """Lines as ``Results.save_txt`` writes them: six digits, fractions of the image."""
    for person, joints in enumerate(people):
        flat = joints if visible else joints[:, :2]
        line = [cls, 0.5, 0.5, 0.2, 0.6, *flat.ravel()]
        line += [0.93] if conf else []
        line += [] if ids is None else [ids[person]]
        yield " ".join(f"{number:g}" for number in line)


def labels(folder, triples, *, name="clip_{}", start=1, **how):
    folder.mkdir(parents=True, exist_ok=True)
    for frame, people in enumerate(in_fractions(triples)):
        lines = list(label_lines(people, **how))
        if lines:  # nobody leaves no file
            path = folder / f"{name.format(start + frame)}.txt"
            path.write_text("".join(f"{line}\n" for line in lines))
    return folder


def to_json(people, *, ids=None):
    """A frame as ``Results.to_json`` writes it."""
    return [
        {"name": "person", "class": 0, "confidence": 0.93,
         "box": {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0},
         "keypoints": {"x": joints[:, 0].tolist(), "y": joints[:, 1].tolist(),
                       "visible": joints[:, 2].tolist()}}
        | ({} if ids is None else {"track_id": ids[person]})
        for person, joints in enumerate(people)
    ]  # fmt: skip


def with_neck(triples):
    """COCO's 17 joints in OpenPose's order of 18, as AlphaPose writes cmu and open."""
    left, right = COCO_17.index("LShoulder", "RShoulder")
    neck = triples[..., [left, right], :].mean(axis=-2, keepdims=True)
    of_coco = {name: triples[..., [place], :] for place, name in enumerate(COCO_17.joints)}
    parts = [of_coco.get(name, neck) for name in OPENPOSE_COCO_18.joints]
    return np.concatenate(parts, axis=-2)


def by_image(triples, frame, *, name="{}.jpg"):
    return {name.format(number): frame(people) for number, people in enumerate(triples)}


def cmu(people):
    bodies = [{"joints": joints.ravel().tolist()} for joints in people]
    return {"version": "AlphaPose v0.3", "bodies": bodies}


def as_open(people):
    found = [{"pose_keypoints_2d": joints.ravel().tolist()} for joints in people]
    return {"version": "AlphaPose v0.3", "people": found}


# MMPose's inferencer on images


def test_mmposes_folder_of_images_is_a_clip(tmp_path):
    triples = TRIPLES.copy()
    mmpose_folder(tmp_path, triples)
    dump(tmp_path / "000003.json", [])
    (tmp_path / "000007.json").unlink()

    keypoints = read_keypoints(tmp_path)

    triples[[3, 7]] = 0
    assert_same(keypoints, triples, people=("0",))
    assert keypoints.skeleton is COCO_17
    assert (
        "12 frames, 0 to 11, 1 without a file taken as frames without people" in keypoints.source
    )


def test_the_first_images_may_show_nobody(tmp_path):
    mmpose_folder(tmp_path, [TRIPLES[0][:0], TRIPLES[1][:0], *TRIPLES[2:]])

    assert read_keypoints(tmp_path).seen.any(axis=(1, 2)).tolist() == [False] * 2 + [True] * 10


@pytest.mark.parametrize(
    ("spoil", "pattern"),
    [
        (lambda f: dump(f / "000005.json", {"people": []}), r"000005\.json: is not as MMPose"),
        (lambda f: dump(f / "000005.json", [{"keypoints": 3, "keypoint_scores": 1}]),
         r"000005\.json: instances of frame 5: keypoints of person 0 should be \[\[x, y\]"),
        (lambda f: dump(f / "cover.json", mmpose_image(TRIPLES[0])), r"cover\.json: has no frame"),
        (lambda f: dump(f / "b_000005.json", []), r"holds 2 clips \(, b_\)"),
        (lambda f: dump(f / "000005.json", mmpose_image(walk(HALPE_26)[0])), r"two skeletons in"),
    ],
    ids=["tool", "numbers", "name", "clips", "skeleton"],
)  # fmt: skip
def test_a_spoilt_folder_of_images_names_the_file(tmp_path, spoil, pattern):
    mmpose_folder(tmp_path, TRIPLES)
    spoil(tmp_path)

    refused(tmp_path, pattern)


# ultralytics' save_txt


@pytest.mark.parametrize("conf", [False, True])
@pytest.mark.parametrize("tracked", [False, True])
def test_save_txt_is_sorted_by_number_and_says_who(tmp_path, conf, tracked):
    ids = (7, 4) if tracked else None
    labels(tmp_path / "labels", TWO, conf=conf, ids=ids)

    for place in (tmp_path, tmp_path / "labels"):
        keypoints = read_keypoints(place, image_size=SIZE)

        assert_same(keypoints, TWO, people=("7", "4") if tracked else ("0", "1"), atol=2e-3)
        assert "6 frames, 1 to 6" in keypoints.source


def test_save_txt_of_twelve_frames_does_not_put_the_tenth_after_the_first(tmp_path):
    labels(tmp_path, TRIPLES)

    assert_same(read_keypoints(tmp_path, image_size=SIZE), TRIPLES, atol=2e-3)


def test_frames_without_a_label_file_show_nobody_the_first_of_a_video_too(tmp_path):
    shown = [people[:0] if f in (0, 4) else people for f, people in enumerate(TRIPLES)]
    labels(tmp_path / "video", shown)
    labels(tmp_path / "images", shown, name="clip_{:06d}")

    video = read_keypoints(tmp_path / "video", image_size=SIZE)
    images = read_keypoints(tmp_path / "images", image_size=SIZE)

    there = np.ones(12, dtype=bool)
    there[[0, 4]] = False
    np.testing.assert_array_equal(video.seen.any(axis=(1, 2)), there)
    np.testing.assert_array_equal(images.seen.any(axis=(1, 2)), there[1:])
    assert "2 without a file taken as frames without people" in video.source


@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("visible", [True, False])
def test_joints_of_save_txt_are_told_by_their_number(tmp_path, skeleton, visible):
    triples = walk(skeleton)
    labels(tmp_path, triples, visible=visible, conf=True, ids=(3,))

    keypoints = read_keypoints(tmp_path, image_size=SIZE)

    if not visible:
        triples[..., 2] = 1
    assert keypoints.skeleton is skeleton
    assert_same(keypoints, triples, people=("3",), atol=2e-3)


def append(path, text):
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("spoil", "pattern"),
    [
        (lambda f: append(f / "clip_3.txt", "0 0.5 x\n"), r"clip_3\.txt, line 2: '0 0\.5 x' sho"),
        (lambda f: append(f / "clip_3.txt", "0 0.5 1_0\n"), r"clip_3\.txt, line 2"),
        (lambda f: append(f / "clip_3.txt", "0 .5 .5 .1 .1\n"), r"line 2: 5 numbers are no class"),
        (lambda f: append(f / "clip_3.txt", (f / "clip_3.txt").read_text()), r"line 2: .*twice"),
        (lambda f: labels(f, TRIPLES[:1], cls=2), r"several classes, 0, 2: keep"),
        (lambda f: (f / "classes.txt").write_text("person\n"), r"classes\.txt: has no frame num"),
    ],
    ids=["word", "underscore", "box", "twice", "class", "name"],
)
def test_a_spoilt_save_txt_names_the_line(tmp_path, spoil, pattern):
    labels(tmp_path, TRIPLES)
    spoil(tmp_path)

    refused(tmp_path, pattern, image_size=SIZE)


def test_save_txt_without_the_images_size_says_how_to_give_it(tmp_path):
    labels(tmp_path, TRIPLES)

    refused(tmp_path, r"fractions of the image, .*image_size=\(width, height\) in px \(--image-si")


# ultralytics' to_json


def test_to_json_of_one_frame_of_a_list_and_of_a_folder(tmp_path):
    one = dump(tmp_path / "one.json", to_json(TWO[0]))
    several = dump(tmp_path / "all.json", [to_json(people, ids=(7, 4)) for people in TWO])
    for frame, people in enumerate(TWO):
        dump(tmp_path / "frames" / f"{frame}.json", to_json(people, ids=(7, 4)))

    assert_same(read_keypoints(one), TWO[:1])
    assert_same(read_keypoints(several), TWO, people=("7", "4"))
    assert_same(read_keypoints(tmp_path / "frames"), TWO, people=("7", "4"))


def test_to_json_with_frames_of_nobody_and_in_fractions(tmp_path):
    shown = [
        people[:0] if f in (0, 4) else people for f, people in enumerate(in_fractions(TRIPLES))
    ]
    path = dump(tmp_path / "a.json", [to_json(people) for people in shown])

    keypoints = read_keypoints(path, image_size=SIZE)

    triples = TRIPLES.copy()
    triples[[0, 4]] = 0
    assert_same(keypoints, triples, atol=1e-9)
    assert "fractions taken as px of an image of 1280x720" in keypoints.source
    refused(path, r"fractions of the image; multiply .* or give image_size")


@pytest.mark.parametrize(
    ("spoil", "pattern"),
    [
        (
            lambda frames: frames[1][0]["keypoints"]["x"].pop(),
            r"frame 1: keypoints of person 0 sh",
        ),
        (lambda frames: frames[1][0]["keypoints"].update(y=None), r"frame 1: keypoints of person"),
        (lambda frames: frames.__setitem__(1, 3), r"frame 1 should be a list of objects"),
    ],
)
def test_a_spoilt_to_json_names_frame_and_person(tmp_path, spoil, pattern):
    frames = [to_json(people) for people in TRIPLES]
    spoil(frames)

    refused(dump(tmp_path / "a.json", frames), pattern)


# AlphaPose's cmu and open, and PoseFlow


@pytest.mark.parametrize("frame", [cmu, as_open], ids=["cmu", "open"])
def test_alphaposes_formats_by_image_are_openposes_eighteen_joints(tmp_path, frame):
    eighteen = with_neck(TRIPLES)

    keypoints = read_keypoints(dump(tmp_path / "a.json", by_image(eighteen, frame)))

    assert keypoints.skeleton is OPENPOSE_COCO_18
    assert_same(keypoints, eighteen, atol=1e-9)
    assert "AlphaPose" in keypoints.source


@pytest.mark.parametrize("frame", [cmu, as_open], ids=["cmu", "open"])
def test_alphaposes_neck_is_between_the_shoulders_whatever_it_wrote(tmp_path, frame):
    """Its index is right for 17 joints; of Halpe's 26 it takes the head for the neck."""
    eighteen = with_neck(TRIPLES)
    wrong = eighteen.copy()
    wrong[..., OPENPOSE_COCO_18.joints.index("Neck"), :2] -= 300

    assert_same(
        read_keypoints(dump(tmp_path / "a.json", by_image(wrong, frame))), eighteen, atol=1e-9
    )


def test_alphaposes_separate_files_are_a_folder(tmp_path):
    eighteen = with_neck(TRIPLES)
    for number, people in enumerate(eighteen):
        dump(tmp_path / "cmu" / f"{number}.json", cmu(people))
        dump(tmp_path / "open" / f"{number}.json", as_open(people))

    for folder in ("cmu", "open"):
        assert_same(read_keypoints(tmp_path / folder), eighteen, atol=1e-9)


def test_poseflows_ids_are_used_and_images_with_nobody_are_frames(tmp_path):
    data = {
        f"img/{number:04d}.jpg": [
            {"keypoints": joints.ravel().tolist(), "scores": 2.5, "idx": (9, 5)[person]}
            for person, joints in enumerate(people)
        ]
        for number, people in enumerate(TWO)
    }
    data["img/0006.jpg"] = []

    keypoints = read_keypoints(dump(tmp_path / "a.json", data))

    assert_same(keypoints, np.concatenate([TWO, 0 * TWO[:1]]), people=("9", "5"))
    assert keypoints.source.startswith("PoseFlow JSON")


def test_images_that_are_missing_between_two_are_frames_with_nobody(tmp_path):
    data = by_image(with_neck(TRIPLES), cmu)
    del data["0.jpg"], data["5.jpg"]

    seen = read_keypoints(dump(tmp_path / "a.json", data)).seen.any(axis=(1, 2))

    assert np.flatnonzero(~seen).tolist() == [0, 5]


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ({"x.jpg": cmu([])}, r"image_id 'x\.jpg' has no frame number"),
        ({"b/1.jpg": cmu([])}, r"images of two names have one number"),
        ({"1.jpg": {"bodies": 3}}, r"1\.jpg: bodies should be a list of objects"),
        ({"1.jpg": {"bodies": [{"joints": [1, 2, 3]}]}}, r"1\.jpg: joints of person 0 are 1, but"),
        ({"1.jpg": [{"keypoints": [1, 2]}]}, r"1\.jpg: keypoints of person 0 should be x, y"),
        ({"1.jpg": 3}, r"JSON of no kind that is known"),
    ],
)
def test_spoilt_frames_by_image_are_named(tmp_path, change, pattern):
    refused(dump(tmp_path / "a.json", by_image(with_neck(TRIPLES), cmu) | change), pattern)


# Seventeen joints in OpenPose's JSON


def test_seventeen_joints_in_openposes_json_are_cocos_and_said_to_be(tmp_path):
    keypoints = read_keypoints(openpose(tmp_path, TRIPLES))

    assert keypoints.skeleton is COCO_17
    assert_same(keypoints, TRIPLES)
    assert "17 joints taken as COCO's" in keypoints.source


def test_what_the_caller_says_of_seventeen_joints_is_no_assumption(tmp_path):
    keypoints = read_keypoints(openpose(tmp_path, TRIPLES), skeleton="h36m-17")

    assert keypoints.skeleton.name == "h36m-17"
    assert "taken as" not in keypoints.source


def test_the_most_common_skeleton_is_suggested_first(tmp_path):
    with pytest.raises(FormatError, match=r"17 joints may be coco-17, .*--skeleton coco-17"):
        read_keypoints(np.ones((3, 17, 2)))
    refused(openpose(tmp_path, TRIPLES[:, :, :16]), r"16 joints may be mpii-16 or h36m-16")


# One clip of many files, or many clips


def test_one_clip_of_many_files_is_told_from_many_clips(tmp_path):
    clips = {
        "mmpose": mmpose_folder(tmp_path / "mmpose", [TRIPLES[0][:0], *TRIPLES]),
        "labels": labels(tmp_path / "yolo" / "labels", TRIPLES).parent,
        "openpose": openpose(tmp_path / "openpose", TRIPLES),
    }
    for path in (tmp_path / "clips" / "a.json", tmp_path / "clips" / "b.json"):
        dump(path, [{"frame_id": 0, "instances": mmpose_image(TRIPLES[0])}])
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "readme.txt").write_text("5 people walk\n1 2 3\n")

    assert all(holds_one_clip(folder) for folder in clips.values())
    assert not holds_one_clip(tmp_path / "clips")
    assert not holds_one_clip(notes)
    assert not holds_one_clip(tmp_path)
    refused(notes, r"no keypoints in .*: a folder should hold OpenPose's", DatasetNotFoundError)


def test_a_file_of_the_folder_that_is_cut_short_is_named(tmp_path):
    mmpose_folder(tmp_path / "a", TRIPLES)
    path = tmp_path / "a" / "000004.json"
    path.write_text(json.dumps(mmpose_image(TRIPLES[4]))[:200])

    refused(tmp_path / "a", r"000004\.json: cannot be read as JSON")
    shutil.rmtree(tmp_path / "a")
