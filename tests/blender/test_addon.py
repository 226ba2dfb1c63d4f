"""The add-on's own rotations, against SciPy's; its rigs by names; and the file that is written."""

import ast
import builtins
import re
import sys

import numpy as np
import pytest
from helpers.command import assert_refused, here
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation, Slerp

import graphlift
from graphlift.blender import motion
from graphlift.blender.compose import PARTS, compose_addon
from graphlift.blender.rigs import find_rig
from graphlift.blender.solving import smoothed


@pytest.fixture
def turns(rng):
    """Rotations of all kinds, half turns among them."""
    halves = Rotation.from_rotvec(np.pi * np.vstack([np.eye(3), -np.eye(3)]))
    return Rotation.concatenate([Rotation.random(200, rng=rng), halves, Rotation.identity(1)])


def test_quaternions_are_scipys(turns):
    matrices = turns.as_matrix()

    ours = motion.quaternions_of(matrices)
    back = motion.matrices_of(np.roll(ours, -1, axis=-1))

    assert (ours[:, 0] >= 0).all()
    np.testing.assert_allclose(np.abs((ours * np.roll(turns.as_quat(), 1, axis=-1)).sum(-1)), 1)
    np.testing.assert_allclose(back, matrices, atol=1e-12)


def test_the_smallest_turn_has_no_twist(rng):
    start = np.array([0.0, 1.0, 0.0])
    goals = motion.unit(rng.normal(size=(50, 3)))

    found = motion.swing_to(start, goals)

    np.testing.assert_allclose(found @ start, goals, atol=1e-12)
    vectors = Rotation.from_matrix(found).as_rotvec()
    np.testing.assert_allclose(vectors @ start, 0, atol=1e-12)
    for rest in np.eye(3):
        (back,) = motion.swing_to(rest, -rest[None])
        np.testing.assert_allclose(back @ rest, -rest, atol=1e-12)
        assert np.linalg.det(back) == pytest.approx(1)


def test_turns_about_an_axis_are_scipys(rng):
    axis, angles = motion.unit(rng.normal(size=3)), rng.uniform(-4, 4, 9)

    expected = Rotation.from_rotvec(angles[:, None] * axis).as_matrix()

    np.testing.assert_allclose(motion.turn_about(axis, angles), expected, atol=1e-12)


def test_smoothing_solves_its_equations(rng):
    weight, values = rng.uniform(0.1, 2, 40), rng.normal(size=40) + 1j * rng.normal(size=40)
    bands = np.array([weight + 7 * np.r_[1, np.full(38, 2), 1], np.full(40, -7.0)])

    expected = solveh_banded(bands, np.c_[values.real, values.imag], lower=True)

    np.testing.assert_allclose(smoothed(weight, values, 7.0), expected @ [1, 1j])
    np.testing.assert_allclose(smoothed(weight[:1], values[:1], 7.0), values[:1] / weight[:1])


def test_keys_between_frames_are_near_to_the_shortest_arc():
    """Frames that are 20 degrees apart: the straight line stays within 0.1 degrees of the arc."""
    ends = Rotation.from_rotvec([[0, 0, 0], [20, 0, 0]], degrees=True)
    quaternions = np.roll(ends.as_quat(), 1, axis=-1)[:, None]

    found, places, there = motion.resampled(
        np.array([0.0, 0.25, 0.9]), quaternions, np.array([[[0.0] * 3], [[1.0] * 3]]),
        np.array([True, False]),
    )  # fmt: skip

    arc = Slerp([0, 1], ends)([0.0, 0.25, 0.9])
    off = Rotation.from_quat(np.roll(found[:, 0], -1, axis=-1)) * arc.inv()
    assert np.degrees(off.magnitude()).max() < 0.1
    np.testing.assert_allclose(places[:, 0, 0], [0, 0.25, 0.9])
    assert there.tolist() == [True, False, False]


@pytest.mark.parametrize(("fps", "whole"), [(25, (25, 1)), (30 / 1.001, (30, 1.001)),
                                            (0.5, (1, 2)), (24 / 1.001, (24, 1.001))])  # fmt: skip
def test_frame_rates_are_split_as_blender_does(fps, whole):
    assert motion.whole_rate(fps) == pytest.approx(whole, rel=1e-6)


LIMBS = [f"{side}{limb}" for side in ("Left", "Right")
         for limb in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot")]  # fmt: skip
MIXAMO = ["Hips", "Spine", "Spine1", "Spine2", "Neck", "Head", *LIMBS]


@pytest.mark.parametrize("prefix", ["mixamorig:", "mixamorig9:", "mixamorig_", "Anna:mixamorig:",
                                    ""])  # fmt: skip
def test_mixamos_names_are_known_with_any_prefix(prefix):
    rig = find_rig([prefix + name for name in (*MIXAMO, "LeftToeBase")], "x")

    assert rig.title == "Mixamo"
    assert rig.follows[0].bone == f"{prefix}Hips"
    by_bone = {follow.bone: follow for follow in rig.follows}
    assert by_bone[f"{prefix}LeftForeArm"].source == "LeftForeArm"
    assert by_bone[f"{prefix}RightLeg"].towards == (f"{prefix}RightFoot", "RightFoot")


def test_a_rig_may_lack_bones_of_the_spine_but_no_limb():
    few = [name for name in MIXAMO if not name.startswith("Spine")]

    assert {follow.bone for follow in find_rig(few, "x").follows} >= {"Hips", "Neck", "LeftFoot"}
    with pytest.raises(
        motion.MotionError, match="nearest is Mixamo, but it has no bones LeftFoot"
    ):
        find_rig([name for name in few if name != "LeftFoot"], "x")


def test_sides_of_a_rig_are_ours():
    parts = {"Arm": "upper_arm", "ForeArm": "forearm", "UpLeg": "thigh", "Leg": "shin",
             "Foot": "foot", "Hand": "hand"}  # fmt: skip
    names = [f"{part}.{side}" for part in parts.values() for side in "LR"]
    rig = find_rig(["spine", "spine.004", "spine.006", *names], "x")

    assert rig.title == "Rigify's metarig"
    for follow in rig.follows:
        if follow.bone[-2:] in (".L", ".R"):
            assert follow.source[0] == follow.bone[-1]
            assert parts[re.sub("Left|Right", "", follow.source)] == follow.bone[:-2]


def top_names(tree):
    """Names that a module defines at its top."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))


def test_the_add_on_is_one_module_that_needs_only_blender():
    tree = ast.parse(compose_addon())
    named = list(top_names(tree))
    needed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            needed |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            needed.add(node.module.partition(".")[0])

    assert len(named) == len(set(named))
    assert len(named) > 100
    assert needed - set(sys.stdlib_module_names) == {"bpy", "bpy_extras", "mathutils", "numpy"}
    known = {*named, *dir(builtins)}
    loaded = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    parts = {part for part in PARTS if part in loaded}
    assert not parts - known - {"motion"}  # a part is never named as a module
    assert not {"eval", "exec", "pickle", "__import__"} & loaded


def test_blender_finds_who_and_which_version_it_is():
    """Blender reads ``bl_info`` without running the file: up to the first empty line."""
    lines = compose_addon().splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("bl_info"))
    block = "\n".join(lines[start : lines.index("", start)])

    info = ast.literal_eval(block.partition("=")[2].strip())

    assert info["blender"] == (4, 2, 0)
    assert ".".join(map(str, info["version"])) == graphlift.__version__
    assert info["name"] == "graphlift motion"


def test_the_verb_writes_the_file_whole_and_says_what_to_do(tmp_path):
    path = tmp_path / "graphlift_motion.py"
    path.write_text("before")

    said = here("blender-addon", "-o", path)

    assert said.status == 0, said
    assert "Install from Disk" in said.out
    assert path.read_text(encoding="utf-8") == compose_addon()
    assert [each.name for each in tmp_path.iterdir()] == ["graphlift_motion.py"]


def test_the_verb_refuses_what_blender_would_not_take(tmp_path):
    (tmp_path / "folder.py").mkdir()

    for name in ("addon.zip", "my-addon.py", "2nd.py"):
        assert_refused(here("blender-addon", "-o", tmp_path / name), name, "graphlift_motion.py")
    assert_refused(here("blender-addon", "-o", tmp_path / "folder.py"), "is a folder")
    assert [each.name for each in tmp_path.iterdir()] == ["folder.py"]
