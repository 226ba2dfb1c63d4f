"""Where everything stands; geometry alone, without a viewer."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.moving import CAMERA, POSITION, poses_of, standing
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from graphlift.cameras import camera_to_image, world_to_camera
from graphlift.errors import ShapeError
from graphlift.hypotheses import Hypotheses
from graphlift.sequences import Keypoints, Poses, keypoints_from
from graphlift.skeletons import BODY_28, H36M_17, SKELETONS
from graphlift.view.layout3d import BOARD, FOV, ROOTED_DISTANCE, lay_out, viewpoint
from graphlift.view.palette import LEFT, PEOPLE, RIGHT, bone_colours
from graphlift.view.scene import unit_ball, unit_tube
from graphlift.view.shapes import BONE, balls, mesh_batches, tubes

UP = np.array([0.0, 0.0, 1.0])


def camera_poses(joints, **more):
    """One person of 17 joints; those not given are at the first."""
    positions = np.tile(np.asarray(joints[0], float), (1, 1, 17, 1))
    positions[0, 0, : len(joints)] = joints
    return Poses(positions, H36M_17, axes="camera", rooted=False, fps=25.0, **more)


def test_camera_axes_are_turned_upright_and_not_mirrored():
    at, right, below, ahead = [0, 0, 4], [0.3, 0, 4], [0, 0.5, 4], [0, 0, 4.7]

    layout = lay_out(camera_poses([at, right, below, ahead]))

    origin, to_right, to_below, to_ahead = layout.joints[0, 0, :4]
    assert to_right - origin == pytest.approx([0.3, 0, 0])
    assert to_below - origin == pytest.approx([0, 0, -0.5])
    assert to_ahead - origin == pytest.approx([0, 0.7, 0])
    assert layout.notes == (
        "Camera axes: turned upright as if the camera had been level.",
        "The floor is where the lowest joint is.",
    )


def test_the_floor_is_under_the_lowest_joint_of_a_person_seen_by_a_camera():
    layout = lay_out(camera_poses([[0, 0, 4], [0, 1.2, 4], [0.2, 0.9, 4.2]]))

    assert layout.joints[..., 2].min() == pytest.approx(0)
    assert layout.joints[0, 0, 0, 2] == pytest.approx(1.2)


def test_a_camera_stands_as_high_over_the_floor_as_its_person_says():
    layout = lay_out(camera_poses([[0, 0, 4], [0, 1.2, 4]], camera=CAMERA))

    assert layout.frustum[0] == pytest.approx([0, 0, 1.2])
    # The image is before the camera, its top higher than its bottom.
    assert (layout.frustum[1:, 1] > 0).all()
    assert (layout.frustum[1:3, 2] > layout.frustum[3:, 2]).all()


def test_people_in_the_world_stay_where_they_are():
    poses = poses_of(standing())

    layout = lay_out(poses)

    np.testing.assert_array_equal(layout.joints, poses.positions)
    assert layout.notes == ()


def test_the_frustum_is_the_camera_and_the_corners_of_its_image():
    frustum = lay_out(poses_of(standing())).frustum

    assert frustum[0] == pytest.approx(POSITION)
    seen = camera_to_image(world_to_camera(frustum[1:], CAMERA), CAMERA)
    np.testing.assert_allclose(seen, [[0, 0], [960, 0], [960, 640], [0, 640]], atol=1e-6)


@pytest.mark.parametrize("axes", ["camera", "world"])
def test_rooted_people_stand_side_by_side_on_their_lowest_joint(axes):
    rng = np.random.default_rng(0)
    joints = standing(frames=4, people=2) + rng.normal(0, 0.05, (4, 2, 17, 3))

    layout = lay_out(poses_of(joints, axes=axes, rooted=True))

    np.testing.assert_allclose(layout.joints[..., 2].min(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose(
        layout.joints[:, 0, 0, :2], [[-ROOTED_DISTANCE / 2, 0]] * 4, atol=1e-12
    )
    np.testing.assert_allclose(
        layout.joints[:, 1, 0, :2], [[ROOTED_DISTANCE / 2, 0]] * 4, atol=1e-12
    )
    assert layout.frustum is None
    assert layout.notes[-1] == "No path through space: all people stand on their lowest joint."


def test_an_unknown_frame_rate_is_assumed_and_noted_after_the_notes_of_the_poses():
    poses = poses_of(standing()).noting("Smoothed.", fps=None)

    layout = lay_out(poses)

    assert layout.fps == 30
    assert layout.notes == ("Smoothed.", "The frame rate is unknown: 30 fps is assumed.")


def test_missing_people_and_joints_stay_missing():
    joints = standing(frames=3, people=2)
    joints[0, 1], joints[2, 0, 5] = np.nan, np.nan

    layout = lay_out(poses_of(joints, axes="camera", rooted=True))

    missing = np.isnan(layout.joints).any(axis=-1)
    assert missing[0, 1].all()
    assert missing[2, 0, 5]
    assert missing.sum() == 18


@pytest.mark.parametrize(
    ("joints", "what"),
    [
        (np.zeros((0, 1, 17, 3)), "it has no frames"),
        (np.full((5, 1, 17, 3), np.nan), "no person is in any of its frames"),
    ],
)
def test_nothing_to_show_is_refused(joints, what):
    with pytest.raises(ShapeError, match=rf"walk\.npz: nothing to show: {what}; lift a video"):
        lay_out(Poses(joints, H36M_17), name="walk.npz")


def test_the_board_shows_keypoints_as_the_image_does():
    poses = poses_of(standing())

    layout = lay_out(poses)

    board, pixels = layout.board, poses.keypoints.positions[0, 0]
    right = np.cross(layout.forward, UP)
    at = board.joints[0, 0]
    flat = np.stack([at @ right, -at @ UP], axis=-1)  # as the viewer sees it, y down
    scale = np.ptp(flat[:, 1]) / np.ptp(pixels[:, 1])
    np.testing.assert_allclose(flat - flat[0], scale * (pixels - pixels[0]), atol=1e-9)
    # All of it is on the board, which is upright, and to the left of the person.
    assert np.ptp(at @ layout.forward) == pytest.approx(0)
    corners = board.corners @ right
    assert corners.min() < flat[:, 0].min() < flat[:, 0].max() < corners.max()
    assert corners.max() < (layout.joints[0, 0] @ right).min()
    assert np.ptp(board.corners, axis=0)[2] <= BOARD[1] + 1e-9


def test_a_wild_keypoint_is_left_off_the_board_and_does_not_shrink_the_others():
    poses = poses_of(standing(frames=40))
    tame = lay_out(poses).board
    wild = poses.keypoints.positions.copy()
    wild[7, 0, 3] = 1e6, -1e6

    board = lay_out(replace(poses, keypoints=replace(poses.keypoints, positions=wild))).board

    assert np.isnan(board.joints[7, 0, 3]).all()
    assert np.isfinite(np.delete(board.joints.reshape(-1, 3), 7 * 17 + 3, axis=0)).all()
    np.testing.assert_allclose(board.joints[0], tame.joints[0], atol=0.05)


def test_keypoints_of_nobody_need_no_board():
    poses = poses_of(standing())
    empty = keypoints_from(np.full((1, 1, 17, 2), np.nan), H36M_17, people=poses.people)

    assert lay_out(replace(poses, keypoints=empty)).board is None
    assert lay_out(replace(poses, keypoints=None)).board is None


def window(layout, aspect):
    """Where joints and board are in the window, from -1 to 1, by a pinhole of our own."""
    eye, target = viewpoint(layout, aspect)
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, UP) / np.linalg.norm(np.cross(forward, UP))
    known = layout.joints[np.isfinite(layout.joints).all(axis=-1)]
    offset = np.concatenate([known, layout.board.corners]) - eye
    depth = offset @ forward * np.tan(FOV / 2)
    return offset @ right / depth / aspect, offset @ np.cross(right, forward) / depth, depth


@given(
    aspect=st.floats(0.3, 3),
    axes=st.sampled_from(["camera", "world"]),
    rooted=st.booleans(),
    path=st.tuples(st.floats(-4, 4), st.floats(-2, 4)),
)
def test_everybody_and_the_board_are_in_the_window(aspect, axes, rooted, path):
    joints = standing(frames=3, people=2)
    joints = joints + np.linspace(0, 1, 3)[:, None, None, None] * [*path, 0.0]

    across, up, depth = window(lay_out(poses_of(joints, axes=axes, rooted=rooted)), aspect)

    assert (depth > 0).all()
    assert np.abs(across).max() < 1
    assert np.abs(up).max() < 1
    assert max(np.abs(across).max(), np.abs(up).max()) > 0.4  # and not seen from afar


def test_the_viewer_looks_at_faces_where_no_camera_is_known():
    # Left is at +y and right at -y: the person faces +x.
    joints = np.zeros((1, 1, 17, 3))
    left, right = np.array(H36M_17.pairs).T
    joints[0, 0, left], joints[0, 0, right] = [0, 0.2, 1], [0, -0.2, 1]

    layout = lay_out(Poses(joints, H36M_17, axes="world", rooted=False))
    eye, _ = viewpoint(layout, 1.5)

    assert eye[0] > 1
    assert layout.forward @ [1, 0, 0] < -0.5


def test_the_camera_is_in_view_unless_that_would_make_the_people_tiny():
    far = replace(CAMERA, position=POSITION * 20)
    near, alone, beyond = (
        viewpoint(lay_out(poses_of(standing(), camera=camera)), 1.5)[0]
        for camera in (CAMERA, replace(CAMERA, position=np.array([0.0, -1.0, 1.0])), far)
    )

    assert np.linalg.norm(near) > np.linalg.norm(alone)
    assert np.linalg.norm(beyond) < 8


places = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)


@given(start=places, end=places)
def test_a_tube_goes_from_joint_to_joint(start, end):
    transforms = tubes(start[None], end[None], BONE)

    ends = np.array([[0, 0, -0.5], [0, 0, 0.5]]) * transforms.scales[0]
    turned = Rotation.from_quat(transforms.turns[0], scalar_first=True).apply(ends)
    if transforms.scales[0, 2] > 0.01:
        np.testing.assert_allclose(turned + transforms.centres[0], [start, end], atol=4e-3)


def test_a_tube_can_point_straight_down():
    transforms = tubes(np.array([[0.0, 0, 1]]), np.array([[0.0, 0, 0]]), BONE)

    assert Rotation.from_quat(transforms.turns[0], scalar_first=True).apply(UP) == pytest.approx(
        -UP
    )


def test_what_is_missing_has_no_size():
    gap = np.array([[np.nan, 0, 0], [0, 0, 0]])

    for transforms in (
        tubes(gap, gap + 1, BONE),
        balls(gap, 0.1),
        balls(gap[1:], np.array([np.nan])),
    ):
        assert np.isfinite(transforms.centres).all()
        assert np.isfinite(transforms.turns).all()
        assert (transforms.scales[0] == 0).all()
    assert (balls(gap, 0.1).scales[1] > 0).all()


def test_meshes_are_of_unit_size_and_seen_from_outside():
    for mesh, axes in ((unit_ball(), [1, 1, 1]), (unit_tube(), [1, 1, 0])):
        a, b, c = mesh.vertices[mesh.faces].swapaxes(0, 1)
        normals, middles = np.cross(b - a, c - a), (a + b + c) / 3
        assert ((normals * middles * axes).sum(axis=-1) > 0).all()
        np.testing.assert_allclose(np.linalg.norm(mesh.vertices * axes, axis=-1), 1)
    assert unit_tube().vertices[:, 2].min() == -unit_tube().vertices[:, 2].max() == -0.5


def test_bones_and_joints_are_where_the_person_is():
    poses = poses_of(standing(frames=2, people=2), sigma=np.full((2, 2, 17), 0.05))
    drawn = {batch.name: batch for batch in mesh_batches(lay_out(poses))}

    bones, joints = drawn["people/bones"].transforms(1), drawn["people/joints"].transforms(1)
    pale = drawn["people/sigma"].transforms(1)

    parent, child = np.array(H36M_17.bones).T
    middles = (poses.positions[1][:, parent] + poses.positions[1][:, child]) / 2
    np.testing.assert_allclose(bones.centres, middles.reshape(-1, 3), atol=1e-3)
    np.testing.assert_allclose(joints.centres, poses.positions[1].reshape(-1, 3), atol=1e-3)
    np.testing.assert_allclose(pale.scales, 0.05, atol=1e-3)
    assert set(drawn) == {
        *("people/bones", "people/joints", "people/sigma"),
        *("board/bones", "board/joints", "board/frame", "camera"),
    }


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_left_is_blue_right_is_orange_and_the_trunk_is_ones_own(skeleton):
    for person in range(3):
        colours = bone_colours(skeleton, person)
        for (_, child), colour in zip(skeleton.bones, colours, strict=True):
            name = skeleton.joints[child]
            paired = {"L": "R", "R": "L"}.get(name[0], "?") + name[1:] in skeleton.joints
            own = PEOPLE[person]
            wanted = {"L": LEFT, "R": RIGHT}.get(name[0], own) if paired else own
            assert tuple(colour) == wanted, name


def linear(colour):
    c = np.asarray(colour) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("colour", [LEFT, RIGHT, *PEOPLE])
def test_every_colour_stands_out_on_white_and_on_dark(colour):
    luminance, dark = (linear(c) @ [0.2126, 0.7152, 0.0722] for c in (colour, (0x24,) * 3))

    assert 1.05 / (luminance + 0.05) >= 3
    assert (luminance + 0.05) / (dark + 0.05) >= 3


# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", 2009: severity 1, for linear RGB.
BLINDNESS = {
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(rgb):
    """CIE 1976 L*a*b* of linear RGB, D65."""
    t = np.clip(XYZ @ np.clip(rgb, 0, 1) / XYZ.sum(axis=1), 0, 1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_a_colour_blind_reader_tells_left_from_right(kind):
    left, right = (lab(BLINDNESS[kind] @ linear(colour)) for colour in (LEFT, RIGHT))

    assert np.linalg.norm(left - right) > 40  # a just noticeable difference is about 2.3


def test_keypoints_of_another_skeleton_are_drawn_as_theirs():
    coco = SKELETONS["coco-17"]
    poses = poses_of(standing())
    positions = np.random.default_rng(0).uniform(100, 500, (1, 1, 17, 2))
    keypoints = Keypoints(positions, np.ones((1, 1, 17)), coco, people=poses.people)

    drawn = {
        batch.name: batch for batch in mesh_batches(lay_out(replace(poses, keypoints=keypoints)))
    }

    np.testing.assert_array_equal(drawn["board/bones"].colours, bone_colours(coco, 0))
    np.testing.assert_array_equal(drawn["people/bones"].colours, bone_colours(H36M_17, 0))


def test_points_of_the_face_are_smaller_than_the_head_that_carries_them():
    joints = np.random.default_rng(0).normal(size=(1, 1, len(BODY_28), 3))
    poses = Poses(joints, BODY_28, axes="world", rooted=False)

    (balls,) = (b for b in mesh_batches(lay_out(poses)) if b.name == "people/joints")

    radius = dict(zip(BODY_28.joints, balls.transforms(0).scales[:, 0], strict=True))
    assert radius["Nose"] == radius["LHeel"] < radius["LKnee"] < radius["Head"]


def several(poses, count=3):
    """Poses with hypotheses: their own, root-relative, moved aside by 10 cm each."""
    axes = poses.camera.R if poses.axes == "world" else np.eye(3)
    roots = poses.positions[:, :, [poses.skeleton.root]]
    own = (poses.positions - roots) @ axes.T
    aside = 0.1 * np.arange(count)[:, None, None] * np.array([1.0, 0, 0])
    shape = (*poses.positions.shape[:2], count)
    share = np.full(shape, 1 / count)
    return replace(poses, hypotheses=Hypotheses(own[:, :, None] + aside, share, 0.1 * share))


@pytest.mark.parametrize("axes", ["camera", "world"])
def test_hypotheses_stand_where_their_person_does(axes):
    poses = poses_of(standing()) if axes == "world" else camera_poses([[0, 0, 4], [0, 1.2, 4.1]])
    layout = lay_out(several(poses))

    assert layout.hypotheses.shape == (len(layout), 1, 3, 17, 3)
    np.testing.assert_allclose(layout.hypotheses[:, :, 0], layout.joints, atol=1e-6)
    right = poses.camera.R[0] if axes == "world" else np.array([1.0, 0, 0])
    np.testing.assert_allclose(
        layout.hypotheses[:, :, 2] - layout.joints,
        np.broadcast_to(0.2 * right, layout.joints.shape),
        atol=1e-6,
    )
    batch = next(b for b in mesh_batches(layout) if b.name == "people/hypotheses/bones")
    assert len(batch.colours) == 3 * len(H36M_17.bones)
    assert batch.opacity < 0.5
    assert not batch.shadow


def test_hypotheses_are_not_shown_where_the_cameras_axes_are_not_known():
    poses = replace(several(poses_of(standing())), camera=None)

    assert lay_out(poses).hypotheses is None
    assert not any("hypotheses" in batch.name for batch in mesh_batches(lay_out(poses)))
