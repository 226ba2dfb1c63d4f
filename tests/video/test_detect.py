"""From a video to keypoints: frames out = frames in, people keep their columns."""

from functools import partial

import cv2
import numpy as np
import pytest
from helpers.detectors import needs
from helpers.drawn_person import draw_person, empty, joints
from video.test_rtmpose import write_model

from graphlift.errors import ConfigError, FormatError, ModelError
from graphlift.skeletons import COCO_17, MEDIAPIPE_33
from graphlift.tracking import PATIENCE
from graphlift.video import Detector, detect_people, load_detector, open_video, stream_people
from graphlift.video.detect import Seats
from graphlift.video.regions import DetectedPerson, Region, follow

SIZE = (160, 96)


def film(path, frames, size=SIZE, fps=20.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
    for image in frames:
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def squares(*centres):
    """A dark image with bright squares of 12 px."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for x, y in centres:
        image[y - 6 : y + 6, x - 6 : x + 6] = 230
    return image


def blobs(image):
    """Bright squares as people whose joints spread over them."""
    _, _, stats, centres = cv2.connectedComponentsWithStats((image[..., 1] > 120).astype(np.uint8))
    found = [each for each, stat in zip(centres[1:], stats[1:], strict=True) if stat[4] > 30]
    spread = 12 * np.random.default_rng(0).random((17, 2)) - 6
    return [
        DetectedPerson(
            np.column_stack([spread + xy, np.full(17, 0.8)]), 0.9, Region(tuple(xy), (30, 30))
        )
        for xy in found
    ]


def blob_detector(people):
    """Follows bright squares: reads one near each region, finds all."""

    def read(image, regions):
        near = [
            min(blobs(image), key=lambda p, r=region: abs(p.region.centre[0] - r.centre[0]))
            for region in regions
            if blobs(image)
        ]
        return [
            person
            for person, region in zip(near, regions, strict=False)
            if abs(person.region.centre[0] - region.centre[0]) < 12
        ]

    watch = partial(
        follow, read=read, find=lambda image: [p.region for p in blobs(image)], people=people
    )
    return Detector("blobs", COCO_17, people, watch)


def middle(keypoints, frame, person):
    return keypoints.positions[frame, person].mean(axis=0)


def test_as_many_frames_come_out_as_go_in_and_nobody_is_nan(tmp_path):
    here = [None, None, 40, 46, 52, None, None, 70, 76, None]
    images = [squares((x, 50)) if x else squares() for x in here]
    told = []

    keypoints = detect_people(
        film(tmp_path / "clip.mp4", images),
        detector=blob_detector(1),
        progress=lambda done, of: told.append((done, of)),
    )

    assert keypoints.positions.shape == (10, 1, 17, 2)
    assert keypoints.seen.all(axis=2)[:, 0].tolist() == [x is not None for x in here]
    assert (keypoints.confidence[~keypoints.seen] == 0).all()
    np.testing.assert_allclose(keypoints.confidence[keypoints.seen], 0.8)
    assert all(abs(middle(keypoints, k, 0)[0] - x) < 4 for k, x in enumerate(here) if x)
    assert (keypoints.image_size, keypoints.fps, keypoints.people) == (SIZE, 20, ("0",))
    assert keypoints.source == f"{tmp_path / 'clip.mp4'} by blobs"
    assert told == [(k, 10) for k in range(1, 11)]


def test_a_video_of_nobody_is_one_person_who_is_never_there(tmp_path):
    keypoints = detect_people(
        film(tmp_path / "clip.mp4", [squares()] * 4), detector=blob_detector(2)
    )

    assert keypoints.positions.shape == (4, 1, 17, 2)
    assert not keypoints.seen.any()


def test_people_who_pass_keep_their_columns(tmp_path):
    path = [(30 + 3 * k, 30, 130 - 3 * k, 66) for k in range(24)]
    images = [squares((a, b), (c, d)) for a, b, c, d in path]

    keypoints = detect_people(film(tmp_path / "clip.mp4", images), detector=blob_detector(2))

    assert keypoints.people == ("0", "1")
    first, second = (0, 1) if middle(keypoints, 0, 0)[1] < 48 else (1, 0)
    for frame, (a, b, c, d) in enumerate(path):
        np.testing.assert_allclose(middle(keypoints, frame, first), (a, b), atol=4)
        np.testing.assert_allclose(middle(keypoints, frame, second), (c, d), atol=4)


def test_a_stream_gives_each_image_with_its_people(tmp_path):
    video = open_video(film(tmp_path / "clip.mp4", [squares(), squares((40, 50)), squares()]))

    seen = list(stream_people(video, blob_detector(1)))

    assert [each.frame for each in seen] == [0, 1, 2]
    assert [each.ids for each in seen] == [(), ("0",), ()]
    assert all(each.image.shape == (SIZE[1], SIZE[0], 3) for each in seen)
    assert seen[1].keypoints(COCO_17).shape == (1, 17, 3)
    assert seen[0].keypoints(COCO_17).shape == (0, 17, 3)


def test_an_rtmpose_model_reads_a_person_who_fills_the_frame(tmp_path):
    path = write_model(tmp_path / "mine.onnx")
    detector = load_detector(path, finder="frame")
    places = [(60, 40), (63, 42), (66, 44)]

    keypoints = detect_people(
        film(tmp_path / "clip.mp4", [squares(place) for place in places]), detector=detector
    )

    assert keypoints.skeleton is COCO_17
    assert keypoints.source.endswith("clip.mp4 by mine.onnx")
    np.testing.assert_allclose(keypoints.positions[:, 0].mean(axis=1), places, atol=9)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("openpose", {}, ("'openpose'", "blazepose, blazepose-lite", "RTMPose .onnx")),
        ("blazepose", {"people": 0}, ("0 people", "one or more")),
        ("movenet", {"people": 7}, ("7 people", "6 at most", "fewer")),
        ("blazepose", {"people": 9}, ("9 people", "finder blazepose")),
        ("blazepose", {"finder": "frame"}, ("finder frame", "RTMPose")),
        ("x.onnx", {"finder": "frame", "people": 2}, ("finder frame", "one person")),
    ],
)
def test_what_no_detector_does_is_refused(name, options, words):
    with pytest.raises(ModelError) as caught:
        load_detector(name, **options)

    assert all(word in str(caught.value) for word in words), caught.value


def test_a_video_that_cannot_be_read_is_refused_before_any_detector_is_loaded(tmp_path):
    (tmp_path / "clip.mp4").touch()

    with pytest.raises(FormatError, match="empty file"):
        detect_people(tmp_path / "clip.mp4")


def walk(frames):
    """Somebody drawn who walks right; nobody in the first two frames and the last."""
    places = [None, None, *((200 + 6 * k, 320) for k in range(frames - 3)), None]
    return places, [draw_person(empty(), place) if place else empty() for place in places]


@needs("blazepose")
def test_blazepose_follows_a_drawn_person_who_comes_and_goes(tmp_path):
    places, images = walk(10)

    keypoints = detect_people(film(tmp_path / "clip.mp4", images, (480, 640)))

    assert keypoints.skeleton is MEDIAPIPE_33
    assert keypoints.seen.any(axis=2)[:, 0].tolist() == [bool(place) for place in places]
    for frame, place in enumerate(places):
        if place:
            expected = joints(place)
            seen = keypoints.positions[frame, 0, MEDIAPIPE_33.index(*expected)]
            assert np.abs(seen - list(expected.values())).max() < 25


@needs("blazepose")
@needs("movenet")
def test_movenet_finds_those_whom_blazepose_reads(tmp_path):
    places = [((150 + 5 * k, 320), (700 - 5 * k, 330)) for k in range(7)]
    images = [draw_person(draw_person(empty((900, 640)), a), b, 0.8) for a, b in places]

    keypoints = detect_people(film(tmp_path / "clip.mp4", images, (900, 640)), people=2)

    assert len(keypoints.people) == 2
    assert keypoints.seen.all()
    left = int(keypoints.positions[0, 1, 0, 0] < keypoints.positions[0, 0, 0, 0])
    for frame, (a, b) in enumerate(places):
        for person, expected in ((left, joints(a)), (1 - left, joints(b, 0.8))):
            seen = keypoints.positions[frame, person, MEDIAPIPE_33.index(*expected)]
            assert np.abs(seen - list(expected.values())).max() < 25


def test_a_bystander_is_left_out_and_named_and_can_be_chosen_instead(tmp_path):
    """The one is there for all of the film; the other is found by the next search."""
    images = [squares((30, 30))] * 11 + [squares((30, 30), (130, 70))] * 49
    clip = film(tmp_path / "clip.mp4", images)

    kept = detect_people(clip, detector=blob_detector(1))
    other = detect_people(clip, detector=blob_detector(1), person="1")
    both = detect_people(clip, detector=blob_detector(2))

    assert (kept.people, other.people, both.people) == (("0",), ("1",), ("0", "1"))
    assert kept.seen.any(axis=2).all()
    assert middle(other, 59, 0)[0] > 100
    assert kept.notes[-1].startswith("1 other person was left out: 1 (in 50 % ")
    assert both.notes == ()
    with pytest.raises(ConfigError, match=r"clip\.mp4: no person is called '7'"):
        detect_people(clip, detector=blob_detector(1), person="7")


def test_the_film_of_one_person_never_changes_person_and_says_so(tmp_path):
    """Whoever was followed is gone for good, and a bystander far away is found."""
    images = [squares((20, 30))] * 20 + [squares((140, 70))] * 10

    keypoints = detect_people(film(tmp_path / "clip.mp4", images), detector=blob_detector(1))

    assert keypoints.people == ("0",)
    assert keypoints.seen.any(axis=2)[:, 0].tolist() == [True] * 20 + [False] * 10
    assert "Person 1 begins in frame 20, " in keypoints.notes[0]
    assert keypoints.notes[1] == "1 other person was left out: 1 (in 33 % of frames)."


def test_a_stream_shows_the_same_person_until_they_are_away_for_long():
    seats = Seats(1)
    sizes = np.array([10.0, 40.0])

    shown = [seats.update((0, 1), sizes)]
    shown += [seats.update((0, -1), sizes) for _ in range(PATIENCE)]
    shown += [seats.update((0, 1), sizes)]
    shown += [seats.update((0, -1), sizes) for _ in range(PATIENCE + 1)]

    # The largest is shown first; another takes the place after PATIENCE frames, not before.
    assert shown == [[1], *[[]] * PATIENCE, [1], *[[]] * PATIENCE, [0]]
