"""The lift verb: whatever goes in, as many frames come out, in the formats asked for."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.command import assert_refused, here
from helpers.detectors import needs
from helpers.tiny_video import write_video
from test_no_torch import COMMAND, bare

from graphlift.cameras import assumed_camera, camera_to_image
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.formats import read_poses, write_keypoints
from graphlift.formats.npz_members import read_arrays
from graphlift.samples.random_views import UNSEEN_RIG, exact_views, people_of
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17, H36M_17

SIZE = (1280, 720)
SMALL = ("--model", "open-small")


@pytest.fixture(scope="module")
def seen():
    """Keypoints of somebody who was made up, 4 m before a camera of 55°."""
    views = exact_views(people_of(sample_prior("test"), stride=11), UNSEEN_RIG, seed=0)
    px = camera_to_image(views.targets[:40] + np.array([0.2, 0.0, 4.0]), assumed_camera(SIZE))
    return keypoints_from(px, H36M_17, image_size=SIZE, fps=30.0)


@pytest.fixture
def keypoints(seen, tmp_path):
    write_keypoints(tmp_path / "walk.npz", seen)
    return tmp_path / "walk.npz"


def test_keypoints_become_every_kind_of_motion(keypoints, tmp_path):
    names = [f"walk{s}" for s in (".bvh", ".glb", ".c3d", ".trc", ".json", ".csv", ".html")]
    outputs = [tmp_path / "out" / name for name in (*names, "motion.npz")]
    (tmp_path / "out").mkdir()

    said = here("lift", keypoints, *SMALL, *[w for path in outputs for w in ("-o", path)])

    assert said.status == 0, said.err
    written = " ".join(map(str, outputs))
    assert said.out.endswith(f"40 frames at 30 fps, 1 person, open-small -> {written}\n")
    assert all(path.stat().st_size > 1000 for path in outputs)
    poses = read_poses(outputs[-1])
    assert (poses.axes, poses.rooted, len(poses), poses.fps) == ("world", False, 40, 30.0)
    # Upright: on the whole, heads are above hips, and the floor is where feet are.
    up = poses.positions[:, 0, H36M_17.index("Head"), 2] - poses.positions[:, 0, 0, 2]
    assert np.median(up) > 0.3
    assert "graphlift: The lens was assumed to see 55° across 1280 px." in said.err


def test_an_unknown_frame_rate_is_one_everywhere_and_every_note_is_said_once(seen, tmp_path):
    write_keypoints(tmp_path / "k.npz", replace(seen, fps=None))
    outputs = [tmp_path / name for name in ("a.bvh", "b.html", "c.glb", "d.bvh")]

    said = here("lift", tmp_path / "k.npz", *SMALL, *[w for path in outputs for w in ("-o", path)])

    assert said.status == 0, said.err
    assert ": 40 frames at 30 fps (assumed), 1 person, open-small -> " in said.out
    assert "Frame Time: 0.03333" in outputs[0].read_text()
    page = outputs[1].read_text()
    assert page.count("The frame rate is unknown: 30 fps is assumed.") == 1
    assert not re.search(r"unknown: shown at|\b25 fps", page)
    lines = said.err.splitlines()
    assert lines.count("graphlift: The frame rate is unknown: 30 fps is assumed.") == 1
    assert sum("fps" in line for line in lines) == 1
    # What is true of two outputs is said once, and of which.
    assert any(line.startswith("graphlift: a.bvh, d.bvh: ") for line in lines)
    told = [re.sub(r"^graphlift: (\S+, )*\S+\.\w+: ", "", line) for line in lines]
    assert len(told) == len(set(told))


def test_the_sample_is_lifted_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    said = here("lift", "sample", *SMALL, "-o", "x.bvh", "-o", "x.npz")

    assert said.status == 0, said.err
    assert "simulated jumping jacks: 120 frames at 30 fps, 1 person" in said.out
    poses = read_poses(tmp_path / "x.npz")
    wrists, heads = poses.positions[:, 0, H36M_17.index("LWrist", "Head"), 2].T
    # Four jumps a second apart: above the head and down again, each time.
    assert np.count_nonzero(np.diff((wrists > heads).astype(int)) == 1) == 4


def test_a_file_called_sample_comes_before_the_sample(keypoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").mkdir()
    keypoints.rename(tmp_path / "sample" / "walk.npz")

    said = here("lift", "sample", *SMALL, "-o", "out")

    assert said.status == 0, said.err
    assert (tmp_path / "out" / "walk.bvh").exists()
    first = said.err.splitlines()[0]
    assert first.startswith("graphlift: sample: reads the one here, not ")
    assert first.endswith("example_keypoints.npz")


def test_raw_is_what_the_network_says(keypoints, tmp_path):
    said = here("lift", keypoints, *SMALL, "--raw", "-o", tmp_path / "raw.npz")

    poses = read_poses(tmp_path / "raw.npz")
    assert said.status == 0, said.err
    assert (poses.axes, poses.rooted) == ("camera", True)
    assert not poses.positions[:, :, 0].any()


def test_what_the_file_does_not_say_is_asked_for_and_taken(seen, tmp_path):
    np.savez(tmp_path / "bare.npz", keypoints=seen.positions[:, 0])

    unsaid = here("lift", tmp_path / "bare.npz", *SMALL, "-o", tmp_path / "a.npz")
    sized = ("--skeleton", "h36m-17", "--image-size", "1280x720", "--fps", "25")
    said = here("lift", tmp_path / "bare.npz", *SMALL, *sized, "-o", tmp_path / "a.npz")

    assert_refused(unsaid, "bare.npz", "skeleton")
    assert said.status == 0, said.err
    assert read_poses(tmp_path / "a.npz").fps == 25


def test_a_calibrated_camera_tells_the_floor(keypoints, tmp_path):
    (tmp_path / "c.toml").write_text(
        "[a]\nsize = [1280, 720]\nmatrix = [[1229.3, 0, 640], [0, 1229.3, 360], [0, 0, 1]]\n"
        "distortions = [0, 0, 0, 0]\nrotation = [1.5707963, 0, 0]\ntranslation = [0, 1, 0]\n"
    )

    said = here(
        "lift", keypoints, *SMALL, "--camera", f"{tmp_path / 'c.toml'}:a", "-o", tmp_path / "a.npz"
    )

    assert said.status == 0, said.err
    poses = read_poses(tmp_path / "a.npz")
    assert poses.camera is not None
    np.testing.assert_allclose(poses.camera.position, (0, 0, 1), atol=1e-6)
    assert "assumed" not in said.err


def test_openpose_folders_of_coco_are_lifted(seen, tmp_path):
    from graphlift.skeletons import joint_map

    folder = tmp_path / "json"
    folder.mkdir()
    coco = joint_map(H36M_17, COCO_17)(seen.positions[:, 0])
    for frame, joints in enumerate(coco):
        flat = np.column_stack([np.nan_to_num(joints), np.isfinite(joints[:, 0])]).ravel()
        people = [{"pose_keypoints_2d": flat.tolist()}]
        (folder / f"clip_{frame:012}_keypoints.json").write_text(json.dumps({"people": people}))

    said = here(
        "lift", folder, *SMALL, "--skeleton", "coco-17", "--image-size", "1280x720", "--fps", "30",
        "-o", tmp_path / "walk.bvh",
    )  # fmt: skip

    assert said.status == 0, said.err
    assert "Frames: 40" in (tmp_path / "walk.bvh").read_text()


@needs("blazepose")
def test_a_video_in_which_nobody_is_keeps_its_frames(tmp_path):
    video = write_video(tmp_path / "empty.mp4", frames=6)

    said = here(
        "lift", video, *SMALL, "--raw", "-o", tmp_path / "out.npz", "--keypoints",
        tmp_path / "seen.npz",
    )  # fmt: skip

    assert said.status == 0, said.err
    assert len(read_poses(tmp_path / "out.npz")) == 6
    assert len(read_arrays(tmp_path / "seen.npz", max_bytes=1 << 20)["keypoints"]) == 6


def test_an_unknown_or_other_size_of_the_image_is_refused_with_the_name_of_the_file(
    seen, tmp_path
):
    write_keypoints(tmp_path / "k.npz", replace(seen, image_size=None))
    (tmp_path / "c.toml").write_text(
        "[cam]\nsize = [640, 480]\nmatrix = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]\n"
        "rotation = [0, 0, 0]\ntranslation = [0, 0, 0]\ndistortions = [0, 0, 0, 0]\n"
    )
    known = ("--image-size", "1280x720", "--camera", tmp_path / "c.toml")
    out = ("-o", tmp_path / "x.bvh")

    unknown = here("lift", tmp_path / "k.npz", *SMALL, *out)
    middle = here("lift", tmp_path / "k.npz", *SMALL, "--person", "centre", *out)
    other = here("lift", tmp_path / "k.npz", *SMALL, *known, *out)

    assert_refused(unknown, tmp_path / "k.npz", "the size of the image is not known", "WIDTHxH")
    assert_refused(middle, tmp_path / "k.npz", "person centre needs the size of the image")
    assert_refused(other, tmp_path / "k.npz", "the camera's image is 640 x 480 px")


def test_what_cannot_be_lifted_is_refused_before_any_work(keypoints, tmp_path):
    out = ("-o", tmp_path / "x.bvh")

    assert_refused(here("lift", tmp_path / "none.mp4", *out), "nothing at", "none.mp4", "webcam")
    assert_refused(here("lift", keypoints, "-o", tmp_path / "x.xyz"), "x.xyz", ".bvh, .glb")
    assert_refused(
        here("lift", keypoints, *out, "--image-size", "big"), "--image-size big", "x1080"
    )
    assert_refused(here("lift", keypoints, *out, "--model", "best"), "'best'", "open-small")
    assert_refused(here("lift", keypoints, *out, "--camera", tmp_path / "c.toml"), "c.toml")
    video = write_video(tmp_path / "v.mp4")
    refused = here("lift", video, *out, "--skeleton", "coco-17")
    assert_refused(refused, "--skeleton is for keypoints", "leave it out")
    assert not (tmp_path / "x.bvh").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--raw", "--height", "1.8"), ("--height does nothing beside --raw", "leave one")),
        (("--raw", "--smooth", "none"), ("--smooth does nothing beside --raw",)),
        (("--raw", "--no-feet"), ("--feet does nothing beside --raw",)),
        (("--raw", "--refine"), ("--refine does nothing beside --raw",)),
        (
            ("--camera", "c.toml", "--field-of-view", "70"),
            ("--field-of-view does nothing",),
        ),
        (("--detector", "movenet"), ("--detector is for videos", "leave it out")),
        (("--format", ".glb"), ("--format is for a folder of clips",)),
        (("--again",), ("--again is for a folder of clips",)),
        (("--clip", "S9/Run"), ("walk.npz", "has no clip 'S9/Run'", "--clip")),
        (("--height", "178"), ("--height 178: give metres between 0.4 and", "1.80 for 180 cm")),
        (("--height", "nan"), ("--height nan: give metres",)),
        (("--gaps", "-1"), ("--gaps", "lift --help")),
        (("--people", "0"), ("--people", "lift --help")),
    ],
)
def test_options_that_would_do_nothing_are_not_passed_over(keypoints, tmp_path, flags, words):
    assert_refused(here("lift", keypoints, *SMALL, *flags, "-o", tmp_path / "x.npz"), *words)
    assert not (tmp_path / "x.npz").exists()


def test_no_output_replaces_what_is_read_or_another_output(keypoints, tmp_path):
    before = keypoints.read_bytes()
    (tmp_path / "link.npz").symlink_to(keypoints)
    x = tmp_path / "x.npz"

    assert_refused(here("lift", keypoints, *SMALL, "-o", keypoints), "walk.npz: is what is read")
    assert_refused(
        here("lift", keypoints, *SMALL, "-o", x, "--keypoints", tmp_path / "link.npz"),
        "link.npz: is what is read",
    )
    assert_refused(here("lift", keypoints, *SMALL, "-o", x, "-o", x), "x.npz: would be written tw")
    assert_refused(here("lift", keypoints, *SMALL, "-o", x, "--keypoints", x), "written twice")
    assert keypoints.read_bytes() == before
    assert not x.exists()


def test_places_that_cannot_be_written_to_are_refused_before_any_work(tmp_path):
    """A video of nothing at all: an error about the output comes first."""
    (tmp_path / "v.mp4").touch()
    (tmp_path / "full" / "a.html").mkdir(parents=True)
    video = tmp_path / "v.mp4"

    assert_refused(here("lift", video, "-o", video / "x.npz"), "v.mp4 is no folder that can be wr")
    assert_refused(here("lift", video, "-o", tmp_path / "full"), "full: is a folder, and not an e")
    assert_refused(here("lift", video, "-o", tmp_path / "full" / "a.html"), "a.html: is a folder")
    assert_refused(
        here("lift", video, "-o", tmp_path / "x.npz", "--keypoints", tmp_path / "k.json"),
        "k.json: keypoints are written as .npz",
    )
    for suffix, package, extra in (("parquet", "pyarrow", "formats"), ("html", "viser", "viewer")):
        said = bare(COMMAND, "lift", video, "-o", tmp_path / f"x.{suffix}", banned={package})
        assert_refused(said, f"needs {package}: pip install 'graphlift[{extra}]'")


def test_a_video_is_not_worked_through_for_a_model_or_a_camera_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHLIFT_CACHE", str(tmp_path / "cache"))  # no detector either
    video = write_video(tmp_path / "v.mp4")
    (tmp_path / "c.toml").write_text(
        "[a]\nsize = [1280, 720]\nmatrix = [[1229.3, 0, 640], [0, 1229.3, 360], [0, 0, 1]]\n"
        "distortions = []\nrotation = [0, 0, 0]\ntranslation = [0, 0, 0]\n"
    )
    args = ("lift", video, "-o", tmp_path / "x.npz")

    assert_refused(here(*args, "--model", "best"), "'best'", "open-small")
    assert_refused(here(*args, "--camera", tmp_path / "c.toml"), "1280 x 720 px, but", "64 x 48")
    assert_refused(here(*args, "--fps", "nan"), "fps is nan", "number above 0")
    assert not (tmp_path / "cache").exists()


def test_a_pickle_is_no_video(tmp_path):
    (tmp_path / "h36m.pkl").write_bytes(b"x")

    said = here("lift", tmp_path / "h36m.pkl", *SMALL, "-o", tmp_path / "x.npz")

    assert_refused(said, "h36m.pkl", "a pickle can run code")


def test_a_number_that_no_webcam_has_is_refused(tmp_path):
    for number in ("100", "9" * 30):
        said = here("lift", number, "-o", tmp_path / "x.npz")
        assert_refused(said, f"webcam {number} gives no picture")


def test_a_file_does_not_steer_the_terminal(seen, tmp_path):
    write_keypoints(tmp_path / "k.npz", replace(seen, source="\x1b[2Jall\nwell\u202e"))

    said = here("lift", tmp_path / "k.npz", *SMALL, "--raw", "-o", tmp_path / "x.npz")

    assert said.status == 0, said.err
    assert said.out.startswith("?[2Jall well?: 40 frames")


def test_a_folder_of_videos_wants_a_folder(tmp_path):
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4")
    args = ("lift", tmp_path / "videos", "-o", tmp_path / "out")

    assert_refused(here(*args, "-o", tmp_path / "two"), "one folder with -o")
    assert_refused(here(*args, "--format", "xyz"), ".xyz")
    assert_refused(here(*args, "--keypoints", "k.npz"), "--keypoints is for one video")
    assert_refused(here(*args, "--model", "best"), "'best'")
    (tmp_path / "file.npz").touch()
    said = here("lift", tmp_path / "videos", "-o", tmp_path / "file.npz")
    assert_refused(said, "one folder with -o")
    assert not (tmp_path / "out").exists()


def test_lifting_keypoints_needs_no_torch_and_no_extra(keypoints, tmp_path):
    banned = {"torch", "safetensors", "onnx", "onnxscript", "cv2", "viser", "h5py", "pyarrow"}
    said = bare(COMMAND, "lift", keypoints, *SMALL, "-o", tmp_path / "x.bvh", banned=banned)

    assert said.status == 0, said.err
    assert (tmp_path / "x.bvh").exists()


def test_lifting_a_video_names_the_extra(tmp_path):
    video = write_video(tmp_path / "v.mp4")
    said = bare(COMMAND, "lift", video, "-o", tmp_path / "x.bvh", banned={"cv2"})

    assert_refused(said, "this verb needs cv2: pip install 'graphlift[video]'")


def test_who_is_chosen_and_who_is_left_out_is_said(seen, tmp_path):
    """The second person is there for half of the frames only, and half as large."""
    small = 0.5 * seen.positions + 20
    small[::2] = np.nan
    both = np.concatenate([seen.positions, small], axis=1)
    write_keypoints(tmp_path / "two.npz", keypoints_from(both, H36M_17, image_size=SIZE, fps=30.0))

    kept = here("lift", tmp_path / "two.npz", *SMALL, "--people", "1", "-o", tmp_path / "a.npz")
    other = here("lift", tmp_path / "two.npz", *SMALL, "--person", "1", "-o", tmp_path / "b.npz")
    nobody = here("lift", tmp_path / "two.npz", *SMALL, "--person", "9", "-o", tmp_path / "c.npz")

    assert read_poses(tmp_path / "a.npz").people == ("0",)
    assert read_poses(tmp_path / "b.npz").people == ("1",)
    assert "1 other person was left out: 1 (in 50 % of frames)." in kept.err
    assert "1 other person was left out: 0 (in 100 % of frames)." in other.err
    assert nobody.status == 2 or nobody.status == 1
    assert ": no person is called '9'" in nobody.err
    assert "0, 1" in nobody.err


def test_one_frame_is_counted_as_one(seen, tmp_path):
    one = replace(seen, positions=seen.positions[:1], confidence=seen.confidence[:1])
    write_keypoints(tmp_path / "one.npz", one)

    said = here("lift", tmp_path / "one.npz", *SMALL, "--raw", "-o", tmp_path / "w.openpose")

    assert ": 1 frame at 30 fps, 1 person" in said.out
    assert "axes, 1 file; " in said.err
