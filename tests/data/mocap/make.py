"""Writes the made-up people beside this file: one body in a T-pose, under every naming family.

The body is drawn by hand, in metres, y up, facing +z, so that +x is its left. Run this file
after a change; a test checks that the files are up to date.
"""

from pathlib import Path

HERE = Path(__file__).parent

# The 17 joints in the T-pose.
BODY = {
    "Hip": (0, 0.92, 0),
    **{f"{s}Hip": (x * 0.1, 0.92, 0) for s, x in (("L", 1), ("R", -1))},
    **{f"{s}Knee": (x * 0.1, 0.5, 0) for s, x in (("L", 1), ("R", -1))},
    **{f"{s}Foot": (x * 0.1, 0.08, 0) for s, x in (("L", 1), ("R", -1))},
    "Spine": (0, 1.14, 0),
    "Thorax": (0, 1.38, 0),
    "Neck/Nose": (0, 1.58, 0),
    "Head": (0, 1.68, 0),
    **{f"{s}Shoulder": (x * 0.18, 1.38, 0) for s, x in (("L", 1), ("R", -1))},
    **{f"{s}Elbow": (x * 0.46, 1.38, 0) for s, x in (("L", 1), ("R", -1))},
    **{f"{s}Wrist": (x * 0.7, 1.38, 0) for s, x in (("L", 1), ("R", -1))},
}


def t_pose(joints):
    """Give the T-pose as the world sees it: z up; the person, who faced +z, faces -y."""
    return [[x, -z, y] for x, y, z in (BODY[joint] for joint in joints)]


CMU = 0.0254 / 0.45


def side(table, left, right):
    """Repeat the lines with an @ for both sides: @ becomes the side's word, ~ its sign."""
    for name, parent, (x, y, z) in table:
        if "@" not in name:
            yield name, parent, (x, y, z)
            continue
        for word, sign in ((left, 1), (right, -1)):
            yield name.replace("@", word), parent.replace("@", word), (sign * x, y, z)


# Each family: joint, parent, position in the T-pose (m); the first is the root.
FAMILIES = {
    "mixamo": (
        "mixamorig:",
        [
            *side(
                [
                    ("Hips", "", (0, 0.96, 0)),
                    ("@UpLeg", "Hips", (0.1, 0.92, 0)),
                    ("@Leg", "@UpLeg", (0.1, 0.5, 0)),
                    ("@Foot", "@Leg", (0.1, 0.08, 0)),
                    ("Spine", "Hips", (0, 1.08, 0)),
                    ("Spine1", "Spine", (0, 1.2, 0)),
                    ("Spine2", "Spine1", (0, 1.3, 0)),
                    ("Neck", "Spine2", (0, 1.45, 0)),
                    ("Head", "Neck", (0, 1.58, 0)),
                    ("HeadTop_End", "Head", (0, 1.68, 0)),
                    ("@Shoulder", "Spine2", (0.05, 1.38, 0)),
                    ("@Arm", "@Shoulder", (0.18, 1.38, 0)),
                    ("@ForeArm", "@Arm", (0.46, 1.38, 0)),
                    ("@Hand", "@ForeArm", (0.7, 1.38, 0)),
                ],
                "Left",
                "Right",
            )
        ],
    ),
    # The thorax starts where it ends and the wrist has no bone: the hand is at 2/3 of the forearm.
    "cmu": (
        "",
        [
            ("Hips", "", (0, 1.0, 0)),
            ("LHipJoint", "Hips", (0, 1.0, 0)),
            ("RHipJoint", "Hips", (0, 1.0, 0)),
            ("LeftUpLeg", "LHipJoint", (0.1, 0.92, 0)),
            ("RightUpLeg", "RHipJoint", (-0.1, 0.92, 0)),
            *side(
                [
                    ("@Leg", "@UpLeg", (0.1, 0.5, 0)),
                    ("@Foot", "@Leg", (0.1, 0.08, 0)),
                    ("@ToeBase", "@Foot", (0.1, 0.02, 0.15)),
                    ("LowerBack", "Hips", (0, 1.0, 0)),
                    ("Spine", "LowerBack", (0, 1.14, 0)),
                    ("Spine1", "Spine", (0, 1.38, 0)),
                    ("Neck", "Spine1", (0, 1.38, 0)),
                    ("Neck1", "Neck", (0, 1.48, 0)),
                    ("Head", "Neck1", (0, 1.58, 0)),
                    ("Head.end", "Head", (0, 1.68, 0)),
                    ("@Shoulder", "Spine1", (0, 1.38, 0)),
                    ("@Arm", "@Shoulder", (0.18, 1.38, 0)),
                    ("@ForeArm", "@Arm", (0.46, 1.38, 0)),
                    ("@Hand", "@ForeArm", (0.62, 1.38, 0)),
                    ("@FingerBase", "@Hand", (0.62, 1.38, 0)),
                ],
                "Left",
                "Right",
            ),
        ],
    ),
    "daz": (
        "",
        [
            *side(
                [
                    ("hip", "", (0, 0.9, 0)),
                    ("@Buttock", "hip", (0.08, 0.95, 0)),
                    ("@Thigh", "@Buttock", (0.1, 0.92, 0)),
                    ("@Shin", "@Thigh", (0.1, 0.5, 0)),
                    ("@Foot", "@Shin", (0.1, 0.08, 0)),
                    ("abdomen", "hip", (0, 1.08, 0)),
                    ("chest", "abdomen", (0, 1.2, 0)),
                    ("neck", "chest", (0, 1.42, 0)),
                    ("head", "neck", (0, 1.58, 0)),
                    ("leftEye", "head", (0.04, 1.68, 0)),
                    ("rightEye", "head", (-0.04, 1.68, 0)),
                    ("@Collar", "chest", (0.03, 1.38, 0)),
                    ("@Shldr", "@Collar", (0.18, 1.38, 0)),
                    ("@ForeArm", "@Shldr", (0.46, 1.38, 0)),
                    ("@Hand", "@ForeArm", (0.7, 1.38, 0)),
                ],
                "l",
                "r",
            )
        ],
    ),
    "biovision": (
        "",
        [
            *side(
                [
                    ("Hips", "", (0, 0.92, 0)),
                    ("@Hip", "Hips", (0.1, 0.92, 0)),
                    ("@Knee", "@Hip", (0.1, 0.5, 0)),
                    ("@Ankle", "@Knee", (0.1, 0.08, 0)),
                    ("Chest", "Hips", (0, 1.14, 0)),
                    ("Neck", "Chest", (0, 1.42, 0)),
                    ("Head", "Neck", (0, 1.58, 0)),
                    ("Head.end", "Head", (0, 1.68, 0)),
                    ("@Collar", "Chest", (0, 1.38, 0)),
                    ("@Shoulder", "@Collar", (0.18, 1.38, 0)),
                    ("@Elbow", "@Shoulder", (0.46, 1.38, 0)),
                    ("@Wrist", "@Elbow", (0.7, 1.38, 0)),
                ],
                "Left",
                "Right",
            )
        ],
    ),
    "h36m": (
        "",
        [
            ("Hip", "", BODY["Hip"]),
            *(
                (joint, parent, BODY[joint])
                for joint, parent in (
                    *((f"{s}Hip", "Hip") for s in "LR"),
                    *((f"{s}Knee", f"{s}Hip") for s in "LR"),
                    *((f"{s}Foot", f"{s}Knee") for s in "LR"),
                    ("Spine", "Hip"),
                    ("Thorax", "Spine"),
                    ("Neck/Nose", "Thorax"),
                    ("Head", "Neck/Nose"),
                    *((f"{s}Shoulder", "Thorax") for s in "LR"),
                    *((f"{s}Elbow", f"{s}Shoulder") for s in "LR"),
                    *((f"{s}Wrist", f"{s}Elbow") for s in "LR"),
                )
            ),
        ],
    ),
}


def bvh(joints, *, unit, turns=(), frames=1, frame_time=1 / 30, order="ZXY", prefix=""):
    """Write BVH text: the T-pose, but ``turns`` (joint, frame) -> angles in ``order``, degrees.

    ``unit`` is metres a unit. Joints come in depth-first order, whatever their order in the list.
    """
    at = {name: place for name, _, place in joints}
    turns = dict(turns)
    channels = " ".join(f"{axis}rotation" for axis in order)
    visited = []

    def block(name, parent, indent):
        offset = " ".join(
            f"{(a - b) / unit:.6f}"
            for a, b in zip(at[name], at.get(parent, (0, 0, 0)), strict=True)
        )
        kind = "JOINT" if parent else "ROOT"
        end = name.endswith(".end")
        head = "End Site" if end else f"{kind} {prefix}{name}"
        move = "" if parent else "Xposition Yposition Zposition "
        yield from (f"{indent}{head}", f"{indent}{{", f"{indent}  OFFSET {offset}")
        if not end:
            visited.append(name)
            yield f"{indent}  CHANNELS {3 if parent else 6} {move}{channels}"
        children = [child for child, above, _ in joints if above == name]
        for child in children:
            yield from block(child, name, indent + "  ")
        if not children and not end:
            yield from (f"{indent}  End Site", f"{indent}  {{")
            yield from (f"{indent}    OFFSET 0 {0.05 / unit:.6f} 0", f"{indent}  }}")
        yield f"{indent}}}"

    root = joints[0][0]
    lines = ["HIERARCHY", *block(root, "", ""), "MOTION", f"Frames: {frames}"]
    lines.append(f"Frame Time: {frame_time:.7f}")
    for frame in range(frames):
        angles = [turns.get((name, frame), (0, 0, 0)) for name in visited]
        numbers = [*(value / unit for value in at[root]), *(a for three in angles for a in three)]
        lines.append(" ".join(f"{number:.6g}" for number in numbers))
    return "\n".join(lines) + "\n"


# Acclaim: bone, parent, start and end in the T-pose (m), axis (degrees), degrees of freedom.
ROOT = (0, 1.0, 0)
BONES = [
    *side(
        [
            ("@hipjoint", "root", (0.1, 0.92, 0)),
            ("@femur", "@hipjoint", (0.1, 0.5, 0)),
            ("@tibia", "@femur", (0.1, 0.08, 0)),
            ("@foot", "@tibia", (0.1, 0.02, 0.15)),
            ("lowerback", "root", (0, 1.14, 0)),
            ("upperback", "lowerback", (0, 1.26, 0)),
            ("thorax", "upperback", (0, 1.38, 0)),
            ("lowerneck", "thorax", (0, 1.48, 0)),
            ("upperneck", "lowerneck", (0, 1.58, 0)),
            ("head", "upperneck", (0, 1.68, 0)),
            ("@clavicle", "thorax", (0.18, 1.38, 0)),
            ("@humerus", "@clavicle", (0.46, 1.38, 0)),
            ("@radius", "@humerus", (0.62, 1.38, 0)),
            ("@wrist", "@radius", (0.7, 1.38, 0)),
        ],
        "l",
        "r",
    )
]
AXES = {"lfemur": (0, 0, 20), "rfemur": (0, 0, -20), "lradius": (0, 90, 0), "rradius": (0, -90, 0)}
FREEDOMS = {
    **{
        f"{s}{bone}": dof
        for s in "lr"
        for bone, dof in (
            ("hipjoint", ""),
            ("femur", "rx ry rz"),
            ("tibia", "rx"),
            ("foot", "rx rz"),
            ("clavicle", "ry rz"),
            ("humerus", "rx ry rz"),
            ("radius", "rx"),
            ("wrist", "ry"),
        )
    },
    **dict.fromkeys(
        ("lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head"), "rx ry rz"
    ),
}


def asf(bones=BONES, *, axes=AXES, freedoms=FREEDOMS, unit=CMU, root=ROOT, angle="deg"):
    """Write ASF text of the T-pose; ``unit`` is metres a unit, as a multiple of 0.0254."""
    at = {"root": root} | {name: end for name, _, end in bones}
    lines = [":version 1.10", ":name made-up", ":units", "  mass 1.0"]
    lines += [f"  length {0.0254 / unit:.6g}", f"  angle {angle}"]
    lines += [":documentation", "  drawn by hand", ":root", "  order TX TY TZ RX RY RZ"]
    lines += ["  axis XYZ", "  position 0 0 0", "  orientation 0 0 0", ":bonedata"]
    for number, (name, parent, end) in enumerate(bones, start=1):
        vector = [a - b for a, b in zip(end, at[parent], strict=True)]
        length = sum(a * a for a in vector) ** 0.5
        direction = " ".join(f"{a / length:.8f}" for a in vector)
        lines += ["  begin", f"    id {number}", f"    name {name}", f"    direction {direction}"]
        lines += [f"    length {length / unit:.8f}"]
        lines += [f"    axis {' '.join(map(str, axes.get(name, (0, 0, 0))))}  XYZ"]
        if freedoms.get(name):
            lines.append(f"    dof {freedoms[name]}")
            for count, _ in enumerate(freedoms[name].split()):
                lines.append(f"    {'limits' if count == 0 else '      '} (-180.0 180.0)")
        lines.append("  end")
    lines += [":hierarchy", "  begin"]
    for parent in ("root", *(name for name, _, _ in bones)):
        if children := [name for name, above, _ in bones if above == parent]:
            lines.append(f"    {parent} {' '.join(children)}")
    return "\n".join([*lines, "  end"]) + "\n"


def amc(frames, *, freedoms=FREEDOMS, unit=CMU, root=ROOT, header=":DEGREES"):
    """Write AMC text; a frame is a dict from bone to angles (root: metres, then angles)."""
    lines = ["#!made by hand", ":FULLY-SPECIFIED", header]
    for number, turns in enumerate(frames, start=1):
        place = [*(value / unit for value in root), 0, 0, 0]
        lines += [str(number), "root " + " ".join(f"{v:.8g}" for v in turns.get("root", place))]
        for name, dof in freedoms.items():
            if count := len(dof.split()):
                angles = turns.get(name, (0,) * count)
                lines.append(f"{name} " + " ".join(f"{v:.8g}" for v in angles))
    return "\n".join(lines) + "\n"


def files():
    """Every file and its text."""
    units = {"mixamo": 0.01, "cmu": CMU, "daz": 0.0254, "biovision": 0.01, "h36m": 1.0}
    # Frame 1: the left arm, along x, is raised by a quarter turn about z.
    raised = {
        "mixamo": "LeftArm",
        "cmu": "LeftArm",
        "daz": "lShldr",
        "biovision": "LeftShoulder",
        "h36m": "LShoulder",
    }
    for family, (prefix, joints) in FAMILIES.items():
        turns = {(raised[family], 1): (90, 0, 0)}
        text = bvh(joints, unit=units[family], turns=turns, frames=2, prefix=prefix)
        yield f"{family}.bvh", text
    yield "01/01.asf", asf()
    yield "01/01_01.amc", amc([{}, {"lhumerus": (0, 0, 90)}])


if __name__ == "__main__":
    for name, text in files():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_text(text)
