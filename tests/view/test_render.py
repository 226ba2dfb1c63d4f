"""Skeletons drawn over videos."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphlift.errors import FormatError
from graphlift.sequences import keypoints_from
from graphlift.skeletons import H36M_17
from graphlift.view.render import CODECS, render

cv2 = pytest.importorskip("cv2")

SHADES = 5


def write_video(path, frames, size=(96, 64), codec="mp4v", fps=30.0):
    """A video whose frame t is of grey 20 + 5 t, darker on the left."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    for t in range(frames):
        image = np.full((size[1], size[0], 3), 20 + SHADES * t, dtype=np.uint8)
        image[:, : size[0] // 4] = 10
        writer.write(image)
    writer.release()
    return path


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    fps, images = capture.get(cv2.CAP_PROP_FPS), []
    while (read := capture.read())[0]:
        images.append(read[1])
    return fps, np.array(images)


def small_keypoints(frames):
    positions = np.random.default_rng(0).uniform(5, 25, (frames, 1, 17, 2))
    return keypoints_from(positions, H36M_17, image_size=(96, 64))


@pytest.mark.parametrize("size", [(96, 64), (97, 65)])
def test_a_frame_in_is_a_frame_out(tmp_path, size):
    video = write_video(tmp_path / "clip.mp4", 20, size)
    told = []

    codec = render(
        video,
        replace(small_keypoints(20), image_size=None),
        tmp_path / "out.mp4",
        progress=lambda *done: told.append(done),
    )

    fps, images = read_video(tmp_path / "out.mp4")
    assert codec in CODECS
    assert fps == 30
    _, source = read_video(video)
    assert images.shape == source.shape
    # Each frame is the one it was, with something drawn at the top left.
    before, after = (np.median(v[:, 40:, 60:], axis=(1, 2, 3)) for v in (source, images))
    np.testing.assert_allclose(after, before, atol=4)
    assert (np.diff(after) > 0).all()
    assert (images[:, 5:25, 5:24].max(axis=(1, 2, 3)) > 100).all()
    assert told == [(t + 1, 20) for t in range(20)]


@pytest.mark.parametrize("frames", [19, 21])
def test_a_motion_of_another_length_is_refused(tmp_path, frames):
    video = write_video(tmp_path / "clip.mp4", 20)

    with pytest.raises(
        FormatError, match=rf"clip\.mp4: has 20 frames, but the motion has {frames}: give the"
    ):
        render(video, small_keypoints(frames), tmp_path / "out.mp4")

    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_frames_are_counted_where_the_header_errs(tmp_path):
    video = write_video(tmp_path / "clip.avi", 40, codec="MJPG")
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 6 // 10])
    there = len(read_video(video)[1])
    assert 0 < there < 40

    render(video, small_keypoints(there), tmp_path / "out.mp4")

    assert len(read_video(tmp_path / "out.mp4")[1]) == there
    with pytest.raises(FormatError, match=f"has {there} frames, but the motion has 40"):
        render(video, small_keypoints(40), tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file, no video"),
        (b"not a video\n" * 50, "no video that can be decoded"),
        (b"\0" * 4096, "no video that can be decoded"),
    ],
)
def test_what_is_no_video_is_refused_by_name(tmp_path, content, words, capfd):
    (tmp_path / "clip.mp4").write_bytes(content)

    with pytest.raises(FormatError, match=rf"clip\.mp4: {words}"):
        render(tmp_path / "clip.mp4", small_keypoints(3), tmp_path / "out.mp4")

    assert not (tmp_path / "out.mp4").exists()
    assert capfd.readouterr().out == ""


def test_a_video_cut_short_is_refused(tmp_path):
    video = write_video(tmp_path / "clip.mp4", 20)
    video.write_bytes(video.read_bytes()[:-200])

    with pytest.raises(FormatError, match=r"clip\.mp4: "):
        render(video, small_keypoints(20), tmp_path / "out.mp4")

    assert not (tmp_path / "out.mp4").exists()


def test_a_missing_video_is_the_systems_error(tmp_path):
    for name in ("none.mp4", "http:/127.0.0.1/clip.mp4", "0"):
        with pytest.raises(FileNotFoundError):
            render(tmp_path / name, small_keypoints(3), tmp_path / "out.mp4")


def test_an_error_on_the_way_leaves_the_old_video_alone(tmp_path):
    video, out = write_video(tmp_path / "clip.mp4", 20), tmp_path / "out.mp4"
    out.write_bytes(b"old")

    def stop(done, _):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(video, small_keypoints(20), out, progress=stop)

    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_a_drawn_video_is_an_mp4_and_not_the_video_itself(tmp_path):
    video = write_video(tmp_path / "clip.mp4", 3)

    with pytest.raises(FormatError, match=r"out\.avi: the drawn video is an \.mp4 file: give"):
        render(video, small_keypoints(3), tmp_path / "out.avi")
    with pytest.raises(FormatError, match=r"clip\.mp4: is the video itself: give the drawn one"):
        render(video, small_keypoints(3), tmp_path / "." / "clip.mp4")

    assert len(read_video(video)[1]) == 3


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    resource = pytest.importorskip("resource")  # POSIX
    video = write_video(tmp_path / "clip.mp4", 40)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(
            OSError, match=r"out\.mp4: could not be written whole: is the disk full"
        ):
            render(video, small_keypoints(40), tmp_path / "out.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_without_opencv_nothing_is_written(tmp_path):
    script = """
import sys
class Ban:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cv2":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Ban())
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from helpers.moving import poses_of, standing
from graphlift.view.render import render
try:
    render(Path(sys.argv[2]), poses_of(standing()), Path(sys.argv[3]))
except ModuleNotFoundError as error:
    print(error.name)
"""
    (tmp_path / "clip.mp4").write_bytes(b"")
    paths = Path(__file__).parents[1], tmp_path / "clip.mp4", tmp_path / "out.mp4"

    run = subprocess.run(
        [sys.executable, "-c", script, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.stdout, run.stderr) == ("cv2\n", "")
    assert not (tmp_path / "out.mp4").exists()
