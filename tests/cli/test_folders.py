"""A folder of clips, and files that ``lift`` does not take."""

import json
import os

import numpy as np
import pytest
from cli.test_lift import SMALL, seen  # noqa: F401  # a fixture
from helpers.command import assert_refused, here
from helpers.readback import moving
from helpers.tiny_video import write_video
from test_no_torch import COMMAND, bare

from graphlift.cli.folders import holds_one_clip, keypoint_clips, other_files, through_folder
from graphlift.cli.sources import kind_of
from graphlift.errors import ConfigError, FormatError
from graphlift.formats import read_poses, write_keypoints, write_poses
from graphlift.video.frames import open_video, videos_in


def write_openpose(folder, frames=12):
    folder.mkdir()
    rng = np.random.default_rng(3)
    joints = rng.uniform(100, 600, (25, 2))
    for frame in range(frames):
        flat = np.column_stack([joints + frame, np.full(25, 0.9)]).ravel().tolist()
        content = {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": flat}]}
        name = f"{folder.name}_{frame:012d}_keypoints.json"
        (folder / name).write_text(json.dumps(content))


@pytest.fixture
def clips(seen, tmp_path):  # noqa: F811
    """Two clips of keypoints, one broken, two files that are none, and folders."""
    folder = tmp_path / "clips"
    folder.mkdir()
    write_keypoints(folder / "a.npz", seen)
    write_openpose(folder / "walk")
    (folder / "broken.csv").write_text("frame,nose_x\n0,1\n")
    (folder / "notes.txt").touch()
    (folder / ".hidden.csv").touch()
    (folder / "empty").mkdir()
    (folder / "deeper").mkdir()
    write_keypoints(folder / "deeper" / "more.npz", seen)
    return folder


def test_a_folder_within_that_may_not_be_read_is_named_and_ends_nothing(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user may read every folder")

    assert other_files(tmp_path, [], ".npz") == ["locked/"]


def test_a_folder_of_clips_is_lifted_and_what_failed_is_said_at_the_end(clips, tmp_path):
    out = tmp_path / "motion"
    args = ("lift", clips, *SMALL, "--raw", "--format", "json", "-o", out)
    args += ("--image-size", "1280x720", "--fps", "30")

    said = here(*args)

    assert said.status == 1
    assert said.out.splitlines()[-1] == f"{clips}: 2 done, 1 failed: broken.csv"
    assert said.err.splitlines()[-1].startswith("graphlift: failed: broken.csv: ")
    assert "only 1 of 1 body parts" in said.err.splitlines()[-1]
    assert "not clips, left alone: deeper/, notes.txt" in said.err
    assert sorted(path.name for path in out.iterdir()) == ["a.json", "walk.json"]
    assert (len(read_poses(out / "a.json")), len(read_poses(out / "walk.json"))) == (40, 12)

    (clips / "broken.csv").unlink()
    again = here(*args)

    assert (again.status, again.out) == (0, f"{clips}: 0 done, 2 skipped (already there)\n")


def test_a_folder_of_clips_takes_what_fits_them_and_replaces_none(clips, tmp_path):
    out = ("-o", tmp_path / "motion")

    assert_refused(here("lift", clips, *out, "--detector", "movenet"), "--detector is for videos")
    assert_refused(here("lift", clips, *out, "--clip", "x"), "--clip is for one file")
    assert_refused(here("lift", clips, *out, "--model", "best"), "'best'")
    assert_refused(here("lift", clips, *out, "-o", tmp_path / "two"), "one folder with -o")
    (clips / "notes.txt").unlink()
    refused = here("lift", clips, "-o", clips, "--format", ".npz", *SMALL)
    assert_refused(refused, clips / "a.npz", "is what is read")
    (tmp_path / "link").symlink_to(clips)
    around = here("lift", clips, "-o", tmp_path / "link", "--format", ".npz", "--again", *SMALL)
    assert_refused(around, "link/a.npz: is what is read")
    assert not (tmp_path / "motion").exists()


def test_frames_of_one_clip_are_told_from_clips(clips, tmp_path):
    assert [path.name for path in keypoint_clips(clips)] == ["a.npz", "broken.csv", "walk"]
    assert kind_of(str(clips)) == "clips"
    assert kind_of(str(clips / "walk")) == "keypoints"
    assert kind_of(str(clips / "empty")) == "keypoints"  # and the reader says what is missing
    for text in (
        '[{"keypoints": [[1, 2]], "keypoint_scores": [1]}]',
        '{"people": []}',
        '{"peo',  # damaged: for the reader of frames to say
    ):
        (clips / "empty" / "0.json").write_text(text)
        assert holds_one_clip(clips / "empty")
    for text in ('{"instance_info": []}', '[{"image_id": 1}]', '{"frames": [], "people": []}'):
        (clips / "empty" / "0.json").write_text(text)
        assert not holds_one_clip(clips / "empty")
        assert kind_of(str(clips / "empty")) == "clips"


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".c3d", ".trc", ".parquet", ".json", ".csv"])
def test_motion_in_3d_is_not_lifted_again(tmp_path, suffix):
    write_poses(tmp_path / f"walk{suffix}", moving(3))

    said = here("lift", tmp_path / f"walk{suffix}", "-o", tmp_path / "x.npz")

    assert_refused(said, f"walk{suffix}", "motion in 3D", "graphlift view", "graphlift convert")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("walk.fbx", ("in 3D", "export .bvh or .glb")),
        ("walk.amc", ("graphlift data prepare mocap",)),
        ("calib.toml", ("--camera",)),
        ("best.onnx", ("--model",)),
        ("page.html", ("open it in a browser",)),
        ("walk.xyz", (".xyz is no kind of keypoints that is known", ".json", "nor a video")),
        ("walk", ("a name without suffix", "nor a video")),
    ],
)
def test_a_file_of_another_kind_is_told_where_it_belongs(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"anything at all")

    assert_refused(here("lift", tmp_path / name, "-o", tmp_path / "x.npz"), name, *words)


def test_an_unknown_file_is_no_reason_to_ask_for_opencv_alone(tmp_path):
    (tmp_path / "walk.xyz").write_bytes(b"anything at all")

    said = bare(COMMAND, "lift", tmp_path / "walk.xyz", "-o", tmp_path / "x.npz", banned={"cv2"})

    assert_refused(said, ".xyz is no kind of keypoints", "pip install 'graphlift[video]'")


def test_a_video_of_any_name_is_one_alone_and_a_gif_in_a_folder_too(tmp_path):
    write_video(tmp_path / "a.mp4").rename(tmp_path / "a.recording")
    assert kind_of(str(tmp_path / "a.recording")) == "video"
    (tmp_path / "a.recording").rename(tmp_path / "a.gif")

    assert kind_of(str(tmp_path / "a.gif")) == "video"
    assert kind_of(str(tmp_path)) == "videos"
    assert open_video(tmp_path / "a.gif").size == (64, 48)


def test_a_damaged_video_is_still_said_to_be_one(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing")

    assert kind_of(str(tmp_path / "a.mp4")) == "video"
    with pytest.raises(FormatError, match="no video that can be decoded"):
        open_video(tmp_path / "a.mp4")


@pytest.fixture
def folder(tmp_path):
    for name in ("a.mp4", "b.mov", "c.avi", "notes.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def copy(video, output):
    if video.name == "b.mov":
        raise FormatError(f"{video}: broken")
    output.write_text(video.read_text().upper())


def test_a_folder_goes_on_after_a_failure_and_skips_what_is_there(folder, capsys):
    out = folder / "out"
    out.mkdir()
    (out / "a.bvh").write_text("kept")

    passed = through_folder(videos_in(folder), out, ".bvh", copy)

    assert (passed.done, passed.skipped) == (("c.avi",), ("a.mp4",))
    assert passed.failed == (("b.mov", f"{folder / 'b.mov'}: broken"),)
    assert str(passed) == "1 done, 1 skipped (already there), 1 failed: b.mov"
    assert (out / "a.bvh").read_text() == "kept"
    assert (out / "c.bvh").read_text() == "C.AVI"
    assert f"b.mov left out: {folder / 'b.mov'}: broken" in capsys.readouterr().err


def test_files_of_several_people_count_as_there(folder):
    """``x.bvh`` of several people is ``x.NAME.bvh``; another video's file is not one of them."""
    for name in ("c.2.avi", "c.0.bvh", "a.b.mp4", "a.b.bvh"):
        (folder / name).write_text(name)
    (folder / "b.mov").unlink()

    passed = through_folder(videos_in(folder), folder, ".bvh", copy)

    assert passed.skipped == ("a.b.mp4", "c.avi")
    assert passed.done == ("a.mp4", "c.2.avi")


def test_a_clip_that_was_killed_between_the_files_of_its_people_is_done_again(folder):
    out, people = folder / "out", []

    def killed(clip, output):
        output.with_name(f"{output.stem}.Ada{output.suffix}").write_text("whole")
        raise SystemExit  # as far as what is left is concerned

    def both(clip, output):
        people.append(clip.name)
        for name in ("Ada", "Bob"):
            output.with_name(f"{output.stem}.{name}{output.suffix}").write_text("whole")

    with pytest.raises(SystemExit):
        through_folder(videos_in(folder), out, ".bvh", killed)
    again = through_folder(videos_in(folder), out, ".bvh", both)
    then = through_folder(videos_in(folder), out, ".bvh", both)

    assert (again.done[0], again.skipped) == ("a.mp4", ())
    assert then.skipped == again.done
    assert not list(out.glob(".*"))


def test_a_clip_that_fails_leaves_nothing(folder):
    through_folder(videos_in(folder), folder / "out", ".bvh", copy)

    assert not list((folder / "out").glob(".*"))


def test_everything_is_made_again_if_asked_for(folder):
    (folder / "b.mov").unlink()
    through_folder(videos_in(folder), folder, ".bvh", copy)
    (folder / "a.bvh").write_text("old")

    passed = through_folder(videos_in(folder), folder, ".bvh", copy, again=True)

    assert passed.done == ("a.mp4", "c.avi")
    assert (folder / "a.bvh").read_text() == "A.MP4"


def test_two_videos_of_one_name_are_refused_before_any_is_worked_on(folder):
    (folder / "a.mov").touch()

    with pytest.raises(ConfigError, match=r"a\.mov and .*a\.mp4 would both become .*a\.bvh"):
        through_folder(videos_in(folder), folder / "out", ".bvh", copy)
    assert not (folder / "out").exists()
