"""Frames at uneven times, and keypoints put at even ones."""

import cv2
import numpy as np
import pytest
from helpers.tiny_video import picture, set_times, write_video
from hypothesis import given
from hypothesis import strategies as st

from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17
from graphlift.video.detect import Detector, detect_people, stream_people
from graphlift.video.frames import open_video
from graphlift.video.regions import DetectedPerson, Region
from graphlift.video.times import LONGEST_STEP, at_even_times, even_times
from graphlift.view.render import render

SLOW = [1 / 60] * 20 + [1 / 20] * 20
"""s; a phone that goes from 60 to 20 frames a second where it gets dark."""


def moving(times, speed=100.0):
    """Joints that move by ``speed`` px a second, and down at twice that."""
    x = speed * np.asarray(times)[:, None] + np.arange(17)
    return np.stack([x, 2 * x + 5, np.full_like(x, 0.8)], axis=-1)


def made(times, **fields):
    return keypoints_from(moving(times), COCO_17, image_size=(640, 480), source="x", **fields)


def shown_at(steps):
    return np.cumsum([0.0, *steps])[: len(steps)]


def test_uniform_motion_at_uneven_times_is_uniform_at_even_ones():
    times = shown_at(SLOW)

    even = at_even_times(made(times, fps=30.0), times.tolist())

    assert even.fps == 60
    assert len(even) == 20 + 3 * 19 + 1  # 60 a second up to the last frame
    np.testing.assert_allclose(even.positions[:, 0], moving(np.arange(len(even)) / 60)[..., :2])
    np.testing.assert_allclose(even.confidence, 0.8)
    assert even.source == "x, 40 frames 17 to 50 ms apart interpolated to 78 at 60 fps"


@pytest.mark.parametrize("fps", [24, 25, 30000 / 1001, 60, 240])
@pytest.mark.parametrize("digits", [3, 6])
def test_even_times_stay_however_they_are_rounded(fps, digits):
    times = np.round(np.arange(500) / fps, digits)
    keypoints = made(times, fps=fps)

    assert even_times(times) is None
    assert at_even_times(keypoints, times.tolist()) is keypoints


def test_a_header_that_errs_gives_way_to_the_frames():
    times = np.arange(50) / 50

    for stated in (None, 25.0):
        even = at_even_times(made(times, fps=stated), times.tolist())
        assert even.fps == pytest.approx(50)
        assert even.source == "x, 50 fps by the frames' times"


def test_one_dropped_frame_is_filled_in():
    times = np.delete(np.arange(100) / 30, 40)

    even = at_even_times(made(times, fps=30.0), times.tolist())

    assert (len(even), even.fps) == (100, 30)
    np.testing.assert_allclose(even.positions[:, 0], moving(np.arange(100) / 30)[..., :2])


def test_nothing_is_made_up_in_a_pause_or_where_a_joint_is_not_seen():
    times = np.concatenate([np.arange(30) / 30, 3 + np.arange(30) / 30])
    keypoints = made(times, fps=30.0)
    keypoints.positions[10, 0, 4], keypoints.confidence[10, 0, 4] = np.nan, 0

    even = at_even_times(keypoints, times.tolist())

    at = np.arange(len(even)) / 30
    pause = (at > 29.5 / 30) & (at < 3 - 0.5 / 30)
    assert pause.sum() / 30 > LONGEST_STEP
    np.testing.assert_array_equal(even.seen[:, 0, 0], ~pause)
    assert not even.seen[10, 0, 4]
    assert even.seen[[9, 11], 0, 4].all()
    assert (even.confidence > 0).tolist() == even.seen.tolist()


@pytest.mark.parametrize(
    "times",
    [[0.0] * 5, [0, 1, 2, 1, 2], [0, 0.1, 90_000.0, 90_000.1], [None] * 5, [], [0.0], [0, 3]],
)
def test_what_are_no_times_changes_nothing(times):
    keypoints = made(np.zeros(len(times)), fps=30.0)

    assert at_even_times(keypoints, times) is keypoints


@given(st.lists(st.floats(1e-3, 20), min_size=3, max_size=60))
def test_any_times_give_a_clip_of_the_same_length(steps):
    times = shown_at(steps)
    even = even_times(times)

    if even is not None:
        last, step = even.times[-1], 1 / even.fps
        assert even.times[0] == times[0]
        assert times[-1] - step <= last <= times[-1] + step
        assert len(even.times) <= 11 * len(times)
        distance = np.abs(times[even.nearest(times)] - even.times)
        np.testing.assert_allclose(distance, np.abs(times[:, None] - even.times).min(axis=0))


# Videos


def follow_the_square(images):
    """A detector that sees the bright square of the tiny videos as every joint."""
    for image in images:
        rows, columns = np.nonzero(image[..., 0] > 128)
        joints = np.tile([columns.mean(), rows.mean(), 0.9], (17, 1))
        yield image, [DetectedPerson(joints, Region((32, 24), (64, 48)), 0.9)]


SQUARE = Detector("square", COCO_17, 1, follow_the_square)


@pytest.fixture
def uneven(tmp_path):
    return set_times(write_video(tmp_path / "vfr.mp4", 6), [0.04, 0.04, 0.04, 0.12, 0.12, 0.04])


def test_frames_have_the_times_that_the_file_says(uneven):
    times = [time for time, _ in open_video(uneven).timed_frames()]

    np.testing.assert_allclose(times, [0, 0.04, 0.08, 0.12, 0.24, 0.36], atol=1e-4)
    assert [seen.time for seen in stream_people(open_video(uneven), SQUARE)] == times


def test_a_video_of_uneven_steps_becomes_keypoints_of_even_ones(uneven):
    keypoints = detect_people(uneven, detector=SQUARE)

    assert (len(keypoints), keypoints.fps) == (10, 25)
    # The square moves by 8 px a frame, at 0, 1, 2, 3, 6 and 9 steps of 0.04 s.
    expected = np.interp(np.arange(10), [0, 1, 2, 3, 6, 9], 3.5 + 8 * np.arange(6))
    np.testing.assert_allclose(keypoints.positions[:, 0, 0, 0], expected, atol=0.6)
    assert "6 frames 40 to 120 ms apart interpolated to 10 at 25 fps" in keypoints.source


def test_a_given_frame_rate_stands_above_the_times(uneven):
    keypoints = detect_people(uneven, detector=SQUARE, fps=100)

    assert (len(keypoints), keypoints.fps) == (6, 100)


def test_images_and_even_videos_keep_their_frames(tmp_path):
    even = write_video(tmp_path / "even.mp4", 7, fps=20.0)
    cv2.imwrite(str(tmp_path / "0.png"), cv2.cvtColor(picture(0), cv2.COLOR_RGB2BGR))

    assert len(detect_people(even, detector=SQUARE)) == 7
    assert detect_people(even, detector=SQUARE).fps == 20
    assert [seen.time for seen in stream_people(open_video(tmp_path / "0.png"), SQUARE)] == [None]


def test_poses_at_even_times_are_drawn_on_the_nearest_frame(uneven, tmp_path):
    keypoints = detect_people(uneven, detector=SQUARE)
    nobody = keypoints_from(np.full((10, 17, 2), np.nan), COCO_17, image_size=(64, 48), fps=25.0)

    render(uneven, nobody, tmp_path / "drawn.mp4")

    drawn = [image for _, image in open_video(tmp_path / "drawn.mp4").timed_frames()]
    assert (len(drawn), open_video(tmp_path / "drawn.mp4").fps) == (10, 25)
    # Even times are 0 to 9 steps of 0.04 s; the frames are at 0, 1, 2, 3, 6 and 9 of them.
    for image, frame in zip(drawn, [0, 1, 2, 3, 3, 4, 4, 4, 5, 5], strict=True):
        columns = np.nonzero(image[..., 0] > 128)[1]
        assert columns.mean() == pytest.approx(3.5 + 8 * frame, abs=1.5)
    assert len(keypoints) == 10
