import numpy as np
import pytest
from data.mocap import make
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.datasets.mocap.acclaim import read_amc, read_asf
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.from_bvh import MOST_JOINTS
from graphlift.skeletons import H36M_17

ASF, AMC = make.HERE / "01" / "01.asf", make.HERE / "01" / "01_01.amc"
# The body as the world sees it: z up, and the person, who faced +z, faces -y.
T_POSE = np.array([[x, -z, y] for x, y, z in (make.BODY[joint] for joint in H36M_17.joints)])
ANKLES = H36M_17.index("LFoot", "RFoot")


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acclaim")

    def read_text(asf, amc, **choices):
        for path, text in ((folder / "s.asf", asf), (folder / "s_1.amc", amc)):
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_amc(read_asf(folder / "s.asf"), folder / "s_1.amc", **choices)

    return read_text


def at(clip, joint, frame=0):
    return clip.positions[frame, H36M_17.joints.index(joint)]


def test_a_skeleton_at_rest_is_the_body_it_was_drawn_from():
    clip = read_amc(read_asf(ASF), AMC)

    np.testing.assert_allclose(clip.positions[0], T_POSE, atol=1e-6)
    assert (clip.name, clip.subject, clip.fps, clip.provenance) == ("01_01", "01", 120, "amc")


def test_a_raised_left_arm_is_raised_and_left():
    clip = read_amc(read_asf(ASF), AMC)

    expected = T_POSE.copy()
    expected[H36M_17.index("LElbow")] = [0.18, 0, 1.38 + 0.28]
    expected[H36M_17.index("LWrist")] = [0.18, 0, 1.38 + 0.52]
    np.testing.assert_allclose(clip.positions[1], expected, atol=1e-6)


def test_angles_are_given_in_the_axes_of_the_bone(read):
    # The radius points along x; its axes are turned by 90 degrees about y, so that its own x is
    # the world's -z. A quarter turn about -z takes x to -y: the forearm hangs.
    clip = read(make.asf(), make.amc([{"lradius": (90,)}]))

    np.testing.assert_allclose(at(clip, "LElbow"), [0.46, 0, 1.38], atol=1e-6)
    np.testing.assert_allclose(at(clip, "LWrist"), [0.46, 0, 1.38 - 0.24], atol=1e-6)


def test_a_bent_knee_puts_the_foot_behind(read):
    clip = read(make.asf(), make.amc([{"rtibia": (90,)}]))

    np.testing.assert_allclose(at(clip, "RFoot") - at(clip, "RKnee"), [0, 0.42, 0], atol=1e-6)


def test_letters_are_applied_in_the_order_given_about_fixed_axes(read):
    # rx ry rz of the arm along x: about x nothing, about y backwards (-z), about z still -z.
    clip = read(make.asf(), make.amc([{"lhumerus": (90, 90, 90)}]))

    np.testing.assert_allclose(at(clip, "LWrist"), [0.18, 0.52, 1.38], atol=1e-6)


def test_without_a_wrist_bone_it_is_in_line_with_the_radius(read):
    bones = [bone for bone in make.BONES if bone[0] not in ("lwrist", "rwrist")]
    freedoms = {
        name: dof for name, dof in make.FREEDOMS.items() if name not in ("lwrist", "rwrist")
    }

    clip = read(make.asf(bones), make.amc([{}], freedoms=freedoms))

    np.testing.assert_allclose(clip.positions[0], T_POSE, atol=1e-6)


def test_radians_in_either_file_are_honoured(read):
    quarter = np.pi / 2
    in_amc = read(make.asf(), make.amc([{"lhumerus": (0, 0, quarter)}], header=":RADIANS"))
    axes = {name: tuple(np.radians(angles)) for name, angles in make.AXES.items()}
    in_asf = read(make.asf(axes=axes, angle="rad"), make.amc([{"lradius": (90,)}]))

    np.testing.assert_allclose(at(in_amc, "LWrist"), [0.18, 0, 1.9], atol=1e-6)
    np.testing.assert_allclose(at(in_asf, "LWrist"), [0.46, 0, 1.14], atol=1e-6)


def test_the_unit_is_the_files_word_unless_given(read):
    inches = 0.0254
    clip = read(make.asf(unit=inches), make.amc([{}], unit=inches))
    np.testing.assert_allclose(clip.positions[0], T_POSE, atol=1e-6)

    lying = make.asf(unit=inches).replace("length 1\n", "length 0.01\n")
    with pytest.raises(FormatError, match=r"with 2\.54 m a unit, a leg is 84 m long.*--scale"):
        read(lying, make.amc([{}], unit=inches))
    clip = read(lying, make.amc([{}], unit=inches), scale=inches)
    np.testing.assert_allclose(clip.positions[0], T_POSE, atol=1e-6)


def test_a_root_in_another_unit_is_refused(read):
    steps = [{"root": (frame * 25.4, 1000, 0, 0, 0, 0)} for frame in range(4)]

    with pytest.raises(FormatError, match=r"hip moves at 172 m/s.*mixed units"):
        read(make.asf(), make.amc(steps))


def turn(axis, degrees):
    """A turn as 4x4, entry by entry."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array(
        {
            "x": [[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]],
            "y": [[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1]],
            "z": [[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        }[axis]
    )


def move(vector):
    matrix = np.eye(4)
    matrix[:3, 3] = vector
    return matrix


def in_order(letters, angles):
    """Apply turns one after the other about axes that stay where they are."""
    matrix = np.eye(4)
    for letter, degrees in zip(letters, angles, strict=True):
        matrix = turn(letter, degrees) @ matrix
    return matrix


angles = st.floats(-180, 180).map(lambda value: round(value, 3))


@st.composite
def anyone(draw):
    """A body with axes, freedoms and angles at random: ASF, AMC, and where bones end (m, y up)."""
    some = st.sampled_from(["", "rx", "ry rz", "rz rx", "rx ry rz", "rz ry rx"])
    names = [name for name, _, _ in make.BONES]
    axes = {name: draw(st.tuples(angles, angles, angles)) for name in names}
    freedoms = {name: draw(some) for name in names}
    frames, ends = [], []
    rest = {"root": np.array(make.ROOT)} | {name: np.array(end) for name, _, end in make.BONES}
    for frame in range(draw(st.integers(1, 3))):
        x, y, z, *spin = root = (0.1 * frame, 1, 0.05 * frame, *draw(st.tuples(*[angles] * 3)))
        turns = {"root": (x / make.CMU, y / make.CMU, z / make.CMU, *spin)}
        world = {"root": move(root[:3]) @ in_order("xyz", spin)}
        for name, parent, end in make.BONES:
            letters = freedoms[name].replace("r", "").replace(" ", "")
            folds = name in ("lowerback", "upperback", "thorax")  # no person's trunk folds flat
            turns[name] = [draw(angles) * (0.2 if folds else 1) for _ in letters]
            C = in_order("xyz", axes[name])
            L = C @ in_order(letters, turns[name]) @ np.linalg.inv(C)
            world[name] = world[parent] @ L @ move(end - rest[parent])
        frames.append(turns)
        ends.append({name: matrix[:3, 3] for name, matrix in world.items()})
    text = make.asf(axes=axes, freedoms=freedoms)
    return text, make.amc(frames, freedoms=freedoms), ends


TABLE = {"Spine": "lowerback", "Thorax": "thorax", "Head": "head"} | {
    f"{side.upper()}{joint}": side + bone
    for side in "lr"
    for joint, bone in {
        "Knee": "femur",
        "Foot": "tibia",
        "Shoulder": "clavicle",
        "Elbow": "humerus",
        "Wrist": "wrist",
    }.items()
}


@settings(max_examples=20, deadline=None)
@given(anyone())
def test_kinematics_are_a_product_of_4x4_matrices(read, body):
    asf, amc, ends = body

    clip = read(asf, amc, fps=30)

    for frame, bones in enumerate(ends):
        hip = (bones["lhipjoint"] + bones["rhipjoint"]) / 2
        for joint, bone in TABLE.items():
            x, y, z = bones[bone] - hip
            found = at(clip, joint, frame) - at(clip, "Hip", frame)
            np.testing.assert_allclose(found, [x, -z, y], atol=1e-5)
        np.testing.assert_allclose(at(clip, "Hip", frame)[:2], [hip[0], -hip[2]], atol=1e-5)
    low = clip.positions[:, ANKLES, 2].min(axis=1)
    assert np.quantile(low, 0.02) == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (":units", ":unit", "no section :units"),
        (":hierarchy", ":hier", "no section :hierarchy"),
        ("angle deg", "angle grad", "angle is 'grad', but should be deg or rad"),
        ("length 0.45", "length 0", "length is 0, but should be above 0"),
        ("TX TY TZ RX RY RZ", "TX TY TZ RX RY", "order is TX TY TZ RX RY: it should hold"),
        ("position 0 0 0", "position 0 1 0", "the root's position is not 0 0 0"),
        ("orientation 0 0 0", "orientation 0 90 0", "the root's orientation is not 0 0 0"),
        ("name rfemur", "name lfemur", "a bone's name is 'lfemur'"),
        ("name rfemur", "name root", "a bone's name is 'root'"),
        ("    name rfemur\n", "", "a bone's name is ''"),
        ("name rfemur", "name other", ":hierarchy names 'rfemur', which is no bone"),
        ("direction 0.00000000 -1.00000000 0.00000000", "direction 0 0 0", "should be a unit vec"),
        ("direction 0.00000000 -1.00000000", "direction 0 nan", "'nan' is not finite"),
        ("direction 0.00000000 -1.00000000", "direction 0", "direction should have 3 numbers"),
        ("    length 7.44094488\n", "", "bone lfemur: length should have 1 number"),
        ("length 7.44094488", "length -7", "length -7 along"),
        ("axis 0 0 20  XYZ", "axis 0 0 20  XYY", "axis order 'xyy' should be like XYZ"),
        ("dof rx ry rz", "dof rx rx rz", "dof rx rx rz: only rx, ry and rz"),
        ("dof rx ry rz", "dof rx ry l", "dof rx ry l: only rx, ry and rz"),
        ("  end\n  begin", "  begin", "'begin' where begin and end should enclose"),
        (
            "lhipjoint lfemur\n",
            "lhipjoint lfemur rfemur\n",
            "hangs on .* and on .hipjoint: a bone",
        ),
        ("lfemur ltibia\n", "lfemur root\n", "root hangs on lfemur"),
        ("lhipjoint lfemur\n", "ltibia lfemur\n", "never leads from the root to lfemur, .*circle"),
        ("root lhipjoint", "root", "never leads from the root to"),
        ("root lhipjoint", "root lhipjoint lhipjoint", "a bone has one parent"),
    ],
)
def test_a_broken_skeleton_is_refused_with_its_line(read, old, new, message):
    text = make.asf()
    assert old in text

    with pytest.raises(FormatError, match=message) as refusal:
        read(text.replace(old, new, 1), make.amc([{}]))

    assert "s.asf, line " in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1\nroot", "root", "'root' before the first frame number"),
        ("2\nroot", "3\nroot", "frame 3 follows frame 1: frames are missing"),
        ("2\nroot", "1\nroot", "frame 1 follows frame 1"),
        ("2\nroot", "root", "root has 6 numbers, or is twice in its frame"),
        ("lfemur 0 0 0\n", "", "frame 1 ends without lfemur: "),
        ("lfemur 0 0 0\n", "lfemur 0 0\n", "lfemur has 2 numbers.*gives it 3, once"),
        ("lfemur 0 0 0\n", "lfemur 0 0 0\nlfemur 0 0 0\n", "twice in its frame"),
        ("lfemur 0 0 0\n", "lfemur 0 nan 0\n", "'nan' is not finite"),
        ("lfemur 0 0 0\n", "lfemur 0 1e300 0\n", "'1e300' is not finite, or absurdly large"),
        ("lfemur 0 0 0\n", "lfemur 0 zero 0\n", "'zero' is not a number"),
        ("lfemur 0 0 0\n", "tail 0 0 0\n", "'tail' is no moving bone of the skeleton"),
        ("2\nroot", "9" * 5000 + "\nroot", "frame 999999999999999999 follows frame 1"),
    ],
)
def test_a_broken_motion_is_refused_with_its_line(read, old, new, message):
    text = make.amc([{}, {}])
    assert old in text

    with pytest.raises(FormatError, match=message) as refusal:
        read(make.asf(), text.replace(old, new, 1))

    assert "s_1.amc, line " in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b":FULLY-SPECIFIED\n:DEGREES\n"])
def test_a_motion_without_frames_is_refused(read, content):
    with pytest.raises(FormatError, match="this is no AMC"):
        read(make.asf(), content)


def test_bones_of_other_names_are_refused(read):
    with pytest.raises(FormatError, match="no bones for Thorax: the reader knows"):
        read(make.asf().replace("thorax", "ribcage"), make.amc([{}]))


def test_hostile_numbers_of_bones_are_refused(read):
    bone = "begin\nname b{}\ndirection 0 1 0\nlength 1\naxis 0 0 0 XYZ\nend\n"
    bones = "".join(bone.format(number) for number in range(MOST_JOINTS + 1))
    text = f":units\n:root\norder TX TY TZ RX RY RZ\n:bonedata\n{bones}:hierarchy\nbegin\nend"

    with pytest.raises(FormatError, match="there can be 1,000 bones"):
        read(text, "")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"no\.asf"):
        read_asf(tmp_path / "no.asf")
    with pytest.raises(DatasetNotFoundError, match=r"no\.amc"):
        read_amc(read_asf(ASF), tmp_path / "no.amc")


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_skeleton_cut_anywhere_is_refused(read, data):
    text = make.asf()
    cut = data.draw(st.integers(0, text.rstrip().rindex("end")))

    with pytest.raises(FormatError):
        read(text[:cut], make.amc([{}]))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_motion_cut_anywhere_but_between_frames_is_refused(read, data):
    text = make.amc([{}, {}])
    cut = data.draw(st.integers(0, len(text) - 1))
    first = text.index("\n2\n")  # the end of frame 1

    try:
        clip = read(make.asf(), text[:cut])
    except FormatError:
        assert cut not in (first, first + 1)
    else:
        assert len(clip.positions) == (1 if cut <= first + 1 else 2)
        assert cut in (first, first + 1) or cut >= len(text) - 1


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_or_read_and_never_crash(read, data):
    texts = [bytearray(path.read_bytes()) for path in (ASF, AMC)]
    for _ in range(data.draw(st.integers(1, 4))):
        content = data.draw(st.sampled_from(texts))
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))

    try:
        clip = read(*map(bytes, texts))
    except FormatError:
        return
    assert np.isfinite(clip.positions).all()
