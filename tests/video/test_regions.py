"""Turned rectangles and people followed by them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlift.video.regions import (
    LOOK_EVERY,
    SEARCH_EVERY,
    SPARE_PEOPLE,
    DetectedPerson,
    Region,
    crop,
    crop_matrix,
    follow,
    turn_back,
    uncrop,
)

SIZE = (40, 30)
REGIONS = st.builds(
    Region,
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    st.tuples(st.floats(1, 200), st.floats(1, 200)),
    st.floats(-4, 4),
)


@given(REGIONS, st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_a_regions_own_axes_span_its_picture(region, across, down):
    along = np.array([np.cos(region.angle), np.sin(region.angle)])
    upright = np.array([-np.sin(region.angle), np.cos(region.angle)])
    point = region.centre + across * region.size[0] * along + down * region.size[1] * upright

    seen = crop_matrix(region, SIZE) @ [*point, 1]

    np.testing.assert_allclose(seen, [(across + 0.5) * 40, (down + 0.5) * 30], atol=1e-6)
    np.testing.assert_allclose(uncrop(seen, region, SIZE), point, atol=1e-6)


def test_a_quarter_turn_clockwise_lays_the_picture_on_its_side():
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 7] = 200  # right of the middle

    picture = crop(image, Region((4.5, 4.5), (9, 9), np.pi / 2), (9, 9))

    row, column = np.argwhere(picture[..., 0] == picture[..., 0].max())[0]
    assert (row, column) == (2, 4)  # its x axis points down the image, so right is up in it


def test_what_lies_outside_the_image_is_black():
    picture = crop(np.full((4, 4, 3), 255, np.uint8), Region((0, 0), (8, 8)), (8, 8))

    assert (picture[:4, :] == 0).all()
    assert (picture[4:, 4:] == 255).all()


@given(REGIONS)
def test_positions_turn_back_as_points_of_the_picture_do(region):
    square = Region(region.centre, (SIZE[0], SIZE[0]), region.angle)
    ends = np.array([[3.0, -2.0, 7.0], [0.0, 0.0, 0.0]])

    turned = turn_back(ends, square)

    seen = uncrop(ends[:, :2], square, (SIZE[0], SIZE[0]))
    np.testing.assert_allclose(turned[0, :2], seen[0] - seen[1], atol=1e-9)
    assert (turned[:, 2] == ends[:, 2]).all()


class Crowd:
    """Points that walk right 1 px a frame; a detector that reads whoever is within 5 px."""

    def __init__(self, *starts, hidden=(), sizes=None):
        self.starts, self.hidden, self.searched = starts, hidden, []
        self.sizes = sizes or {}

    def at(self, frame):
        return [x + frame for x in self.starts if (x, frame) not in self.hidden]

    def read(self, image, regions):
        self.frame = int(image[0, 0, 0])
        here = self.at(self.frame)
        near = [[x for x in here if abs(x - region.centre[0]) < 5] for region in regions]
        return [self.person(xs[0]) for xs in near if xs]

    def person(self, x):
        size = self.sizes.get(x - self.frame, 40)
        return DetectedPerson(np.full((4, 3), [x, 20, 1.0]), 1.0, Region((x, 20), (size, size)))

    def find(self, image):
        self.frame = int(image[0, 0, 0])
        self.searched.append(self.frame)
        return [self.person(x).region for x in self.at(self.frame)]

    def watch(self, frames, people):
        images = [np.full((2, 2, 3), frame, np.uint8) for frame in range(frames)]
        return [
            sorted(person.keypoints[0, 0] for person in found)
            for _, found in follow(images, self.read, self.find, people=people)
        ]


def test_one_person_is_followed_and_searches_are_few():
    crowd = Crowd(100)

    seen = crowd.watch(2 * LOOK_EVERY, people=1)

    assert seen == [[100 + frame] for frame in range(2 * LOOK_EVERY)]
    assert crowd.searched == [0, LOOK_EVERY]


def test_others_as_large_are_followed_too_so_that_it_can_be_chosen():
    crowd = Crowd(100, 30, 170, 240, 310)

    seen = crowd.watch(6, people=1)

    assert [len(each) for each in seen] == [1 + SPARE_PEOPLE] * 6
    assert crowd.searched == [0]


def test_who_is_much_smaller_is_not_followed_besides_who_was_asked_for():
    crowd = Crowd(100, 30, sizes={30: 15})

    assert crowd.watch(4, people=1) == [[100 + frame] for frame in range(4)]
    assert crowd.watch(4, people=2) == [[30 + frame, 100 + frame] for frame in range(4)]


def test_somebody_lost_is_looked_for_while_another_is_followed():
    gone = range(3, 14)
    crowd = Crowd(100, 30, hidden=[(100, frame) for frame in gone], sizes={30: 15})

    seen = crowd.watch(20, people=1)

    back = next(frame for frame in range(3, 20) if 100 + frame in seen[frame])
    assert seen[2] == [102]
    assert all(seen[frame] == [30 + frame] for frame in gone)
    assert back - gone.stop <= SEARCH_EVERY
    assert len(crowd.searched) <= 6


def test_everybody_is_found_once_and_nobody_twice():
    crowd = Crowd(100, 30, 170)

    seen = crowd.watch(20, people=3)

    assert seen == [[30 + frame, 100 + frame, 170 + frame] for frame in range(20)]
    assert crowd.searched == [0]


def test_a_search_goes_on_while_fewer_are_there_than_asked_for():
    crowd = Crowd(100, 30)

    seen = crowd.watch(3 * SEARCH_EVERY, people=3)

    assert seen == [[30 + frame, 100 + frame] for frame in range(3 * SEARCH_EVERY)]
    assert crowd.searched == [0, SEARCH_EVERY, 2 * SEARCH_EVERY]


@pytest.mark.parametrize("first", [0, 3])
def test_frames_with_nobody_are_empty_and_searched(first):
    gone = range(first, first + 4)
    crowd = Crowd(100, hidden=[(100, frame) for frame in gone])

    seen = crowd.watch(10, people=1)

    assert seen == [[] if frame in gone else [100 + frame] for frame in range(10)]
    assert set(gone) <= set(crowd.searched)


def test_another_is_followed_at_once_when_one_is_lost():
    hidden = [(100, frame) for frame in range(3, 99)]
    crowd = Crowd(100, 30, hidden=hidden, sizes={30: 15})

    seen = crowd.watch(6, people=1)

    assert seen == [[100], [101], [102], [33], [34], [35]]


def test_two_regions_that_slid_onto_one_person_count_once():
    crowd = Crowd(100)
    image = np.zeros((2, 2, 3), np.uint8)
    twice = [Region((96, 20), (40, 40)), Region((104, 20), (40, 40))]

    ((_, found),) = follow([image], crowd.read, lambda _: twice, people=2)

    assert len(found) == 1
