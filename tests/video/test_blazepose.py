"""BlazePose: anchors, boxes, regions and landmarks; and what it sees in a drawn person."""

import numpy as np
import pytest
from helpers.detectors import Session, needs
from helpers.drawn_person import SIZE, draw_person, empty, joints
from hypothesis import given
from hypothesis import strategies as st

from graphlift.skeletons import MEDIAPIPE_33
from graphlift.video.blazepose import (
    BlazePose,
    anchors,
    decode_detections,
    find_regions,
    load_blazepose,
    read_landmarks,
    region_around,
    suppress_overlaps,
)
from graphlift.video.regions import Region

ANCHORS = 2254


def test_anchors_lie_in_the_middle_of_their_cells_two_a_layer():
    expected = []
    for cells, count in ((28, 2), (14, 2), (7, 6)):
        for row in range(cells):
            for column in range(cells):
                expected += [((column + 0.5) / cells, (row + 0.5) / cells)] * count

    np.testing.assert_allclose(anchors(), expected)
    assert len(expected) == ANCHORS


def outputs(*detections):
    """The detector's raw outputs for detections (anchor, score, centre, size, points)."""
    boxes, scores = np.zeros((ANCHORS, 12)), np.full(ANCHORS, -50.0)
    for anchor, score, centre, size, points in detections:
        scores[anchor] = np.log(score / (1 - score))
        pairs = [np.subtract(centre, anchors()[anchor]), size]
        pairs += [np.subtract(point, anchors()[anchor]) for point in points]
        boxes[anchor] = 224 * np.ravel(pairs)
    return boxes, scores


POINTS = [(0.5, 0.6), (0.5, 0.2), (0.5, 0.3), (0.5, 0.1)]


def test_detections_are_decoded_from_their_anchors_the_likeliest_first():
    likely = (2000, 0.9, (0.4, 0.3), (0.2, 0.1), POINTS)
    less = (7, 0.6, (0.1, 0.2), (0.1, 0.1), POINTS[::-1])
    unlikely = (99, 0.4, (0.5, 0.5), (0.3, 0.3), POINTS)

    boxes, scores = decode_detections(*outputs(less, unlikely, likely))

    np.testing.assert_allclose(scores, [0.9, 0.6])
    np.testing.assert_allclose(boxes[0], [(0.3, 0.25), (0.5, 0.35), *POINTS])
    np.testing.assert_allclose(boxes[1], [(0.05, 0.15), (0.15, 0.25), *POINTS[::-1]])


def test_nobody_is_nothing():
    boxes, scores = decode_detections(*outputs())

    assert suppress_overlaps(boxes, scores) == []


def box(x, side=0.2):
    corners = [(x - side / 2, 0.4), (x + side / 2, 0.4 + side)]
    return np.array([*corners, *[(x, 0.5)] * 4])


def test_overlapping_boxes_are_one_person_at_their_weighted_mean():
    boxes, scores = np.array([box(0.30), box(0.32), box(0.70)]), np.array([0.9, 0.6, 0.8])

    first, second = suppress_overlaps(boxes, scores)

    np.testing.assert_allclose(first[:, 0], (0.9 * 0.30 + 0.6 * 0.32) / 1.5)
    np.testing.assert_allclose(second[:, 0], 0.70)


@pytest.mark.parametrize(("apart", "people"), [(0.106, 1), (0.109, 2)])
def test_three_tenths_of_overlap_part_two_people(apart, people):
    # Squares of side 0.2 that lie d apart overlap by (0.2 − d) / (0.2 + d): 0.3 at d = 0.1077.
    boxes = np.array([box(0.3), box(0.3 + apart)])

    assert len(suppress_overlaps(boxes, np.array([0.9, 0.8]))) == people


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.5)), min_size=1, max_size=12))
def test_every_box_belongs_to_somebody_and_none_to_two(drawn):
    boxes = np.array([box(x, side) for x, side in drawn])

    people = suppress_overlaps(boxes, np.linspace(1, 0.5, len(boxes)))

    assert 1 <= len(people) <= len(boxes)
    assert np.isfinite(people).all()


@given(st.floats(-3.1, 3.1), st.floats(0.5, 300))
def test_a_region_stands_as_the_body_does_with_a_quarter_to_spare(angle, radius):
    centre = np.array([50.0, 80.0])
    up = np.array([np.sin(angle), -np.cos(angle)])  # a turn clockwise from upright

    region = region_around(centre, centre + radius * up)

    assert region.centre == (50, 80)
    np.testing.assert_allclose(region.size, [2.5 * radius] * 2)
    np.testing.assert_allclose(region.angle, angle, atol=1e-9)


def bright_spot(image):
    """A landmark network that puts everything on the brightest pixel, the rim 40 px above."""
    spots = [np.unravel_index(each.sum(axis=0).argmax(), (256, 256)) for each in image]
    landmarks = np.zeros((len(image), 39, 5))
    for each, (row, column) in zip(landmarks, spots, strict=True):
        each[:, :2] = column, row
        each[34, 1] -= 40
        each[:, 3] = np.linspace(-8, 8, 39)
    world = np.tile([0.0, -1.0, 0.5], (len(image), 39, 1))
    there = np.array([[float(each.max() > 0.5)] for each in image])
    return {
        "landmarks": landmarks.reshape(len(image), -1),
        "presence": there,
        "world": world.reshape(len(image), -1),
    }


def test_landmarks_come_back_to_where_they_are_in_the_image():
    image = np.zeros((300, 400, 3), np.uint8)
    image[118:123, 218:223] = 255
    turned = Region((200, 130), (200, 200), 0.5)
    model = BlazePose(None, Session(bright_spot))

    (person,) = read_landmarks(model, image, [turned, Region((60, 60), (80, 80))])

    np.testing.assert_allclose(person.keypoints[:, :2], np.tile([220, 120], (33, 1)), atol=2.5)
    expected = 1 / (1 + np.exp(-np.linspace(-8, 8, 39)[:33]))
    np.testing.assert_allclose(person.keypoints[:, 2], expected)
    assert person.score == 1
    # The rim lies 40 px of 256 above the centre in the turned square of 200 px.
    np.testing.assert_allclose(person.region.size, [2 * 1.25 * 40 * 200 / 256] * 2)
    np.testing.assert_allclose(person.region.angle, 0.5)
    np.testing.assert_allclose(person.world[0], [np.sin(0.5), -np.cos(0.5), 0.5])


@pytest.fixture(scope="module")
def model():
    return load_blazepose(threads=1)


def errors(person, expected):
    """Distance of each known joint from where it was drawn, px."""
    names = list(expected)
    seen = person.keypoints[MEDIAPIPE_33.index(*names), :2]
    return np.linalg.norm(seen - np.array([expected[name] for name in names]), axis=1)


@needs("blazepose")
def test_a_drawn_persons_joints_are_found(model):
    image = draw_person(empty())

    (person,) = read_landmarks(model, image, find_regions(model, image))

    assert errors(person, joints()).max() < 20  # of 480 px from head to toe
    assert (person.keypoints[:, 2] > 0.8).all()
    at = {name: person.world[MEDIAPIPE_33.index(name)[0]] for name in joints()}
    assert at["LShoulder"][0] > at["RShoulder"][0] + 0.2  # who faces us has the left on our right
    assert at["Nose"][1] < at["LShoulder"][1] < at["LHip"][1] < at["LKnee"][1] < at["LAnkle"][1]


@needs("blazepose")
@pytest.mark.parametrize("turns", [1, 3])
def test_a_person_who_lies_is_read_as_one_who_stands(model, turns):
    image = draw_person(empty())
    (upright,) = read_landmarks(model, image, find_regions(model, image))
    lying = np.ascontiguousarray(np.rot90(image, turns))

    (person,) = read_landmarks(model, lying, find_regions(model, lying))

    x, y = upright.keypoints[:, 0], upright.keypoints[:, 1]
    width, height = SIZE
    expected = {1: (y, width - x), 3: (height - y, x)}[turns]  # a quarter turn against, or with
    distance = np.linalg.norm(person.keypoints[:, :2] - np.column_stack(expected), axis=1)
    assert distance.mean() < 15
    assert abs(person.region.angle - {1: -np.pi / 2, 3: np.pi / 2}[turns]) < 0.2


@needs("blazepose")
def test_an_empty_room_has_nobody_in_it(model):
    assert find_regions(model, empty()) == []
    whole = Region((SIZE[0] / 2, SIZE[1] / 2), (640, 640))
    assert read_landmarks(model, empty(), [whole]) == []


@needs("blazepose")
def test_two_people_are_read_together_as_one_by_one(model):
    image = empty((900, 640))
    draw_person(image, (200, 320))
    draw_person(image, (650, 340), 0.7)
    regions = sorted(find_regions(model, image), key=lambda region: region.centre)

    together = read_landmarks(model, image, regions)

    alone = [person for region in regions for person in read_landmarks(model, image, [region])]
    assert len(together) == 2
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=0.05)
    assert errors(together[0], joints((200, 320))).max() < 20
    assert errors(together[1], joints((650, 340), 0.7)).max() < 20
