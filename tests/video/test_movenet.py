"""MoveNet's rows of numbers, and BlazePose's squares from its joints."""

import numpy as np
import pytest
from helpers.detectors import Session, needs
from helpers.drawn_person import SIZE, draw_person, empty, joints

from graphlift.skeletons import COCO_17
from graphlift.video.blazepose import CIRCLE_MARGIN
from graphlift.video.movenet import (
    BEYOND_FARTHEST,
    TRUNKS_REACHED,
    body_region,
    find_people,
    load_movenet,
    read_rows,
)
from graphlift.video.regions import DetectedPerson, Region


def row(score, *, x=0.5, y=0.25, box=(0.1, 0.2, 0.5, 0.4)):
    """One of MoveNet's rows: every joint at (x, y), box (top, left, bottom, right)."""
    return np.array([*([y, x, 0.9] * 17), *box, score])


def test_rows_are_parts_of_the_picture_people_the_surest_first():
    picture = Region((100, 50), (200, 100))

    sure, less = read_rows(np.array([row(0.4, x=0.1), row(0.1), row(0.8)]), picture)

    assert (sure.score, less.score) == (0.8, 0.4)
    np.testing.assert_allclose(sure.keypoints, np.tile([100, 25, 0.9], (17, 1)))
    np.testing.assert_allclose(less.keypoints[:, 0], 20)
    np.testing.assert_allclose(sure.region.centre, (60, 30))
    np.testing.assert_allclose(sure.region.size, (40, 40))


@pytest.mark.parametrize("size", [(300, 200), (1080, 1920), (64, 64)])
def test_the_picture_has_sides_that_the_network_takes_and_its_corner_is_the_images(size):
    taken = []

    def network(image):
        taken.append(image)
        height, width = image.shape[1:3]
        scale = 384 / max(size)
        place = {"x": 0.5 * size[0] * scale / width, "y": 0.5 * size[1] * scale / height}
        return {"people": np.array([[row(0.9, **place)] * 6], np.float32)}

    people = find_people(Session(network), np.full((size[1], size[0], 3), 7, np.uint8))

    (picture,) = taken
    assert picture.dtype == np.int32
    assert picture.shape[0] == 1
    assert all(side % 32 == 0 and side <= 384 for side in picture.shape[1:3])
    assert picture[0, 0, 0].tolist() == [7, 7, 7]
    assert len(people) == 6
    np.testing.assert_allclose(people[0].keypoints[0, :2], [size[0] / 2, size[1] / 2], rtol=1e-5)


def somebody(lean=0.0, *, legs=0.9):
    """A person whose hips are at (100, 200) and whose shoulders are 50 px above, leaning."""
    keypoints = np.full((17, 3), np.nan)
    keypoints[:, :2] = (100, 200)
    keypoints[:, 2] = 0.9
    up = np.array([np.sin(lean), -np.cos(lean)])
    keypoints[COCO_17.index("LShoulder", "RShoulder"), :2] += 50 * up
    keypoints[COCO_17.index("LAnkle", "RAnkle"), :2] -= 90 * up
    keypoints[COCO_17.index("LAnkle", "RAnkle"), 2] = legs
    return DetectedPerson(keypoints, 0.9, Region((100, 215), (60, 160)))


def test_the_square_stands_on_the_hips_as_the_trunk_does_and_holds_the_feet():
    region = body_region(somebody(0.4))

    np.testing.assert_allclose(region.centre, (100, 200))
    np.testing.assert_allclose(region.angle, 0.4)
    np.testing.assert_allclose(region.size, [2 * CIRCLE_MARGIN * BEYOND_FARTHEST * 90] * 2)


def test_unseen_legs_are_thought_of():
    region = body_region(somebody(legs=0.0))

    np.testing.assert_allclose(region.size, [2 * CIRCLE_MARGIN * TRUNKS_REACHED * 50] * 2)


def test_without_hips_the_square_stands_on_the_box():
    person = somebody(0.4)
    person.keypoints[COCO_17.index("LHip"), 2] = 0

    region = body_region(person)

    assert (region.centre, region.angle) == ((100, 215), 0)
    np.testing.assert_allclose(region.size, [2 * CIRCLE_MARGIN * 80] * 2)


@needs("movenet")
def test_drawn_people_are_found_where_they_are():
    model = load_movenet(threads=1)
    image = empty((900, 640))
    draw_person(image, (200, 320))
    draw_person(image, (650, 340), 0.7)

    people = sorted(find_people(model, image), key=lambda person: person.region.centre)

    assert find_people(model, empty()) == []
    assert len(people) == 2
    for person, expected in zip(
        people, (joints((200, 320)), joints((650, 340), 0.7)), strict=True
    ):
        seen = person.keypoints[COCO_17.index(*expected), :2]
        distance = np.linalg.norm(seen - np.array(list(expected.values())), axis=1)
        assert np.median(distance) < 0.03 * SIZE[1]
