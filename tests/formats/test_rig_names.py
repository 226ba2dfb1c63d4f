"""Names of joints: one body under the names of eleven rigs, and maps for any other."""

import re

import numpy as np
import pytest
from data.mocap import make
from helpers.command import here

from graphlift.datasets.mocap.prepare import read_bvh_clip
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.formats.kinematics import recipe_weights
from graphlift.formats.rig_names import families, plain_name, read_map
from graphlift.skeletons import H36M_17

T_POSE = np.array(make.t_pose(H36M_17.joints))
# Root, lower and upper spine, neck, head; then of each side (the word for @): collar bone, upper
# arm, forearm, hand, thigh, shin, foot.
RIGS = {
    "bandai-namco": (
        "L R", "Hips Spine Chest Neck Head",
        "Shoulder_@ UpperArm_@ LowerArm_@ Hand_@ UpperLeg_@ LowerLeg_@ Foot_@",
    ),
    "smpl": (
        "L R", "Pelvis Spine1 Spine2 Neck Head",
        "@_Collar @_Shoulder @_Elbow @_Wrist @_Hip @_Knee @_Ankle",
    ),
    "smpl-words": (
        "left right", "pelvis spine1 spine2 neck head",
        "@_collar @_shoulder @_elbow @_wrist @_hip @_knee @_ankle",
    ),
    "rokoko": (
        "Left Right", "Hips Spine1 Spine2 Neck Head",
        "@Shoulder @Arm @ForeArm @Hand @Thigh @Shin @Foot",
    ),
    "accurig": (
        "L R", "CC_Base_Hip CC_Base_Waist CC_Base_Spine01 CC_Base_NeckTwist01 CC_Base_Head",
        ("CC_Base_@_Clavicle CC_Base_@_Upperarm CC_Base_@_Forearm CC_Base_@_Hand "
         "CC_Base_@_Thigh CC_Base_@_Calf CC_Base_@_Foot"),
    ),
    "unreal": (
        "l r", "pelvis spine_01 spine_02 neck_01 head",
        "clavicle_@ upperarm_@ lowerarm_@ hand_@ thigh_@ calf_@ foot_@",
    ),
    "rigify": (
        "L R", "spine spine.001 spine.002 spine.004 spine.006",
        "shoulder.@ upper_arm.@ forearm.@ hand.@ thigh.@ shin.@ foot.@",
    ),
    "unity": (
        "Left Right", "Hips Spine Chest Neck Head",
        "@Shoulder @UpperArm @LowerArm @Hand @UpperLeg @LowerLeg @Foot",
    ),
    "biped": (
        "L R", "Bip01 Bip01_Spine Bip01_Spine1 Bip01_Neck Bip01_Head",
        ("Bip01_@_Clavicle Bip01_@_UpperArm Bip01_@_Forearm Bip01_@_Hand Bip01_@_Thigh "
         "Bip01_@_Calf Bip01_@_Foot"),
    ),
    "xsens": (
        "Left Right", "Pelvis L5 T12 Neck Head",
        "@Shoulder @UpperArm @ForeArm @Hand @UpperLeg @LowerLeg @Foot",
    ),
    "optitrack": (
        "L R", "Hips Ab Chest Neck Head",
        "@Shoulder @UArm @FArm @Hand @Thigh @Shin @Foot",
    ),
}  # fmt: skip
STRANGE = ("sx dx", "bacino lombi petto collo testa",
           "spalla.@ braccio.@ gomito.@ polso.@ anca.@ ginocchio.@ caviglia.@")  # fmt: skip


def body(words, middle, sides):
    """The hand-drawn person in a T-pose, joint by joint: name, parent, position."""
    root, low, high, neck, head = middle.split()
    collar, arm, forearm, hand, thigh, shin, foot = sides.split()
    rows = [
        (root, "", (0, 0.95, 0)),
        (thigh, root, (0.1, 0.92, 0)),
        (shin, thigh, (0.1, 0.5, 0)),
        (foot, shin, (0.1, 0.08, 0)),
        (low, root, (0, 1.08, 0)),
        (high, low, (0, 1.2, 0)),
        (neck, high, (0, 1.42, 0)),
        (head, neck, (0, 1.58, 0)),
        (f"{head}.end", head, (0, 1.68, 0)),
        (collar, high, (0.05, 1.38, 0)),
        (arm, collar, (0.18, 1.38, 0)),
        (forearm, arm, (0.46, 1.38, 0)),
        (hand, forearm, (0.7, 1.38, 0)),
    ]
    return list(make.side(rows, *words.split()))


def write(path, rig):
    path.write_text(make.bvh(body(*rig), unit=0.01))
    return path


def strange_map():
    return """
        Hip = "0.5*anca.sx + 0.5*anca.dx"
        RHip = "anca.dx"
        RKnee = "ginocchio.dx"
        RFoot = "caviglia.dx"
        LHip = "anca.sx"
        LKnee = "ginocchio.sx"
        LFoot = "caviglia.sx"
        Spine = "0.5*lombi + 0.5*petto"
        Thorax = "0.5*spalla.sx + 0.5*spalla.dx"
        "Neck/Nose" = "testa"
        Head = "testa.end"
        LShoulder = "braccio.sx"
        LElbow = "gomito.sx"
        LWrist = "polso.sx"
        RShoulder = "braccio.dx"
        RElbow = "gomito.dx"
        RWrist = "polso.dx"
    """


@pytest.mark.parametrize("rig", RIGS)
def test_every_rig_gives_the_same_body(rig, tmp_path):
    clip = read_bvh_clip(write(tmp_path / "walk.bvh", RIGS[rig]))

    np.testing.assert_allclose(clip.positions[0], T_POSE, atol=1e-6)
    assert clip.provenance.startswith(f"{rig}-bvh")


def test_in_every_family_left_mirrors_right_and_weights_add_up_to_1():
    for recipe in families().values():
        names = sorted(set(re.findall(r"[a-z][a-z0-9]*(?:\.end)?", " ".join(recipe.values()))))
        weights = recipe_weights(names, recipe)
        np.testing.assert_allclose(weights.sum(axis=1), 1)
        assert set(recipe) == set(H36M_17.joints)
        for joint in ("Hip", "Knee", "Foot", "Shoulder", "Elbow", "Wrist"):
            assert recipe[f"L{joint}"] != recipe[f"R{joint}"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Bip001 L Thigh", "lthigh"), ("Bip01", "bip01"), ("CC_Base_Hip", "hip"), ("Hips", "hips"),
     ("DEF-spine.001", "spine001"), ("bipod_leg", "bipodleg"), ("x:Bip01_Head", "head")],
)  # fmt: skip
def test_prefixes_of_tools_are_left_out(name, plain):
    assert plain_name(name) == plain


def test_any_other_rig_is_read_by_a_map(tmp_path):
    path, table = write(tmp_path / "walk.bvh", STRANGE), tmp_path / "rig.toml"
    table.write_text(strange_map())

    clip = read_bvh_clip(path, names=read_map(table))

    np.testing.assert_allclose(clip.positions[0], T_POSE, atol=1e-6)
    assert clip.provenance.startswith("rig.toml-bvh")


def test_unknown_names_are_answered_by_a_template_that_lists_them(tmp_path):
    takes = tmp_path / "takes"
    takes.mkdir()
    write(
        takes / "walk.bvh",
        ("L R", RIGS["optitrack"][1], "@Clav @Up @Low @Paw @Haunch @Shin @Foot"),
    )
    out = tmp_path / "p.npz"

    refused = here("data", "prepare", "mocap", takes, "--out", out)

    line = refused.err.splitlines()[0]
    assert refused.status == 2
    assert "walk.bvh: its joint names are of no known family: nearest is optitrack" in line
    assert "--map FILE.toml" in line
    assert not out.exists()
    template = refused.err.partition("\n")[2]
    assert template.startswith("# joints of the file: hips, lhaunch, lshin, ")
    assert 'LKnee = "lshin"' in template
    assert 'LWrist = ""' in template
    filled = template
    for joint, name in {"Hip": "0.5*lhaunch + 0.5*rhaunch", "Thorax": "0.5*LClav + 0.5*RClav",
                        "LHip": "LHaunch", "RHip": "RHaunch", "LShoulder": "LUp", "RElbow": "RLow",
                        "RShoulder": "RUp", "LElbow": "LLow", "LWrist": "LPaw",
                        "RWrist": "RPaw"}.items():  # fmt: skip
        filled = re.sub(rf'^{joint} = ".*"$', f'{joint} = "{name}"', filled, flags=re.MULTILINE)
    (tmp_path / "rig.toml").write_text(filled)
    done = here("data", "prepare", "mocap", takes, "--out", out, "--map", tmp_path / "rig.toml")
    assert done.status == 0, done.err
    assert out.is_file()


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('RKnee = "ginocchio.dx"', "", "RKnee"),
        ("RKnee =", "Kneee =", "Kneee: no joint of that name; known are Hip, RHip"),
        ('"lombi', '"', "no line for"),
        ("0.5*lombi", "0.7*lombi", "Spine is .*whose weights add up to 1"),
        ("0.5*lombi", "half*lombi", "Spine is .*give the name of a joint"),
        ('"testa"', "7", "Neck/Nose is '7': give the name of a joint"),
        ('"testa"', '"testa', "is no TOML"),
        ('"testa"', "9" * 5_000, "is no TOML"),
        ('"testa"', '"..."', "Neck/Nose is '...'"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused_by_file_and_line(tmp_path, old, new, wrong):
    path = tmp_path / "rig.toml"
    text = strange_map().replace(old, new, 1)
    path.write_text(text.replace('"" + 0.5*petto"', '""'))
    if wrong == "no line for":
        path.write_text(strange_map().replace('"0.5*lombi + 0.5*petto"', '""'))

    with pytest.raises(ConfigError, match=rf"rig\.toml.*{wrong}"):
        read_map(path)


def test_a_map_of_other_files_or_none_is_refused(tmp_path):
    path, table = write(tmp_path / "walk.bvh", STRANGE), tmp_path / "rig.toml"
    table.write_text(strange_map().replace("polso", "mano"))
    with pytest.raises(
        FormatError, match=r"walk\.bvh: has no such joints as rig\.toml gives for L"
    ):
        read_bvh_clip(path, names=read_map(table))
    with pytest.raises(DatasetNotFoundError, match=r"no map of joint names at .*none\.toml"):
        read_map(tmp_path / "none.toml")
