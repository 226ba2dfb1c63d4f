"""Rigs of long clips: solved node by node, and written block by block."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pybvh
import pytest
from helpers.readback import gltf, moving
from helpers.whole_body import whole_body

from graphlift.formats import armature, turns, write_poses
from graphlift.formats.twist import Shown, show_twist, solve_twist
from graphlift.geometry import turn_about_z
from graphlift.sequences import FRONTS, Poses
from graphlift.skeletons import BODY_28, H36M_17

EVERY = pytest.mark.parametrize("suffix", ["bvh", "glb"])


def anyone(frames):
    """Two people of 28 joints: gaps, fronts that are lost, a bone without length."""
    seconds = np.arange(frames)[:, None] / 30
    slow = np.sin(seconds * [1.0, 1.7, 2.3])
    joints, fronts, _ = whole_body(
        frames, Pelvis=slow, Chest=0.5 * slow, LUpperArm=1.2 * slow, RThigh=0.8 * slow
    )
    places = np.stack([joints, joints + np.array([2.0, 0, 0])], axis=1)
    ahead = np.stack([fronts, fronts], axis=1)
    elbow, shoulder = BODY_28.index("LElbow", "LShoulder")
    places[12:16, 0, elbow] = places[12:16, 0, shoulder]
    places[5:9, 1], ahead[5:9, 1] = np.nan, np.nan
    ahead[18:25, 0, FRONTS.index("Head")] = np.nan
    fields = {"axes": "world", "rooted": False, "fps": 30.0, "fronts": ahead}
    return Poses(places, BODY_28, people=("a", "b"), **fields)


@EVERY
@pytest.mark.parametrize("poses", [moving(frames=50), anyone(50)], ids=["seventeen", "fronts"])
def test_blocks_have_no_seams(tmp_path, monkeypatch, suffix, poses):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    remarks = write_poses(whole / f"x.{suffix}", poses)

    monkeypatch.setattr(turns, "CHUNK", 7)

    assert write_poses(parts / f"x.{suffix}", poses) == remarks
    files = sorted(path.name for path in whole.iterdir())
    assert len(files) == (2 if suffix == "bvh" and len(poses.people) == 2 else 1)
    for name in files:
        assert (whole / name).read_bytes() == (parts / name).read_bytes()


@pytest.mark.parametrize("cuts", [[0, 30], [0, 1, 2, 30], [0, 7, 14, 29, 30]])
def test_a_twist_follows_from_parts_of_a_clip(rng, cuts):
    rest, hinge = np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
    swing = turns._swing(rest, turns._unit(rng.normal(size=(30, 3))))
    bend, front = rng.normal(size=(2, 30, 3))

    shown = Shown.of_clip(30, bend=True, front=True)
    for start, stop in pairwise(cuts):
        wide = slice(max(start - 1, 0), stop)
        here = show_twist(rest, hinge, swing[wide], bend[wide], front[wide])
        shown.put(slice(start, stop), here)

    expected = solve_twist(show_twist(rest, hinge, swing, bend, front), 30.0)
    np.testing.assert_allclose(solve_twist(shown, 30.0), expected, atol=1e-12)


def test_turns_are_those_of_every_node_with_its_parents():
    positions = anyone(20).positions[:, 0, :17][..., [0, 2, 1]] * [1, 1, -1]

    world = turns.solve_rotations(positions, 30.0)

    seen = []
    for i, own, above in turns.solve_turns(positions, 30.0):
        seen.append(i)
        np.testing.assert_array_equal(own, world[:, i])
        np.testing.assert_array_equal(above, world[:, max(armature.PARENTS[i], 0)])
        assert armature.PARENTS[i] in (-1, *seen)
    assert sorted(seen) == list(range(len(armature.NODES)))


@EVERY
def test_who_turns_round_ten_times_winds_up_in_bvh_and_not_in_glb(tmp_path, suffix):
    still = moving(frames=1).positions[0]
    heading = np.radians(np.arange(0, 10 * 360, 15))
    turning = np.stack([turn_about_z(still, np.full(1, a)) for a in heading])

    write_poses(
        tmp_path / f"x.{suffix}",
        Poses(turning, H36M_17, axes="world", rooted=False, fps=30.0),
    )

    if suffix == "bvh":
        file = pybvh.read_bvh_file(tmp_path / "x.bvh", world_up="+y")
        hips = np.degrees(file.joint_angles[:, file.joint_index["Hips"]])
        assert np.ptp(hips, axis=0).max() == pytest.approx(10 * 360 - 15, abs=45)
    else:
        tree, arrays = gltf(tmp_path / "x.glb")
        (hips,) = (n for n, node in enumerate(tree["nodes"]) if node["name"] == "Hips")
        animation = tree["animations"][0]
        (sampler,) = (
            animation["samplers"][channel["sampler"]]
            for channel in animation["channels"]
            if channel["target"] == {"node": hips, "path": "rotation"}
        )
        q = arrays[sampler["output"]]
        np.testing.assert_allclose(
            (q[1:] * q[:-1]).sum(axis=1), np.cos(np.radians(7.5)), atol=1e-5
        )


@EVERY
def test_the_memory_of_a_frame_is_small(tmp_path, suffix):
    """Not the 22 matrices of a frame, which are 1.6 kB, nor anything as large beside them."""

    def most(frames):
        poses = anyone(frames).of_people([0])
        tracemalloc.start()
        write_poses(tmp_path / f"x.{suffix}", poses)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    write_poses(tmp_path / f"x.{suffix}", anyone(50))  # what is imported and kept
    assert most(4096) - most(2048) < 1100 * 2048
