"""The lifter, without torch: what goes in comes out, right way round, for any input a user has."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.cameras import Camera, assumed_camera, camera_to_image
from graphlift.card import read_card
from graphlift.datasets.mocap.prior import sample_prior
from graphlift.errors import FormatError, ModelError, ShapeError
from graphlift.lifting import EARLIER, SHIPPED, Lifter
from graphlift.metrics import mpjpe
from graphlift.samples.random_views import UNSEEN_RIG, exact_views, people_of
from graphlift.sequences import keypoints_from
from graphlift.skeletons import BODY_28, COCO_17, H36M_17

SIZE = (1280, 720)
WEIGHTS = Path(__file__).parents[1] / "recipes" / "weights"
AWAY = np.array([0.3, 0.0, 4.0])
PATIENT = settings(deadline=None, max_examples=15)


@pytest.fixture(scope="module")
def lifter():
    return Lifter.load("open-small", threads=1)


@pytest.fixture(scope="module")
def people():
    """Somebody before a 55° camera: positions in its axes, and where it sees them, px."""
    views = exact_views(people_of(sample_prior("test"), stride=7), UNSEEN_RIG, seed=0)
    truth = views.targets[:120]
    placed = truth + AWAY
    return truth, camera_to_image(placed, assumed_camera(SIZE))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_lift_people_who_were_made_up(name, people):
    truth, px = people
    poses = Lifter.load(name, threads=1)(px, skeleton="h36m-17", image_size=SIZE)

    assert poses.skeleton == BODY_28
    assert poses.positions.shape == (120, 1, 28, 3)
    assert poses.fronts.shape == (120, 1, 7, 3)
    assert poses.units == "m"
    assert poses.axes == "camera"
    assert poses.model == name
    # A mirrored or tilted body would be several hundred millimetres off.
    assert mpjpe(poses.positions[:, 0, :17].astype(float), truth) < 0.12
    assert (poses.sigma > 0).all()


def test_a_body_is_never_mirrored(lifter, people):
    """Left of the trunk stays left: the triple product of trunk and hips keeps its sign."""
    truth, px = people
    lifted = lifter(px, skeleton="h36m-17", image_size=SIZE).positions[:, 0]

    def facing(pose):
        left, right, hip, thorax = (
            pose[:, j] for j in H36M_17.index("LHip", "RHip", "Hip", "Thorax")
        )
        return np.cross(left - right, thorax - hip)

    cosine = np.einsum("fi,fi->f", facing(lifted), facing(truth))
    assert (cosine > 0).mean() > 0.95


def test_frames_out_are_frames_in_and_nobody_is_nan(lifter, people):
    _, px = people
    px = px.copy()
    px[0] = px[50:80] = np.nan

    poses = lifter(px, skeleton="h36m-17", image_size=SIZE, fps=25.0)

    assert len(poses) == 120
    assert poses.fps == 25.0
    gone = np.isnan(px).all(axis=(1, 2))
    np.testing.assert_array_equal(~poses.valid[:, 0], gone)
    np.testing.assert_array_equal(np.isnan(poses.sigma[:, 0]).all(axis=-1), gone)


@PATIENT
@given(st.integers(0, 2**31 - 1), st.floats(0, 0.6))
def test_missing_joints_never_break_a_pose(lifter, people, seed, share):
    _, px = people
    gone = np.random.default_rng(seed).random(px.shape[:2]) < share
    partly = np.where(gone[..., None], np.nan, px)

    poses = lifter(partly, skeleton="h36m-17", image_size=SIZE)

    enough = (~gone).sum(axis=1) >= 3
    np.testing.assert_array_equal(poses.valid[:, 0], enough)
    np.testing.assert_array_equal(poses.seen[:, 0, :17], ~gone)


def test_confidence_zero_means_missing(lifter, people):
    _, px = people
    sure = np.ones((*px.shape[:2], 1))
    sure[:, 5] = 0
    px = px.copy()
    gone = px.copy()
    gone[:, 5] = np.nan
    px[:, 5] = 3.0

    by_confidence = lifter(np.concatenate([px, sure], -1), skeleton="h36m-17", image_size=SIZE)
    by_nan = lifter(gone, skeleton="h36m-17", image_size=SIZE)

    np.testing.assert_array_equal(by_confidence.positions, by_nan.positions)


def test_people_do_not_disturb_each_other(lifter, people):
    _, px = people
    both = np.stack([px[:60], px[60:]], axis=1)

    together = lifter(both, skeleton="h36m-17", image_size=SIZE)
    alone = lifter(px, skeleton="h36m-17", image_size=SIZE)

    assert together.people == ("0", "1")
    np.testing.assert_allclose(together.positions[:, 0], alone.positions[:60, 0], atol=1e-5)
    np.testing.assert_allclose(together.positions[:, 1], alone.positions[60:, 0], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 255, 256, 257, 600])
def test_batches_do_not_show(lifter, people, frames):
    _, px = people
    many = np.resize(px, (frames, 17, 2))
    poses = lifter(many, skeleton="h36m-17", image_size=SIZE)
    one = lifter(many[-1], skeleton="h36m-17", image_size=SIZE)

    np.testing.assert_allclose(poses.positions[-1], one.positions[0], atol=1e-5)


def test_another_lens_gives_the_same_pose_when_it_is_known(lifter, people):
    truth, _ = people
    placed = truth + AWAY
    lifted = []
    for focal in (700.0, 2000.0):
        camera = Camera((focal, focal), (640.0, 360.0), SIZE, np.eye(3), np.zeros(3))
        lifted.append(lifter(camera_to_image(placed, camera), skeleton=H36M_17, camera=camera))

    np.testing.assert_allclose(lifted[0].positions, lifted[1].positions, atol=1e-4)
    assert not lifted[0].notes
    assert lifted[0].camera is not None


def test_an_assumed_lens_is_told(lifter, people):
    poses = lifter(people[1], skeleton="h36m-17", image_size=SIZE)

    assert poses.notes == ("The lens was assumed to see 55° across 1280 px.",)
    # tan(27.5°) = 640 / f
    assert poses.camera.focal[0] == pytest.approx(640 / np.tan(np.deg2rad(27.5)))


def test_flipping_makes_lifting_symmetric(lifter, people):
    """The mirror image, lifted, is the lifted pose's mirror image."""
    _, px = people
    mirrored = (px * [-1, 1] + [SIZE[0], 0])[:, H36M_17.mirror]
    one = lifter(px, skeleton="h36m-17", image_size=SIZE, flip=True).positions[:, 0]
    other = lifter(mirrored, skeleton="h36m-17", image_size=SIZE, flip=True).positions[:, 0]

    np.testing.assert_allclose(other, one[:, BODY_28.mirror] * [-1, 1, 1], atol=1e-4)


def test_coco_keypoints_are_lifted_to_joints_that_coco_lacks(lifter, people):
    truth, px = people
    coco = np.full((len(px), 17, 2), np.nan)
    for at, name in enumerate(COCO_17.joints):
        twin = name.replace("Ankle", "Foot")
        if twin in H36M_17.joints:
            coco[:, at] = px[:, H36M_17.joints.index(twin)]

    poses = lifter(coco, skeleton="coco-17", image_size=SIZE)

    assert poses.skeleton == BODY_28
    assert poses.keypoints.skeleton == COCO_17
    assert mpjpe(poses.positions[:, 0, :17].astype(float), truth) < 0.15


def test_a_stream_gives_what_a_batch_gives(lifter, people):
    _, px = people
    stream = lifter.stream(skeleton="h36m-17", image_size=SIZE)
    poses = lifter(px[:20], skeleton="h36m-17", image_size=SIZE)

    for frame in range(20):
        streamed = stream(px[frame])
        np.testing.assert_allclose(streamed.positions[0], poses.positions[frame], atol=1e-5)
        assert streamed.notes == poses.notes


def test_a_smooth_stream_is_the_filter_over_the_batch(lifter, people):
    from graphlift.motion.smoothing import one_euro

    _, px = people
    stream = lifter.stream(skeleton="h36m-17", image_size=SIZE, fps=30.0, smooth=True)
    poses = lifter(px[:20], skeleton="h36m-17", image_size=SIZE)
    streamed = [stream(frame) for frame in px[:20]]
    smoothed = np.concatenate([frame.positions for frame in streamed])
    fronts = np.concatenate([frame.fronts for frame in streamed])

    np.testing.assert_allclose(smoothed, one_euro(poses.positions, 30.0), atol=1e-5)
    turned = one_euro(poses.fronts, 30.0)
    turned /= np.linalg.norm(turned, axis=-1, keepdims=True)
    np.testing.assert_allclose(fronts, turned, atol=1e-5)


# Bad input


def test_without_a_size_a_px_means_nothing(lifter, people):
    with pytest.raises(
        ShapeError, match=r"^array: the size of the image is not known.*image_size="
    ):
        lifter(people[1], skeleton="h36m-17")
    with pytest.raises(ShapeError, match=r"^the size of the image is not known"):
        lifter(keypoints_from(people[1], H36M_17))


def test_a_camera_of_another_image_is_refused_whatever_comes_after(lifter, people):
    keypoints = keypoints_from(people[1][:4], H36M_17, image_size=SIZE)

    with pytest.raises(ShapeError, match=r"image is 640 x 480 px, .* 1280 x 720: scale one to"):
        lifter(keypoints, camera=assumed_camera((640, 480)))
    padded = lifter(keypoints, camera=assumed_camera((1280, 728)))  # by a codec
    assert np.isfinite(padded.positions).all()


@pytest.mark.parametrize(
    ("said", "pattern"),
    [
        ({"image_size": (19, 10)}, r"image_size is \(19, 10\), but .* \(1280, 720\): leave"),
        ({"fps": 25}, r"fps is 25, but the keypoints have 30"),
        ({"fps": -5}, r"fps is -5"),
        ({"fps": np.nan}, r"fps is nan"),
        ({"image_size": (0, 720)}, r"image_size is \(0, 720\)"),
        ({"image_size": ("a", 2)}, r"image_size is \('a', 2\)"),
    ],
)  # fmt: skip
def test_what_contradicts_the_keypoints_or_cannot_be_is_refused(lifter, people, said, pattern):
    keypoints = keypoints_from(people[1][:4], H36M_17, image_size=SIZE, fps=30.0)

    with pytest.raises(FormatError, match=pattern):
        lifter(keypoints, **said)


def test_frames_without_a_place_for_anybody_are_still_frames(lifter):
    poses = lifter(np.zeros((5, 0, 17, 2)), skeleton="h36m-17", image_size=SIZE)

    assert poses.positions.shape == (5, 0, 28, 3)
    lifted = lifter.lift_rays(np.zeros((0, 28, 2)), np.zeros((0, 28)), flip=True)
    nothing, unsure = lifted.positions, lifted.sigma
    assert (nothing.shape, unsure.shape) == ((0, 28, 3), (0, 28))


def test_one_wild_guess_behind_a_bent_lens_does_not_spoil_the_frame(lifter, people):
    """A joint that a detector puts far outside the image, where no ray fits the lens."""
    lens = replace(assumed_camera(SIZE), radial=(-0.3, 0.1, 0.0))
    wild = people[1][:2].copy()
    wild[:, H36M_17.index("RWrist")] = 4e4, -3e4

    poses = lifter(wild, skeleton="h36m-17", camera=lens)

    assert np.isfinite(poses.positions).all()


def test_an_array_must_say_its_joints(lifter, people):
    with pytest.raises(ShapeError, match=r"give skeleton=, one of .*coco-17"):
        lifter(people[1], image_size=SIZE)
    with pytest.raises(ShapeError, match="no skeleton is named 'coco'"):
        lifter(people[1], skeleton="coco", image_size=SIZE)
    with pytest.raises(ShapeError, match="17 joints of coco-17"):
        lifter(people[1][:, :5], skeleton="coco-17", image_size=SIZE)


def test_a_stream_that_smooths_needs_the_frame_rate(lifter):
    with pytest.raises(ShapeError, match="smoothing needs the frame rate: give fps="):
        lifter.stream(skeleton="h36m-17", image_size=SIZE, smooth=True)


@pytest.mark.parametrize("name", EARLIER)
def test_models_of_the_first_generation_lift_from_their_files(name, people):
    truth, px = people
    with pytest.raises(FileNotFoundError, match=f"recipes/weights/{EARLIER[name]}"):
        Lifter.load(name)

    poses = Lifter.load(WEIGHTS / EARLIER[name], threads=1)(
        px, skeleton="h36m-17", image_size=SIZE
    )

    assert poses.skeleton == H36M_17
    assert poses.fronts is None
    assert mpjpe(poses.positions[:, 0].astype(float), truth) < 0.12


def test_a_model_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model 'best': give one of open-base"):
        Lifter.load("best")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08\x09" * 500])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)

    with pytest.raises(FormatError, match=r"m.onnx: is no ONNX model, or a damaged one"):
        Lifter.load(path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('"sigma_scale": ', '"sigma_scale": NaN, "x": '), "NaN is not a finite number"),
        (('"limits": [', '"limits": [' + "[" * 5_000 + "]" * 5_000 + ", "), "nested more than 64"),
        (('"name": "', '"name": "\\ud800'), "surrogates not allowed"),
        (('"name":', '"nome":'), "nome: there is no such key"),
    ],
)
def test_a_card_that_is_no_sound_json_is_refused(tmp_path, lifter, change, fault):
    card = lifter.card.to_json()
    assert change[0] in card
    with pytest.raises(FormatError, match=rf"m\.onnx: its model card is not .*{fault}"):
        read_card(card.replace(*change, 1), str(tmp_path / "m.onnx"))


def test_a_card_that_does_not_fit_its_network_is_refused(tmp_path, lifter):
    import onnx

    model = onnx.load(str(resources.files("graphlift") / "models" / "open-small.onnx"))
    card = replace(lifter.card, skeleton="coco-17")
    onnx.helper.set_model_props(model, {"card": card.to_json()})
    onnx.save(model, tmp_path / "m.onnx")

    with pytest.raises(ModelError, match="its card says coco-17"):
        Lifter.load(tmp_path / "m.onnx")

    onnx.helper.set_model_props(model, {})
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(FormatError, match="holds no model card"):
        Lifter.load(tmp_path / "m.onnx")


def test_a_network_of_other_inputs_is_refused(tmp_path, lifter):
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 17, 3]) for n in "abcd"]
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in ("ac", "bd")]
    model = helper.make_model(
        helper.make_graph(nodes, "two", ends[:2], ends[2:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    card = lifter.session.get_modelmeta().custom_metadata_map["card"]
    onnx.helper.set_model_props(model, {"card": card})
    (tmp_path / "two.onnx").write_bytes(model.SerializeToString())

    with pytest.raises(
        ModelError,
        match=r"two\.onnx: .* takes a \[17, 3\], b \[17, 3\] and gives c .*lifting needs",
    ):
        Lifter.load(tmp_path / "two.onnx")


# Keypoints of plain arrays


def test_what_detectors_leave_for_missing_joints_is_nan():
    given = np.ones((2, 17, 3))
    given[0, 0] = 0, 0, 0.9  # OpenPose's missing
    given[0, 1, 2] = -1
    given[0, 2, 2] = np.nan
    given[0, 3, 0] = np.inf
    given[0, 4, 2] = 1.7

    made = keypoints_from(given, COCO_17)

    assert made.positions.shape == (2, 1, 17, 2)
    np.testing.assert_array_equal(made.seen[0, 0], [False] * 4 + [True] * 13)
    np.testing.assert_array_equal(made.confidence[0, 0, :5], [0, 0, 0, 0, 1])
    assert made.seen[1].all()


@pytest.mark.parametrize("shape", [(17,), (3, 17, 4), (1, 1, 1, 17, 2), (3, 16, 2)])
def test_arrays_of_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError):
        keypoints_from(np.ones(shape), COCO_17)
