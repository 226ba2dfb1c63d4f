"""Sample people's bodies from anny, and check them against measured people.

    pip install anny==0.6.2 torch==2.13.0      # in a virtual environment of its own
    python recipes/sample_bodies.py sample -o runs/anny.npz
    python recipes/sample_bodies.py table runs/anny.npz path/to/cmu_skeletons.json \
        -o src/graphlift/bodies/bodies.npz
    python recipes/sample_bodies.py check      # the shipped table against ANSUR II

``sample`` alone needs anny (Apache-2.0; its data are CC0). ``table`` keeps, of each person, bone
lengths and the places of the keypoints on the segments, as shares of stature. Bones are scaled by
one factor each, so that their mean in men is that of the five training people whose skeletons are
known: the definition of the joints is the motion capture's, the differences between people are
anny's. Where anny's people differ less than measured ones, what is missing is added at random.

Source of the measured ratios: ANSUR II, 4,082 men and 1,986 women of the US Army (Gordon et al.,
"2012 anthropometric survey of U.S. Army personnel", NATICK/TR-15/007, 2014).
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from graphlift.bodies.segments import POINTS, SIDED_POINTS
from graphlift.bodies.table import BONES, load_bodies
from graphlift.files import replacing
from graphlift.skeletons import H36M_17

PEOPLE = 4096
CHILDREN = 0.25
"""Share of people of 3 to 17 years; the others are of 18 to 74."""
TOGETHER = 64

SPREAD = {
    "Hip": 0.03, "Knee": 0.04, "Foot": 0.04, "Spine": 0.06, "Thorax": 0.06, "Neck/Nose": 0.05,
    "Head": 0.04, "Shoulder": 0.02, "Elbow": 0.028, "Wrist": 0.035,
}  # fmt: skip
"""What is added to the spread of each bone that ends in the joint, as a share of its length."""

ANSUR = {
    "thigh and shin": ((0.471, 3.5), (0.480, 3.4)),
    "shoulder to elbow": ((0.207, 2.9), (0.205, 3.0)),
    "elbow to wrist": ((0.153, 4.0), (0.148, 4.6)),
    "shoulder breadth": ((0.237, 4.2), (0.224, 4.3)),
    "hip breadth": ((0.197, 6.6), (0.217, 7.0)),
    "shoulder to hip": ((0.307, 5.0), (0.301, 4.7)),
}
"""Ratio to stature and its coefficient of variation, per cent, of men and of women. The spread of
thigh and shin together is that of both as if they were independent."""


def sample(out: Path) -> None:
    """Draw people from anny by its distributions of shape given age and sex."""
    import anny
    import torch
    from anny.shape_distribution import SimpleShapeDistribution

    class Ages(torch.distributions.Distribution):
        arg_constraints: Mapping = {}

        def sample(self, shape: tuple[int, ...] = ()) -> torch.Tensor:
            adult = torch.rand(shape) >= CHILDREN
            years = torch.where(adult, 18 + 57 * torch.rand(shape), 3 + 15 * torch.rand(shape))
            return years.double()

    torch.manual_seed(0)
    model = anny.Anny(rig="cmu_mb")
    regressor = anny.KeypointsRegressor.coco(model)
    half = torch.distributions.Bernoulli(torch.tensor(0.5, dtype=torch.float64))
    people = SimpleShapeDistribution(
        model, morphological_age_distribution=Ages(validate_args=False), gender_distribution=half
    )
    columns: dict[str, list[np.ndarray]] = {}
    for _ in range(PEOPLE // TOGETHER):
        age, phenotype = people.sample(TOGETHER)
        seen = model(phenotype_kwargs=phenotype, return_bone_ends=True)
        z = seen["vertices"][..., 2]
        found = {
            "heads": seen["bone_heads"],
            "tails": seen["bone_tails"],
            "coco": regressor(seen),
            "stature": z.amax(dim=1) - z.amin(dim=1),
            "age": age,
            "female": phenotype["gender"],
        }
        for name, values in found.items():
            columns.setdefault(name, []).append(torch.as_tensor(values).detach().numpy())
    arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
    with replacing(out) as beside:
        np.savez(
            beside,
            **arrays,
            bones=np.array(model.bone_labels),
            labels=np.array(regressor.labels),
        )


_HEADS = {
    "Hip": "LeftUpLeg", "Knee": "LeftLeg", "Foot": "LeftFoot", "Spine": "Spine", "Thorax": "Neck",
    "Neck/Nose": "Head", "Shoulder": "LeftArm", "Elbow": "LeftForeArm", "Wrist": "LeftHand",
}  # fmt: skip
"""Which bone of the rig begins in each joint; the head's ends in Head."""
_PARENT = {
    "Knee": "Hip", "Foot": "Knee", "Thorax": "Spine", "Neck/Nose": "Thorax", "Head": "Neck/Nose",
    "Shoulder": "Thorax", "Elbow": "Shoulder", "Wrist": "Elbow",
}  # fmt: skip
_BELOW = ("Hip", "Knee", "Foot")


def make_table(raw: Path, skeletons: Path, out: Path) -> None:
    """Turn anny's people into shares of stature, by the motion capture's definition of joints."""
    with np.load(raw) as file:
        people = {name: file[name] for name in file.files}
    stature = people["stature"]
    joints = _rest_joints(people)
    men = (people["age"] >= 18) & (people["female"] < 0.5)
    usual = _usual_lengths(skeletons)
    rng = np.random.default_rng(0)
    own = {name: np.linalg.norm(_bone(joints, name), axis=-1) / stature for name in BONES}
    gain = {name: usual[name] / own[name][men].mean() for name in BONES}
    lengths = {
        name: own[name] * gain[name] * np.exp(SPREAD[name] * rng.standard_normal(len(stature)))
        for name in BONES
    }
    points = _points(people, joints, gain, usual)
    for name, factor in gain.items():
        print(f"{name}: {factor:.3f} of anny's, {usual[name]:.3f} of stature")
    with replacing(out) as beside:
        np.savez_compressed(
            beside,
            stature=stature.astype(np.float16),
            age=people["age"].astype(np.float16),
            female=people["female"].astype(bool),
            lengths=np.stack([lengths[name] for name in BONES], axis=1).astype(np.float16),
            points=points.astype(np.float16),
        )


def _rest_joints(people: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Joints of the left side and of the middle at rest, m, from the middle of the hips."""
    bones = people["bones"].tolist()
    heads, tails = people["heads"], people["tails"]
    left, right = (heads[:, bones.index(f"{side}UpLeg")] for side in ("Left", "Right"))
    pelvis = (left + right) / 2
    joints = {name: heads[:, bones.index(bone)] - pelvis for name, bone in _HEADS.items()}
    joints["Head"] = tails[:, bones.index("Head")] - pelvis
    return joints


def _bone(joints: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    parent = _PARENT.get(name)
    return joints[name] - (joints[parent] if parent else 0)


def _usual_lengths(skeletons: Path) -> dict[str, float]:
    """Mean bone lengths of the capture's people, as shares of stature (Drillis and Contini)."""
    from graphlift.motion.bones import SHARE_OF_HEIGHT

    shares = []
    for lengths in json.loads(skeletons.read_text()).values():
        bone = dict(zip(H36M_17.joints[1:], lengths, strict=True))
        leg = np.mean([bone[f"{side}{joint}"] for side in "LR" for joint in ("Knee", "Foot")]) * 2
        # Shoulders are about a third of the clavicles' length above the thorax.
        trunk = bone["Spine"] + bone["Thorax"] + 0.3 * bone["LShoulder"]
        stature = (leg + trunk) / SHARE_OF_HEIGHT
        both = [[name, name] if name in bone else [f"L{name}", f"R{name}"] for name in BONES]
        shares.append([np.mean([bone[side] for side in pair]) / stature for pair in both])
    return dict(zip(BONES, np.mean(shares, axis=0).tolist(), strict=True))


def _points(
    people: Mapping[str, np.ndarray],
    joints: Mapping[str, np.ndarray],
    gain: Mapping[str, float],
    usual: Mapping[str, float],
) -> np.ndarray:
    """Offsets of the nose and of the left side's points in the T-pose's axes, shares of stature.

    At rest anny stands upright with its arms down: trunk, head and feet are turned as in a T-pose;
    thighs, shins and arms by the smallest turn of their bone. The bones whose definition differs
    (hips and knees, whose centres anny's rig has too far out and too high, and the skull's base)
    are first brought to the capture's; elbows, wrists and ankles agree.
    """
    stature = people["stature"]
    labels = people["labels"].tolist()
    heads = people["heads"]
    bones = people["bones"].tolist()
    pelvis = (heads[:, bones.index("LeftUpLeg")] + heads[:, bones.index("RightUpLeg")]) / 2
    words = {"BigToe": "big_toe", "SmallToe": "small_toe"}

    def seen(name: str) -> np.ndarray:
        word = words.get(name, name.lower())
        label = word if name == "Nose" else f"left_{word}"
        return np.asarray(people["coco"][:, labels.index(label)] - pelvis)

    hip = joints["Hip"] * gain["Hip"]
    knee = joints["Knee"] * [1, 1, gain["Knee"]]
    down, out = np.array([0.0, 0, -1]), np.array([1.0, 0, 0])
    skull = joints["Neck/Nose"].copy()
    tall = usual["Spine"] + usual["Thorax"] + usual["Neck/Nose"]
    ratio = (joints["Neck/Nose"][:, 2] / stature) / (joints["Neck/Nose"][:, 2] / stature).mean()
    skull[:, 2] = 0.98 * tall * ratio * stature
    chest = joints["Shoulder"]
    turned = {
        "Knee": _unturn(joints["Knee"] - joints["Hip"], down),
        "Ankle": _unturn(joints["Foot"] - joints["Knee"], down),
        "Elbow": _unturn(joints["Elbow"] - joints["Shoulder"], out),
        "Wrist": _unturn(joints["Wrist"] - joints["Elbow"], out),
    }
    base = {
        "Nose": skull, "Eye": skull, "Ear": skull, "Shoulder": chest, "Elbow": joints["Elbow"],
        "Wrist": joints["Wrist"], "Hip": hip, "Knee": knee, "Ankle": joints["Foot"],
        "BigToe": joints["Foot"], "SmallToe": joints["Foot"], "Heel": joints["Foot"],
    }  # fmt: skip
    offsets = []
    for name in ("Nose", *SIDED_POINTS):
        offset = (seen(name) - base[name]) / stature[:, None]
        if name in turned:
            offset = np.einsum("pab,pb->pa", turned[name], offset)
        offsets.append(offset)
        print(f"{name}: {np.round(offset.mean(axis=0) * 1000)} thousandths of stature")
    return np.stack(offsets, axis=1)


def _unturn(bone: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Smallest turns that take bones back to the T-pose's direction."""
    from scipy.spatial.transform import Rotation

    unit = bone / np.linalg.norm(bone, axis=-1, keepdims=True)
    axis = np.cross(unit, rest)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (unit @ rest)[:, None])
    return np.asarray(Rotation.from_rotvec(axis / np.maximum(sine, 1e-9) * angle).as_matrix())


def check() -> None:
    """Print the shipped table's ratios beside ANSUR's."""
    bodies = load_bodies()
    adult = bodies.age >= 18
    length = dict(zip(BONES, bodies.lengths.T, strict=True))
    side = ("Nose", *SIDED_POINTS)
    at = dict(zip(side, bodies.points.transpose(1, 0, 2), strict=True))
    trunk = length["Spine"] + length["Thorax"] + 0.3 * length["Shoulder"]
    ratios = {
        "thigh and shin": length["Knee"] + length["Foot"],
        "shoulder to elbow": length["Elbow"],
        "elbow to wrist": length["Wrist"],
        "shoulder breadth": 2 * 0.95 * length["Shoulder"],
        "hip breadth": 2 * length["Hip"],
        "shoulder to hip": trunk,
    }
    print(f"{len(bodies)} people, {100 * (~adult).mean():.0f} % children; {len(POINTS)} points")
    for sex, chosen, column in (("men", ~bodies.female, 0), ("women", bodies.female, 1)):
        stature = bodies.stature[adult & chosen]
        print(f"{sex}: stature {1000 * stature.mean():.0f} ± {1000 * stature.std():.0f} mm")
        for name, values in ratios.items():
            here = values[adult & chosen]
            mean, spread = ANSUR[name][column]
            print(
                f"  {name}: {here.mean():.3f}, {100 * here.std() / here.mean():.1f} % "
                f"(ANSUR {mean:.3f}, {spread:.1f} %)"
            )
    print(f"nose before the skull's base: {-1000 * at['Nose'][adult, 1].mean():.0f} thousandths")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("sample", help="draw people from anny")
    verb.add_argument("-o", "--out", type=Path, required=True)
    verb = verbs.add_parser("table", help="make the table that ships")
    verb.add_argument("raw", type=Path)
    verb.add_argument("skeletons", type=Path)
    verb.add_argument("-o", "--out", type=Path, required=True)
    verbs.add_parser("check", help="compare the shipped table with measured people")
    chosen = parser.parse_args()
    if chosen.verb == "sample":
        sample(chosen.out)
    elif chosen.verb == "table":
        make_table(chosen.raw, chosen.skeletons, chosen.out)
    else:
        check()


if __name__ == "__main__":
    main()
