import numpy as np
import pytest
from data.mocap import make
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.datasets import Clip
from graphlift.datasets.mocap.prepare import read_bvh_clip
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.from_bvh import MOST_JOINTS
from graphlift.formats.rig_names import plain_name
from graphlift.skeletons import H36M_17

DATA = make.HERE
T_POSE = np.array(make.t_pose(H36M_17.joints))
MIXAMO = make.FAMILIES["mixamo"][1]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    path = tmp_path_factory.mktemp("bvh") / "someone" / "clip.bvh"
    path.parent.mkdir()

    def read_text(text, **choices):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_bvh_clip(path, **choices)

    return read_text


def at(clip, joint, frame=0):
    return clip.positions[frame, H36M_17.joints.index(joint)]


def mixamo(turns=(), **options):
    return make.bvh(MIXAMO, **{"unit": 0.01, "turns": turns, **options})


@pytest.mark.parametrize(("name", "text"), list(make.files()))
def test_the_files_are_what_make_writes(name, text):
    assert (DATA / name).read_text() == text


@pytest.mark.parametrize("family", make.FAMILIES)
def test_every_family_gives_the_same_body(family):
    clip = read_bvh_clip(DATA / f"{family}.bvh")

    np.testing.assert_allclose(clip.positions[0], T_POSE, atol=1e-6)
    assert clip.provenance.startswith(f"{family}-bvh")
    assert (clip.name, clip.subject, clip.fps) == (family, "mocap", 30)


@pytest.mark.parametrize("family", make.FAMILIES)
def test_a_raised_left_arm_is_raised_and_left(family):
    clip = read_bvh_clip(DATA / f"{family}.bvh")

    expected = T_POSE.copy()
    expected[H36M_17.index("LElbow")] = [0.18, 0, 1.38 + 0.28]
    expected[H36M_17.index("LWrist")] = [0.18, 0, 1.38 + 0.52]
    np.testing.assert_allclose(clip.positions[1], expected, atol=1e-6)


def test_a_bent_knee_puts_the_foot_behind(read):
    # A quarter turn about +x takes the shin from -y to -z (right-handed): behind one who faces +z.
    clip = read(mixamo({("LeftLeg", 0): (0, 90, 0)}))

    knee, foot = at(clip, "LKnee"), at(clip, "LFoot")
    np.testing.assert_allclose(foot - knee, [0, 0.42, 0], atol=1e-6)


def test_turns_multiply_in_the_order_of_the_channels(read):
    z_then_y = read(mixamo({("LeftArm", 0): (90, 90, 0)}, order="ZYX"))
    y_then_z = read(mixamo({("LeftArm", 0): (90, 90, 0)}, order="YZX"))

    # Rz Ry x = Rz (-z) = -z: backwards, +y in the world. Ry Rz x = Ry y = y: up.
    np.testing.assert_allclose(at(z_then_y, "LWrist"), [0.18, 0.52, 1.38], atol=1e-6)
    np.testing.assert_allclose(at(y_then_z, "LWrist"), [0.18, 0, 1.9], atol=1e-6)


def test_z_up_files_are_not_turned(read):
    joints = [(name, parent, (x, -z, y)) for name, parent, (x, y, z) in MIXAMO]

    clip = read(make.bvh(joints, unit=0.01), up="z")

    np.testing.assert_allclose(clip.positions[0], T_POSE, atol=1e-6)


def test_turning_the_root_turns_everything(read):
    turns = {("LeftArm", 0): (30, 20, 10), ("RightUpLeg", 0): (0, -40, 5)}

    still = read(mixamo(turns)).positions[0]
    turned = read(mixamo({**turns, ("Hips", 0): (0, 0, 90)})).positions[0]

    # About y up by a quarter: x goes to -z, which in the world is +y.
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(turned, still @ quarter.T, atol=1e-6)


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001, 0.0254, make.CMU])
def test_the_unit_is_told_from_the_legs(read, unit):
    np.testing.assert_allclose(read(mixamo(unit=unit)).positions[0], T_POSE, atol=1e-5)


def test_a_unit_that_fits_nobody_is_refused_until_it_is_given(read):
    with pytest.raises(FormatError, match=r"measure 2\.756 of the file's units.*--scale"):
        read(mixamo(unit=0.3048))

    np.testing.assert_allclose(
        read(mixamo(unit=0.3048), scale=0.3048).positions[0], T_POSE, atol=1e-5
    )


def test_a_wrong_scale_is_refused(read):
    with pytest.raises(FormatError, match=r"with 0\.3 m a unit, a leg is 25\.2"):
        read(mixamo(), scale=0.3)


@pytest.mark.parametrize(
    ("joint", "limb"),
    [("LeftForeArm", "left arm"), ("Spine2", "trunk"), ("RightLeg", "right leg")],
)
def test_units_mixed_between_limbs_are_refused(read, joint, limb):
    lines = mixamo(unit=1.0).splitlines()
    line = next(i for i, line in enumerate(lines) if line.endswith(f"JOINT {joint}")) + 2
    lines[line] = "OFFSET " + " ".join(str(float(word) * 100) for word in lines[line].split()[1:])

    with pytest.raises(FormatError, match=f"the {limb} is .* mixes units"):
        read("\n".join(lines), scale=1.0)


def test_a_root_in_another_unit_is_refused(read):
    text = mixamo(unit=1.0, frames=3)
    head, rest = text.split("Frame Time: 0.0333333\n")
    rows = [
        f"{frame * 40} 960 0 " + row.split(" ", 3)[3]
        for frame, row in enumerate(rest.splitlines())
    ]

    with pytest.raises(FormatError, match=r"hip moves at 1200 m/s.*mixed units"):
        read(head + "Frame Time: 0.0333333\n" + "\n".join(rows))


@pytest.mark.parametrize("added", [False, True])
def test_position_channels_below_the_root_replace_the_offset_or_add_to_it(read, added):
    lines = mixamo().splitlines()
    place = next(i for i, line in enumerate(lines) if line.endswith("JOINT LeftForeArm")) + 3
    lines[place] = "CHANNELS 6 Yposition Xposition Zposition Zrotation Xrotation Yrotation"
    before = [line for line in lines[:place] if "CHANNELS" in line]
    column = sum(int(line.split()[1]) for line in before)
    row = lines[-1].split()
    row[column:column] = ["0", "0", "0"] if added else ["3", "28", "0"]
    lines[-1] = " ".join(row)

    clip = read("\n".join(lines))

    elbow = [0.46, 0, 1.38] if added else [0.46, 0, 1.41]
    np.testing.assert_allclose(at(clip, "LElbow"), elbow, atol=1e-6)


@pytest.mark.parametrize("frame_time", ["0.0083333", "0.00833333", "0.008333"])
def test_frame_rates_are_rounded_back(read, frame_time):
    text = mixamo().replace("Frame Time: 0.0333333", f"Frame Time: {frame_time}")

    assert read(text).fps == 120


def test_ntsc_stays_ntsc(read):
    text = mixamo().replace("Frame Time: 0.0333333", "Frame Time: 0.03336667")

    assert read(text).fps == pytest.approx(29.97, abs=1e-4)


def test_the_floor_is_where_the_lower_foot_stands(read):
    text = mixamo(frames=2, turns={("RightLeg", 1): (0, 90, 0)})
    lines = text.splitlines()
    lines[-2:] = [" ".join(["0", "500", "0", *line.split()[3:]]) for line in lines[-2:]]

    clip = read("\n".join(lines))

    np.testing.assert_allclose(at(clip, "LFoot", 0)[2], 0.08, atol=1e-6)
    np.testing.assert_allclose(at(clip, "LFoot", 1)[2], 0.08, atol=1e-6)


@pytest.mark.parametrize("name", ["mixamorig:LeftArm", "Left Arm", "Left_Arm", "a:b:leftarm"])
def test_names_are_compared_plainly(name):
    assert plain_name(name) == "leftarm"


@pytest.mark.parametrize(("gone", "height"), [("Spine2", 1.2), ("Spine1", 1.08)])
def test_a_spine_of_fewer_joints_has_its_middle_elsewhere(read, gone, height):
    text = mixamo().replace("Spine2", "Chest")
    clip = read(text if gone == "Spine2" else text.replace("Spine1", "Waist"))

    np.testing.assert_allclose(at(clip, "Spine"), [0, 0, height], atol=1e-6)


def test_unknown_names_say_what_is_missing(read):
    with pytest.raises(FormatError, match=r"nearest is mixamo, which lacks RWrist;.*data\.md"):
        read(mixamo().replace("RightHand", "RightPaw"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"nobody\.bvh"):
        read_bvh_clip(tmp_path / "nobody.bvh")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "SKELETON", "line 1: starts with 'SKELETON'"),
        ("MOTION", "", "'Frames:' cannot stand outside"),
        ("Frames: 1", "Frames: 999999999", "999,999,999 frames are declared"),
        ("Frames: 1", "Frames: 0", "Frames: 0 of"),
        ("Frames: 1", "Frames: " + "9" * 5000, "not finite, or absurdly large"),
        ("Frames: 1", "Frames: -3", "Frames: -3 of"),
        ("Frames: 1", "Frames: 2.5", "Frames: 2.5 of .* a whole number of them"),
        ("Frames: 1", "Frames: one", "'one' is not a number"),
        ("Frames: 1", "Frame: 1", "where 'Frames: <number>' should be"),
        ("0.0333333", "0", "Frames: 1 of 0 s"),
        ("0.0333333", "nan", "'nan' is not finite"),
        ("CHANNELS 3", "CHANNELS 4", "channels"),
        ("CHANNELS 3", "CHANNELS 1000000000", "CHANNELS 1000000000 for leftupleg"),
        ("CHANNELS 3 Zrotation Xrotation Yrotation", "CHANNELS 2 Zrotation Xrotation", "numbers"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Xrotation", "none twice"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", "each should be one of Xposition"),
        ("JOINT LeftLeg", "JOINT RightLeg", "line .*'RightLeg' is empty or used before"),
        ("JOINT LeftLeg", "JOINT", "empty or used before"),
        ("JOINT LeftLeg", "ROOT LeftLeg", "a second ROOT"),
        ("End Site", "JOINT x", "lacks its OFFSET or CHANNELS"),
        ("OFFSET 0 5", "JOINT x { OFFSET 0 5", "inside an End Site"),
        ("OFFSET 0 5", "CHANNELS 0 OFFSET 0 5", "an End Site none"),
        ("OFFSET 0 5", "OFFSET 0 0 0 OFFSET 0 5", "a second OFFSET"),
        ("OFFSET 0 5.000000 0", "OFFSET 0 5.000000", "'}' is not a number"),
        ("\n}\nMOTION", "\nMOTION", "'MOTION' cannot stand inside hips"),
        ("\n}\nMOTION", "\n}\n}\nMOTION", "'}' cannot stand outside"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(read, old, new, message):
    text = mixamo()
    assert old in text

    with pytest.raises(FormatError, match=message) as refusal:
        read(text.replace(old, new, 1))

    assert "clip.bvh, line " in str(refusal.value)


@pytest.mark.parametrize("word", ["nan", "inf", "-1e300", "1e9999", "x", "0,5"])
def test_a_frame_with_no_number_is_refused_with_its_line(read, word):
    text = mixamo(frames=3)
    lines = text.splitlines()
    lines[-2] = lines[-2].rpartition(" ")[0] + f" {word}"

    with pytest.raises(FormatError, match=rf"line {len(lines) - 1}: '{word}' is not"):
        read("\n".join(lines))


@pytest.mark.parametrize("change", [lambda row: row + " 0", lambda row: row.rpartition(" ")[0]])
def test_a_frame_with_a_wrong_count_is_refused(read, change):
    lines = mixamo(frames=3).splitlines()
    lines[-1] = change(lines[-1])

    with pytest.raises(FormatError, match=rf"line {len(lines)}: .* in frame 3 of 3"):
        read("\n".join(lines))


def test_more_frames_than_declared_are_refused(read):
    text = mixamo(frames=3)

    with pytest.raises(FormatError, match="in frame 4 of 3"):
        read(text + text.splitlines()[-1])


@pytest.mark.parametrize("inner", ["JOINT j{} {{ OFFSET 0 0 0 CHANNELS 0 ", "JOINT j{} {{ "])
def test_hostile_depth_and_number_of_joints_are_refused(read, inner):
    text = "HIERARCHY ROOT a { OFFSET 0 0 0 CHANNELS 0 "

    with pytest.raises(FormatError, match=f"more than {MOST_JOINTS:,} joints"):
        read(text + "\n".join(map(inner.format, range(20_000))))


def test_a_line_without_end_is_refused(read):
    with pytest.raises(FormatError, match="longer than"):
        read(mixamo() + "0 " * 600_000)


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_text_is_refused(read, content):
    with pytest.raises(FormatError, match="this is no BVH"):
        read(content)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_is_refused_or_whole(read, data):
    text = (DATA / "daz.bvh").read_text()
    cut = data.draw(st.integers(0, len(text) - 1))
    last_number = len(text.rstrip().rpartition(" ")[0]) + 1

    try:
        clip = read(text[:cut])
    except FormatError:
        assert cut <= last_number
    else:
        assert len(clip.positions) == 2
        assert cut > last_number


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_read_and_never_crashes(read, data):
    content = bytearray((DATA / "h36m.bvh").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))

    try:
        clip = read(bytes(content))
    except FormatError:
        return
    assert np.isfinite(clip.positions).all()


def turn(axis, degrees):
    """A turn as 4x4, entry by entry."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array(
        {
            "X": [[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]],
            "Y": [[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1]],
            "Z": [[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        }[axis]
    )


def move(vector):
    matrix = np.eye(4)
    matrix[:3, 3] = vector
    return matrix


angles = st.floats(-180, 180).map(lambda value: round(value, 3))
orders = st.permutations("XYZ").map("".join)


@st.composite
def anyone(draw):
    """A moving body: BVH text with joints put in between and channels in any order, its unit, and
    the 17 joints (m, the file's axes) by a product of 4x4 matrices for each joint and frame."""
    frames, unit = draw(st.integers(1, 3)), draw(st.sampled_from([1.0, 0.01, 0.0254]))
    places = {name: np.array(place) for name, _, place in make.FAMILIES["h36m"][1]}
    children, offsets = {}, {}
    for name, parent, place in make.FAMILIES["h36m"][1]:
        offsets[name] = np.round((place - places.get(parent, np.zeros(3))) / unit, 6)
        if parent and draw(st.booleans()):  # a joint in between, where the parent is
            offsets[f"extra {name}"] = np.zeros(3)
            children.setdefault(parent, []).append(f"extra {name}")
            parent = f"extra {name}"
        children.setdefault(parent, []).append(name)
    rows, found = [[] for _ in range(frames)], {}

    def block(name, above):
        order, free = draw(orders), not above or draw(st.booleans())
        yield f"{'JOINT' if above else 'ROOT'} {name} {{"
        yield f"OFFSET {' '.join(map(str, offsets[name]))}"
        yield f"CHANNELS {6 if free else 3} {'Zposition Xposition Yposition' if free else ''}"
        yield " ".join(f"{axis}rotation" for axis in order)
        found[name] = []
        for frame, row in enumerate(rows):
            x, y, z = offsets[name] if above else offsets[name] + 0.1 * frame / unit
            spin = [draw(angles) for _ in order]
            row += [z, x, y, *spin] if free else spin
            matrix = (found[above][frame] if above else np.eye(4)) @ move((x, y, z))
            for axis, degrees in zip(order, spin, strict=True):
                matrix = matrix @ turn(axis, degrees)
            found[name].append(matrix)
        for child in children.get(name, ()):
            yield from block(child, name)
        yield "}" if name in children else "End Site { OFFSET 0 1 0 } }"

    text = ["HIERARCHY", *block("Hip", "")]
    text += ["MOTION", f"Frames: {frames}", "Frame Time: 0.033333"]
    text += [" ".join(str(float(value)) for value in row) for row in rows]
    joints = [
        [found[joint][frame][:3, 3] * unit for joint in H36M_17.joints] for frame in range(frames)
    ]
    return "\n".join(text), unit, np.array(joints)


@settings(max_examples=30, deadline=None)
@given(anyone())
def test_kinematics_are_a_product_of_4x4_matrices(read, body):
    text, unit, expected = body

    clip = read(text, up="z", scale=unit)

    floor = np.quantile(expected[:, H36M_17.index("LFoot", "RFoot"), 2].min(axis=1), 0.02) - 0.08
    np.testing.assert_allclose(clip.positions, expected - [0, 0, floor], atol=1e-5)
    assert isinstance(clip, Clip)
