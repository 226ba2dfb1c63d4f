"""The add-on as Blender runs it, without a screen.

It needs a Python with Blender's module (``pip install bpy==5.0.1``, for Python 3.11): the one that
``GRAPHLIFT_BLENDER_PYTHON`` names, or the one that runs the tests. Without it these tests are
skipped.
"""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.readback import moving

from graphlift import write_poses
from graphlift.blender.compose import write_addon
from graphlift.formats import armature
from graphlift.skeletons import H36M_17

HELPER = Path(__file__).parents[1] / "helpers" / "in_blender.py"
PYTHON = os.environ.get("GRAPHLIFT_BLENDER_PYTHON") or (
    sys.executable if importlib.util.find_spec("bpy") else None
)
pytestmark = pytest.mark.skipif(
    PYTHON is None, reason="no bpy: GRAPHLIFT_BLENDER_PYTHON names no Python that has it"
)

FRAMES = (1, 4, 9, 20)
RETARGETED = {"file": "one.npz", "frames": FRAMES}
JOBS = {
    "npz": ("import", {"file": "two.npz", "frames": FRAMES}),
    "glb": ("import", {"file": "two.glb", "frames": FRAMES}),
    "one of two": ("import", {"file": "two.npz", "options": {"person": "Bob", "at_origin": True}}),
    "larger": ("import", {"file": "one.glb", "options": {"scale": 100.0}, "frames": FRAMES}),
    "resampled": ("import", {"file": "one.npz", "options": {"rate": "RESAMPLE"}, "fps": 100,
                             "frames": (1, 2, 3, 39)}),
    "ntsc": ("import", {"file": "ntsc.npz"}),
    "away": ("import", {"file": "away.npz"}),
    "hostile": ("import", {"file": "hostile.npz"}),
    "not there": ("import", {"file": "none.npz"}),
    "another kind": ("import", {"file": "jobs.json"}),
    "nobody": ("import", {"file": "two.glb", "options": {"person": "Cy"}}),
    "mixamo": ("retarget", {**RETARGETED, "rig": "mixamo", "prefix": "mixamorig:"}),
    "mixamo, arms down": ("retarget", {**RETARGETED, "rig": "mixamo", "prefix": "mixamorig7:",
                                       "droop": 0.8, "moved": (1.0, -2.0, 0.5)}),
    "metarig": ("retarget", {**RETARGETED, "rig": "metarig"}),
    "generated": ("retarget", {**RETARGETED, "rig": "generated"}),
    "generated, turned": ("retarget", {**RETARGETED, "rig": "generated", "turned": 75.0}),
    "unknown rig": ("refuse", {"rig": "unknown"}),
    "no motion": ("refuse", {"rig": "no motion"}),
    "menu": ("menu", {}),
}  # fmt: skip
RETARGETS = [title for title, (kind, _) in JOBS.items() if kind == "retarget"]


def walking():
    """Somebody who walks along +x and turns on the way, 20 frames."""
    one = moving(20, people=("Ada",), fps=50.0)
    there = one.positions.copy()
    there[..., 0] += np.linspace(0, 1.5, 20)[:, None, None]
    return replace(one, positions=there)


@pytest.fixture(scope="module")
def poses():
    return {"two": moving(20, people=("Ada", "Bob"), fps=50.0), "one": walking()}


@pytest.fixture(scope="module")
def told(poses, tmp_path_factory):
    """What one run of Blender tells of all jobs."""
    folder = tmp_path_factory.mktemp("blender")
    write_addon(folder / "graphlift_motion.py")
    for name, each in poses.items():
        write_poses(folder / f"{name}.npz", each)
        write_poses(folder / f"{name}.glb", each)
    one = poses["one"]
    away = one.positions.copy()
    away[[0, 3, 4]] = np.nan
    write_poses(folder / "away.npz", replace(one, positions=away))
    write_poses(folder / "ntsc.npz", replace(one, fps=60 / 1.001))
    (folder / "hostile.npz").write_bytes((folder / "one.npz").read_bytes()[:-500])
    (folder / "jobs.json").write_text(json.dumps(JOBS))
    subprocess.run(
        [PYTHON, HELPER, folder],
        check=True,
        timeout=300,
        env={**os.environ, "BLENDER_USER_RESOURCES": str(folder / "resources")},
    )
    return json.loads((folder / "told.json").read_text())


def joints_of(heads):
    """The 17 joints, by where bones start."""
    at = {node.at: heads[node.name] for node in reversed(armature.NODES)}
    at["Head"] = heads["HeadTop_End"]
    return np.array([at[joint] for joint in H36M_17.joints])


@pytest.mark.parametrize("kind", ["npz", "glb"])
def test_bones_start_where_the_joints_are(told, poses, kind):
    people = {person["name"]: person for person in told[kind]["people"]}

    assert list(people) == ["Ada", "Bob"]
    assert told[kind]["fps"] == 50
    for number, name in enumerate(("Ada", "Bob")):
        for frame in FRAMES:
            found = joints_of(people[name]["heads"][str(frame)])
            there = poses["two"].positions[frame - 1, number]
            np.testing.assert_allclose(found, there, atol=1e-4)
        assert people[name]["keys"] == list(range(1, 21))
        assert people[name]["paths"] == ["location", "rotation_quaternion"]
        assert people[name]["linear"]


def test_both_kinds_rest_alike(told):
    for npz, glb in zip(told["npz"]["people"], told["glb"]["people"], strict=True):
        assert list(npz["rest"]) == list(glb["rest"])
        for bone, matrix in npz["rest"].items():
            np.testing.assert_allclose(matrix, glb["rest"][bone], atol=1e-5)


def test_one_person_is_chosen_and_begins_at_the_origin(told, poses):
    (bob,) = told["one of two"]["people"]
    hips = np.array(bob["heads"]["1"]["Hips"])

    assert bob["name"] == "Bob"
    np.testing.assert_allclose(hips[:2], 0, atol=1e-5)
    assert hips[2] == pytest.approx(poses["two"].positions[0, 1, 0, 2], abs=1e-5)


def test_a_scale_is_of_everything(told, poses):
    (ada,) = told["larger"]["people"]

    for frame in FRAMES:
        found = joints_of(ada["heads"][str(frame)])
        np.testing.assert_allclose(found, 100 * poses["one"].positions[frame - 1, 0], atol=0.02)


def test_a_scene_of_another_rate_is_kept_if_asked_for(told, poses):
    """50 fps at 100: every second key is a frame of the file, the rest lie between."""
    (ada,) = told["resampled"]["people"]
    at = {frame: joints_of(heads) for frame, heads in ada["heads"].items()}
    there = poses["one"].positions[:, 0]

    assert told["resampled"]["fps"] == 100
    assert "resampled from 50 to the scene's 100 fps" in told["resampled"]["said"]
    assert ada["keys"] == list(range(1, 40))
    for frame, own in (("1", 0), ("3", 1), ("39", 19)):
        np.testing.assert_allclose(at[frame], there[own], atol=1e-4)
    np.testing.assert_allclose(at["2"][0], (there[0, 0] + there[1, 0]) / 2, atol=1e-4)


def test_the_scene_takes_the_rate_of_the_file_and_says_so(told):
    assert told["ntsc"]["fps"] == pytest.approx(60 / 1.001, abs=1e-4)
    assert "was 24 fps and is now 59.9401" in told["ntsc"]["said"]


def test_frames_without_the_person_have_no_keys(told):
    (ada,) = told["away"]["people"]

    assert ada["keys"] == [2, 3, *range(6, 21)]
    assert "Ada has no keys in 3 frames" in told["away"]["said"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("hostile", "hostile.npz: is damaged"),
        ("not there", "none.npz"),
        ("another kind", "jobs.json: is neither .npz nor .glb"),
        ("nobody", "two.glb: nobody is called Cy: there are Ada, Bob"),
    ],
)
def test_a_file_that_is_none_is_refused_and_nothing_is_made(told, job, words):
    assert words in told[job]["error"]
    assert told[job]["objects"] == 0


@pytest.mark.parametrize("job", RETARGETS)
def test_limbs_of_a_rig_point_where_ours_do(told, job):
    for frame in told[job]["frames"]:
        for limb, (ours, theirs) in frame["limbs"].items():
            across = np.linalg.norm(np.cross(ours, theirs))
            assert np.degrees(np.arctan2(across, np.dot(ours, theirs))) < 0.1, limb


@pytest.mark.parametrize("job", RETARGETS)
def test_the_path_of_the_pelvis_is_scaled_by_the_legs(told, job):
    origin = np.array(JOBS[job][1].get("moved", (0, 0, 0)))
    ours, theirs = told[job]["legs"]

    assert abs(theirs / ours - 1) > 0.005
    for frame in told[job]["frames"]:
        middle = np.mean(frame["hips"], axis=0)
        expected = origin + (np.array(frame["our hips"]) - origin) * theirs / ours
        np.testing.assert_allclose(middle, expected, atol=1e-3)


@pytest.mark.parametrize("job", RETARGETS)
def test_left_stays_left(told, job):
    for frame in told[job]["frames"]:
        ours = np.subtract(frame["our feet"]["Left"], frame["our feet"]["Right"])
        theirs = np.subtract(frame["feet"]["Left"], frame["feet"]["Right"])
        swapped = np.linalg.norm(ours + theirs)
        assert np.linalg.norm(ours - theirs) < 0.5 * swapped


@pytest.mark.parametrize("job", RETARGETS)
def test_what_the_rig_did_before_is_kept(told, job):
    assert told[job]["kept"]
    assert told[job]["action"] != "walk by hand"
    assert "the action walk by hand is kept" in told[job]["said"]
    assert told[job]["now"] == 7  # the frame that was shown
    assert all(switch == 1 for switch in told[job]["switches"])


def test_keys_are_in_the_mode_of_each_bone(told):
    paths = told["generated"]["paths"]

    assert 'pose.bones["upper_arm_fk.L"].rotation_euler' in paths
    assert 'pose.bones["shin_fk.R"].rotation_axis_angle' in paths
    assert 'pose.bones["thigh_parent.L"]["IK_FK"]' in paths
    assert 'pose.bones["torso"].location' in paths
    assert [path for path in paths if path.endswith("location")] == [
        'pose.bones["torso"].location'
    ]


def test_what_is_no_rig_or_no_motion_is_refused(told):
    unknown, still = told["unknown rig"], told["no motion"]

    assert "thing: is of no known rig: nearest is Mixamo, but it has no bones" in unknown["error"]
    assert unknown["actions"] == ["Ada motion"]
    assert unknown["still"]
    assert "character: has not the bones of an imported motion (LHipJoint" in still["error"]


def test_the_menu_has_the_import_until_the_add_on_is_disabled(told):
    assert told["menu"] == {"shown": True, "left": False, "operator": False}
