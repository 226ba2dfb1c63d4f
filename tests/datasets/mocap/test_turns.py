"""Turns beside a pack: they belong to it, and known faults are mended or marked."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.turned_people import turned_capture, write_turned
from scipy.spatial.transform import Rotation

from graphlift.bodies.segments import ALONG, FIXED, SEGMENTS
from graphlift.datasets.mocap.estimated_turns import SKULL
from graphlift.datasets.mocap.turns import join, motion_of, read_motion, read_turns
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.sequences import FRONTS
from graphlift.skeletons import H36M_17

HEAD = SEGMENTS.index("Head")


def matrices(quat):
    flat = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix()
    return flat.reshape(*quat.shape[:-1], 3, 3).astype(np.float32)


def test_turns_are_read_as_scipy_reads_quaternions(tmp_path):
    capture, quat = write_turned(tmp_path, ("a", "b"))

    turns = read_turns(tmp_path / "cmu_turns.npz", capture)

    np.testing.assert_allclose(turns, matrices(quat), atol=2e-4)  # int16


def test_motion_of_one_subject_gives_back_its_bones(tmp_path):
    capture, _ = write_turned(tmp_path, ("a", "b"))

    motion = read_motion(tmp_path / "cmu.npz", ["b"], stride=3)

    clip = capture.clips[1].positions[::3]
    assert len(motion) == len(clip)
    np.testing.assert_allclose(motion.root[:, 2], clip[:, 0, 2], atol=1e-3)
    np.testing.assert_allclose(
        motion.directions[:, FIXED], np.tile(ALONG[FIXED], (len(motion), 1, 1)), atol=0.02
    )
    knee = np.linalg.norm(
        clip[:, H36M_17.joints.index("LKnee")] - clip[:, H36M_17.joints.index("LHip")], axis=1
    )
    np.testing.assert_allclose(motion.lengths[:, H36M_17.joints.index("LKnee")], knee, atol=2e-3)
    assert set(motion.activity) == {"dance"}
    assert motion.fronts_known.all()


def test_heads_of_every_source_are_pitched_alike():
    """A source whose heads are turned down by 20° about their own left, bones where they were."""
    capture, quat = turned_capture(("a",), source="other")
    pitched = matrices(quat)
    plain = motion_of(capture, pitched.copy(), ["a"])
    pitched[:, HEAD] = pitched[:, HEAD] @ Rotation.from_euler("x", 20, degrees=True).as_matrix()

    mended = motion_of(capture, pitched, ["a"])

    np.testing.assert_allclose(mended.turns[:, HEAD], plain.turns[:, HEAD], atol=2e-3)
    lean = mended.directions[:, H36M_17.joints.index("Head")].mean(axis=0)
    assert np.arctan2(-lean[1], lean[2]) == pytest.approx(SKULL, abs=1e-3)


def test_what_is_known_of_a_frame_does_not_depend_on_the_others_that_are_chosen():
    capture, quat = turned_capture(("a", "b"))
    turns = matrices(quat)
    nod = Rotation.from_rotvec(np.linspace(0, 0.7, len(turns))[:, None] * [1, 0, 0]).as_matrix()
    turns[:, HEAD] = (turns[:, HEAD] @ nod).astype(np.float32)

    everything = motion_of(capture, turns, ["a", "b"])
    few = motion_of(capture, turns, ["b"], stride=4)

    same = everything.at((everything.clip == 1) & (everything.frame % 4 == 0))
    for name, array in vars(few).items():
        np.testing.assert_array_equal(array, vars(same)[name], err_msg=name)


def test_frames_without_a_turn_and_jumps_of_the_head_are_left_out():
    capture, quat = turned_capture(("a",), frames=20)
    turns = matrices(quat)
    turns[4, SEGMENTS.index("LFoot")] = np.nan
    turns[10, HEAD] = turns[10, HEAD] @ np.diag([-1, -1, 1])

    motion = motion_of(capture, turns, ["a"])

    kept = np.delete(np.arange(20), [4, 9, 10, 11])
    np.testing.assert_allclose(motion.root[:, 2], capture.clips[0].positions[kept, 0, 2])


def test_turns_of_a_clip_without_any_are_estimated():
    """Each clip counts by itself: the other is as it would be alone, and has its source's head."""
    capture, quat = turned_capture(("a", "b"), frames=20)
    turns = matrices(quat)
    turns[:20] = np.nan
    turns[25, HEAD] = np.nan  # one turn that is missing costs its frame

    both = motion_of(capture, turns, ["a", "b"])

    assert both.estimated.tolist() == [True] * 20 + [False] * 19
    unknown = motion_of(capture, None, ["a"])
    for name in ("turns", "directions", "fronts_known", "estimated"):
        np.testing.assert_array_equal(vars(both)[name][:20], vars(unknown)[name], err_msg=name)
    known = motion_of(capture, turns, ["b"])
    np.testing.assert_array_equal(both.turns[20:], known.turns)


def test_unrelated_poses_do_not_jump():
    """Only turns that a file states can be wrong in one frame; sampled people are no film."""
    capture, quat = turned_capture(("a",), frames=12)
    about = Rotation.from_euler("z", np.arange(12)[:, None] * 170, degrees=True).as_matrix()
    spun = np.einsum("fab,fjb->fja", about, capture.clips[0].positions)
    people = replace(capture, clips=(replace(capture.clips[0], positions=spun),))

    assert len(motion_of(people, None, ["a"], drop_fast=False)) == 12
    turns = (about[:, None] @ matrices(quat)).astype(np.float32)
    assert not len(motion_of(people, turns, ["a"], drop_fast=False))


def test_a_front_that_would_bend_an_elbow_backward_is_not_known():
    capture, quat = turned_capture(("a", "b"), frames=30)
    turns = matrices(quat)
    half_turn = Rotation.from_euler("x", 180, degrees=True).as_matrix()
    arm = SEGMENTS.index("RUpperArm")
    turns[:30, arm] = turns[:30, arm] @ half_turn  # twist alone: the bone stays
    turns[33, arm] = turns[33, arm] @ half_turn

    known = motion_of(capture, turns, ["a", "b"]).fronts_known

    right, left = FRONTS.index("RUpperArm"), FRONTS.index("LUpperArm")
    assert not known[:30, right].any()
    assert known[:, left].all()
    assert np.flatnonzero(~known[30:, right]).tolist() == [3]


def test_turns_of_another_pack_are_refused(tmp_path):
    capture, _ = write_turned(tmp_path, ("a",))
    _, quat = turned_capture(("a",), seed=5)
    np.savez(
        tmp_path / "cmu_turns.npz",
        quat=np.rint(quat * 32767).astype(np.int16),
        segments=np.array(SEGMENTS),
    )

    with pytest.raises(FormatError, match=r"cmu_turns.npz: .*another pack"):
        read_turns(tmp_path / "cmu_turns.npz", capture)
    two, _ = turned_capture(("a", "b"))
    with pytest.raises(FormatError, match=r"quat is \(40, 15, 4\) but should be \(80, 15, 4\)"):
        read_turns(tmp_path / "cmu_turns.npz", two)


def test_a_missing_file_of_turns_is_named(tmp_path):
    capture, _ = turned_capture(("a",))

    with pytest.raises(DatasetNotFoundError, match=r"no turns at .*cmu_turns.npz"):
        read_turns(tmp_path / "cmu_turns.npz", capture)


def test_without_a_file_turns_are_estimated(tmp_path):
    _, quat = write_turned(tmp_path, ("a",))
    (tmp_path / "cmu_turns.npz").unlink()

    motion = read_motion(tmp_path / "cmu.npz")

    at = SEGMENTS.index("LUpperArm")
    np.testing.assert_allclose(motion.turns[:, at], matrices(quat)[:, at], atol=0.02)
    assert not motion.fronts_known[:, FRONTS.index("Head")].any()
    assert motion.fronts_known[:, FRONTS.index("LThigh")].all()


def test_arrays_that_are_not_there_are_named(tmp_path):
    capture, _ = write_turned(tmp_path, ("a",))
    np.savez(tmp_path / "cmu_turns.npz", quat=np.zeros((40, 15, 4), np.int16))

    with pytest.raises(FormatError, match="no array segments"):
        read_turns(tmp_path / "cmu_turns.npz", capture)


def test_joined_motion_is_one_after_the_other():
    capture, quat = turned_capture(("a", "b"))
    both = motion_of(capture, matrices(quat), ["a", "b"])
    one, two = (motion_of(capture, matrices(quat), [name]) for name in "ab")

    joined = join([one, two])

    assert len(joined) == len(both)
    np.testing.assert_array_equal(joined.lengths, both.lengths)
