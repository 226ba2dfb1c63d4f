"""A clip that is lifted part by part is the clip that is lifted whole."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphlift.formats import read_keypoints, write_keypoints
from graphlift.formats.example import example_keypoints_path
from graphlift.lifting import Lifter, batch_of
from graphlift.sequences import Keypoints
from graphlift.steps import motion_of, raw_parts, steps_from

FIELDS = ("positions", "sigma", "seen", "fronts", "front_sigma")
RAW = {
    "field_of_view": None, "flip": False, "hypotheses": False, "sides": True, "raw": True,
    "height": None, "refine": True, "gaps": 0.5, "smooth": "savgol", "bones": True,
    "trajectory": True, "feet": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def lifter():
    return Lifter.load("open-small", threads=1)


def film(frames, people=1):
    """The example again and again, of each person from another frame on."""
    example = read_keypoints(example_keypoints_path())
    at = (np.arange(frames)[:, None] + 7 * np.arange(people)) % len(example)
    return Keypoints(
        example.positions[at, 0],
        example.confidence[at, 0],
        example.skeleton,
        image_size=example.image_size,
        fps=50.0,
        people=tuple(f"p{person}" for person in range(people)),
    )


def hide(keypoints, frames, person, joints=slice(None)):
    """Keypoints that lack some joints of a person in some frames."""
    positions, confidence = keypoints.positions.copy(), keypoints.confidence.copy()
    positions[frames, person, joints], confidence[frames, person, joints] = np.nan, 0
    return replace(keypoints, positions=positions, confidence=confidence)


@pytest.mark.parametrize("count", [1, 256, 257, 600])
def test_however_many_are_asked_of_the_network_each_has_its_own_answer(lifter, count):
    inputs = np.random.default_rng(5).normal(0, 0.3, (count, 28, 4))

    answers = lifter.run(inputs)

    assert answers.shape == (count, 28, 8)
    for at in {0, count // 2, count - 1}:
        np.testing.assert_allclose(answers[at], lifter.run(inputs[[at]])[0], atol=1e-4)


def joined(parts):
    return {name: np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS}


@pytest.mark.parametrize("frames", [7, 100, 300, 1000])
def test_parts_of_any_length_are_the_whole(lifter, frames):
    keypoints = hide(film(301, people=3), slice(20, 140), 1, slice(2, None))

    parts = list(lifter.in_parts(keypoints.in_parts(frames)))

    whole = lifter(keypoints)
    assert len(parts) == -(-301 // frames)
    for name, array in joined(parts).items():
        np.testing.assert_allclose(array, getattr(whole, name), atol=2e-6, err_msg=name)
    assert parts[-1].notes == whole.notes
    assert "In 120 frames (counted for each person) no pose was lifted" in whole.notes[-1]


def test_parts_of_whole_batches_are_the_whole_to_the_bit(lifter):
    keypoints = film(400, people=3)
    size = 2 * batch_of(3)

    parts = list(lifter.in_parts(keypoints.in_parts(size)))

    assert len(parts) == 3
    whole = lifter(keypoints)
    for name, array in joined(parts).items():
        np.testing.assert_array_equal(array, getattr(whole, name), err_msg=name)


def test_who_can_be_lifted_is_who_is(lifter):
    keypoints = hide(film(60, people=2), slice(10, 30), 1, slice(2, None))
    keypoints = hide(keypoints, slice(40, 50), 0)

    can = lifter.can_lift(keypoints, camera=None, field_of_view=None)

    np.testing.assert_array_equal(can, lifter(keypoints).valid)
    assert not can[10:30, 1].any()


def raw_both(keypoints, lifter):
    steps = steps_from(RAW)
    whole = motion_of(lambda: keypoints, lambda: lifter, steps)
    return whole, list(raw_parts(lambda: keypoints, lifter, steps))


def test_raw_parts_mend_sides_count_and_leave_out_as_the_whole(lifter):
    keypoints = film(2000, people=3)
    wrong = [700, 701, 1364, 1365, 1366, 1900]  # across the seam of two parts, too
    positions, confidence = keypoints.positions.copy(), keypoints.confidence.copy()
    positions[wrong] = positions[wrong][:, :, keypoints.skeleton.mirror]
    confidence[wrong] = confidence[wrong][:, :, keypoints.skeleton.mirror]
    keypoints = replace(keypoints, positions=positions, confidence=confidence)
    keypoints = hide(keypoints, slice(None), 1, slice(2, None))  # never enough for a pose

    whole, parts = raw_both(keypoints, lifter)

    assert len(parts) == 2
    assert whole.people == parts[0].people == ("p0", "p2")
    assert parts[-1].notes == whole.notes
    assert whole.notes[0].startswith("Left and right were put back in ")
    for name, array in joined(parts).items():
        np.testing.assert_array_equal(array, getattr(whole, name), err_msg=name)
    given = np.concatenate([part.keypoints.positions for part in parts])
    np.testing.assert_array_equal(given, whole.keypoints.positions)


@pytest.mark.parametrize("late", [0, 1400, None])
def test_somebody_who_comes_late_or_never_is_told_alike(lifter, late):
    keypoints = film(1500, people=2)
    keypoints = hide(keypoints, slice(None if late is None else late), 1)

    whole, parts = raw_both(keypoints, lifter)

    assert parts[-1].notes == whole.notes
    assert {part.people for part in parts} == {whole.people}
    assert whole.people == (("p0",) if late is None else ("p0", "p1"))


def test_a_clip_without_anybody_stays(lifter):
    nobody = hide(hide(film(50, people=2), slice(None), 0), slice(None), 1)

    whole, parts = raw_both(nobody, lifter)

    assert (parts[-1].notes, parts[-1].people) == (whole.notes, whole.people)
    assert np.isnan(parts[0].positions).all()


PEAK = """
import sys
from pathlib import Path
from graphlift.cli.lift import lift  # imports are no part of what grows
import graphlift.cli
sys.argv[1:] = ["lift", sys.argv[1], "--raw", "--model", "open-small", "-o", sys.argv[2]]
try:
    graphlift.cli.main()
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


def peak(keypoints, folder):
    """MB that lifting from file to file takes at most."""
    write_keypoints(folder / "in.npz", keypoints)
    words = [sys.executable, "-c", PEAK, folder / "in.npz", folder / "out.npz"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells no memory")
def test_ten_times_the_frames_take_hardly_more_memory(tmp_path):
    short, long = (peak(film(frames), tmp_path) for frames in (6_000, 60_000))

    assert (tmp_path / "out.npz").stat().st_size > 50e6
    assert long < short + 25  # of 80 MB that go in and out
