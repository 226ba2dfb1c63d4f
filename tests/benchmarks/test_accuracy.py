"""The error of a model taken apart: parts sum to the whole, and what was put in is taken out."""

import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_pack import write_folder

from graphlift.datasets.mocap.prior import sample_prior
from graphlift.geometry import bone_vectors, turn_about_z
from graphlift.lifting import Lifter
from graphlift.metrics import joint_errors, mpjpe
from graphlift.samples.open_data import read_open_data
from graphlift.samples.random_views import H36M_LIKE_RIG, UNSEEN_RIG, exact_views, people_of
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.study.open_models import score

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import accuracy
from error_sources import geometry
from error_sources.people import (
    Frames,
    frames_of,
    mean_lengths,
    nearest,
    postures,
    put_on,
    see,
)

SIXTEEN = H36M_17.index(*H36M_16.joints)


@pytest.fixture(scope="module")
def capture():
    return sample_prior("validation", people=2, poses=60)


@pytest.fixture(scope="module")
def frames(capture):
    return frames_of(capture, stride=1)


@pytest.fixture(scope="module")
def seen(frames):
    return see(frames, UNSEEN_RIG, seed=3)


@pytest.fixture(scope="module")
def truth(seen):
    return seen.targets[:, SIXTEEN]


@pytest.fixture(scope="module")
def predicted(truth):
    """A model's answers: the truth with noise, its root at the origin."""
    noise = np.random.default_rng(1).normal(0, 0.04, truth.shape)
    return truth + noise - noise[:, :1]


def parts(predicted, truth, seen):
    return geometry.take_apart(
        predicted,
        truth,
        skeleton=H36M_16,
        subject=seen.subject,
        up=seen.up,
        towards=seen.towards[:, SIXTEEN],
    )


def rotation(axis, angle):
    """Rodrigues' formula, written out for one frame."""
    x, y, z = axis
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


def test_parts_and_rest_sum_to_the_total(predicted, truth, seen):
    found = parts(predicted, truth, seen)

    assert found.total == pytest.approx(1000 * mpjpe(predicted, truth))
    assert sum(found.removed.values()) + found.rest == pytest.approx(found.total)
    assert found.frame.mean() == pytest.approx(found.total)


def test_a_size_that_is_put_in_is_taken_out_and_leaves_the_rest_as_it_was(predicted, truth, seen):
    sizes = dict(zip(np.unique(seen.subject), (0.8, 1.3), strict=True))
    factor = np.array([sizes[who] for who in seen.subject])[:, None, None]

    plain, sized = (parts(x, truth, seen) for x in (predicted, factor * predicted))

    assert sized.removed["size"] > plain.removed["size"] + 30
    assert sized.rest == pytest.approx(plain.rest)
    for name in ("offsets", "yaw", "other turn", "depth signs"):
        assert sized.removed[name] == pytest.approx(plain.removed[name], abs=1e-9)


def test_a_model_that_errs_in_size_alone_errs_in_nothing_else(truth, seen):
    found = parts(1.1 * truth, truth, seen)

    assert found.removed["size"] == pytest.approx(found.total)
    assert found.rest == pytest.approx(0, abs=1e-9)
    assert not found.wrong.any()


def test_offsets_that_are_put_in_are_taken_out(predicted, truth, rng):
    """Along the hips, back and up the trunk; axes are found here bone by bone."""
    left, right, hip, thorax = H36M_16.index("LHip", "RHip", "Hip", "Thorax")
    offset = rng.normal(0, 0.03, (16, 3))
    moved = predicted.copy()
    for frame, pose in enumerate(truth):
        x = pose[left] - pose[right]
        y = np.cross(pose[thorax] - pose[hip], x)
        axes = [x, y, np.cross(x, y)]
        moved[frame] += sum(
            np.outer(offset[:, k], axis / np.linalg.norm(axis)) for k, axis in enumerate(axes)
        )

    plain, back = (geometry.shift_joints(x, truth, H36M_16) for x in (predicted, moved))

    np.testing.assert_allclose(back, plain, atol=1e-12)
    np.testing.assert_allclose(geometry.shift_joints(moved - predicted + truth, truth, H36M_16),
                               truth, atol=1e-12)  # fmt: skip


def test_a_turn_about_the_vertical_that_is_put_in_is_taken_out(predicted, truth, seen, rng):
    angle = rng.uniform(-2, 2, len(truth))
    turned = np.stack(
        [x @ rotation(u, t).T for x, u, t in zip(predicted, seen.up, angle, strict=True)]
    )

    plain, before = geometry.turn_about(predicted, truth, seen.up)
    back, after = geometry.turn_about(turned, truth, seen.up)

    np.testing.assert_allclose(back, plain, atol=1e-12)
    np.testing.assert_allclose(np.cos(before - after - angle), 1, atol=1e-12)


def test_any_turn_that_is_put_in_is_taken_out(predicted, truth, rng):
    turned = np.empty_like(predicted)
    for frame, pose in enumerate(predicted):
        axis = rng.normal(size=3)
        turned[frame] = pose @ rotation(axis / np.linalg.norm(axis), rng.uniform(0, 3)).T

    plain, _ = geometry.turn_freely(predicted, truth)
    back, _ = geometry.turn_freely(turned, truth)

    np.testing.assert_allclose(back, plain, atol=1e-12)


def test_how_far_people_were_turned_is_told_by_axis(truth, seen, rng):
    """By 10° to either side about the vertical, sizes and mean offsets untouched by it."""
    side = np.where(np.arange(len(truth)) % 2, 1, -1) * np.radians(10)
    turned = np.stack([x @ rotation(u, t).T for x, u, t in zip(truth, seen.up, side, strict=True)])
    R = np.stack([rotation(u, -t) for u, t in zip(seen.up, side, strict=True)])

    back, found = geometry.turn_about(turned, truth, seen.up)
    _, directly = geometry.turn_freely(turned, truth)

    np.testing.assert_allclose(back, truth, atol=1e-12)
    np.testing.assert_allclose(found, -side, atol=1e-12)
    np.testing.assert_allclose(directly, R, atol=1e-9)
    apart = parts(turned, truth, seen)
    assert apart.yaw == pytest.approx(10, abs=0.5)
    assert apart.turn == pytest.approx(10, abs=0.5)
    assert apart.lean < 1


def test_a_forearm_that_is_mirrored_in_depth_is_mirrored_back(truth, seen):
    elbow, wrist = H36M_16.index("LElbow", "LWrist")
    towards = seen.towards[:, SIXTEEN]
    bone, ray = truth[:, wrist] - truth[:, elbow], towards[:, wrist]
    depth = (bone * ray).sum(-1)
    clear = np.abs(depth) > geometry.CLEAR * np.linalg.norm(bone, axis=-1)
    mirrored = truth.copy()
    mirrored[clear, wrist] -= (2 * depth[:, None] * ray)[clear]

    back, wrong = geometry.mend_signs(mirrored, truth, towards, H36M_16)

    assert 20 < clear.sum() < len(clear)
    np.testing.assert_allclose(back, truth, atol=1e-12)
    assert wrong.shape == (len(truth), 8)
    assert wrong.sum() == clear.sum()
    np.testing.assert_array_equal(wrong.any(axis=1), clear)


def test_an_error_along_the_rays_is_one_of_depth_alone(truth, seen, rng):
    towards = seen.towards[:, SIXTEEN]
    far = rng.uniform(-0.2, 0.2, truth.shape[:2])[..., None]

    assert parts(truth + far * towards, truth, seen).across == pytest.approx(0, abs=1e-9)
    sideways = np.cross(towards, [0.0, 1.0, 0.0])
    found = parts(truth + far * sideways, truth, seen)
    assert found.across == pytest.approx(found.total)


def test_frames_and_cameras_are_those_of_the_published_scores(capture, frames, seen):
    views = exact_views(people_of(capture), UNSEEN_RIG, seed=3)

    np.testing.assert_allclose(seen.rays, views.rays, atol=1e-6)
    np.testing.assert_allclose(seen.targets, views.targets, atol=1e-6)
    assert set(frames.subject) == set(capture.subjects)


def test_cameras_are_told_as_they_were_drawn(frames, seen):
    """Roll and field of view within the rig's ranges; up as the feet and the head show it."""
    found = seen.cameras()

    assert (np.abs(found["roll, °"]) <= 5 + 1e-9).all()
    assert found["roll, °"].std() > 1
    assert (np.abs(found["field of view, °"] - 60) <= 30).all()
    height = (seen.targets * seen.up[:, None]).sum(axis=-1)
    truth = frames.positions[..., 2] - frames.positions[:, :1, 2]
    np.testing.assert_allclose(height, truth, atol=1e-9)


def test_people_on_other_bones_keep_their_directions(frames):
    lengths = 1.2 * mean_lengths(frames)
    made = put_on(frames, lengths)

    before, after = (bone_vectors(x.positions, H36M_17.parents) for x in (frames, made))
    length = np.linalg.norm(after, axis=-1)
    np.testing.assert_allclose(length, np.broadcast_to(lengths, length.shape), atol=1e-9)
    cosine = (
        (before * after).sum(-1) / np.linalg.norm(before, axis=-1).clip(1e-9) / length.clip(1e-9)
    )
    np.testing.assert_allclose(cosine[:, 1:], 1, atol=1e-9)


def test_people_on_their_own_bones_stay_as_they_are(frames):
    one = Frames(frames.positions[:1], frames.subject[:1])

    np.testing.assert_allclose(put_on(one, mean_lengths(one)).positions, one.positions, atol=1e-9)


def test_the_nearest_pose_is_found_as_by_comparing_all(frames):
    lengths = mean_lengths(frames)
    known = Frames(frames.positions[:50], frames.subject[:50])
    asked = Frames(frames.positions[50:60], frames.subject[50:60])

    bank = put_on(known, lengths).positions
    bank = np.concatenate([bank, bank[:, H36M_17.mirror] * [-1, 1, 1]])[:, SIXTEEN]
    poses = put_on(asked, lengths).positions[:, SIXTEEN]
    slow = [
        joint_errors(np.repeat(pose[None], len(bank), 0), bank, alignment="similarity")
        for pose in poses
    ]

    found = nearest(asked, known, lengths, SIXTEEN)

    np.testing.assert_allclose(found, [each.mean(axis=1).min() for each in slow], rtol=0.15)


def test_a_known_pose_is_near_whichever_way_it_faces_and_in_the_mirror(frames):
    angle = np.linspace(0, 6, len(frames))
    mirrored = frames.positions[:, H36M_17.mirror] * [-1, 1, 1]
    asked = Frames(turn_about_z(mirrored, angle), frames.subject)

    found = nearest(asked, frames, mean_lengths(frames), SIXTEEN)

    # Left and right bones of a prior's person are alike to a millimetre or two.
    assert found.max() < 0.003


def test_postures_part_frames_by_the_trunk_and_the_thighs():
    """A person who stands, tilted as a whole; and one who sits."""
    standing = np.zeros((17, 3))
    for name, place in {
        "Spine": (0, 0, 0.2), "Thorax": (0, 0, 0.45), "Neck/Nose": (0, 0, 0.6),
        "Head": (0, 0, 0.7), "LHip": (0.1, 0, 0), "RHip": (-0.1, 0, 0),
        "LKnee": (0.1, 0, -0.4), "RKnee": (-0.1, 0, -0.4), "LFoot": (0.1, 0, -0.8),
        "RFoot": (-0.1, 0, -0.8),
    }.items():  # fmt: skip
        standing[H36M_17.joints.index(name)] = place
    sitting = standing.copy()
    sitting[H36M_17.index("LKnee", "RKnee")] += [0, -0.4, 0.4]
    tilts = (0, 45, 90, 180)
    people = [standing @ rotation((1, 0, 0), np.radians(t)).T for t in tilts] + [sitting]

    found = postures(Frames(np.array(people), np.array(["a"] * 5)))

    names = ("upright", "bent", "lying", "inverted", "squatting or sitting")
    for frame, name in enumerate(names):
        assert [k for k, mask in found.items() if mask[frame]] == [name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("mocap"))


def test_the_total_of_the_tables_is_the_score_of_the_protocol(folder, monkeypatch, capsys):
    figure = folder / "accuracy.png"
    monkeypatch.setattr(
        sys, "argv", ["accuracy", str(folder), "open-small", "--figure", str(figure)]
    )
    accuracy.main()

    out = capsys.readouterr().out
    tables = [[line.split(" | ") for line in part.splitlines() if line.startswith("| CMU test")]
              for part in out.split("\n### ")[1:]]  # fmt: skip
    assert len(tables) == len(accuracy.TITLES)
    causes = [float(row[3].rstrip(" |")) for row in tables[0]]
    geometric = [float(row[3].rstrip(" |")) for row in tables[1]]
    lifter = Lifter.load("open-small", threads=1)

    def lift(views, confidence):
        lacking = ((0, 0), (0, 11))  # the 17 joints are the first of 28
        rays, seen = np.pad(views.rays, (*lacking, (0, 0))), np.pad(confidence, lacking)
        return lifter.lift_rays(rays, seen).positions[:, :17]

    expected = score(lift, read_open_data(str(folder)).test, "h36m-like")
    assert causes[3] == geometric[6] == round(expected["mpjpe_mm"], 1)
    assert sum(causes[:3]) == pytest.approx(causes[3], abs=0.2)
    assert sum(geometric[:6]) == pytest.approx(geometric[6], abs=0.35)
    assert all(sum(int(row[2]) for row in tables[n]) == expected["frames"] for n in (3, 4))
    assert figure.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_choices_are_measured_on_validation_people_alone(folder):
    data = read_open_data(str(folder))
    captures = accuracy.captures(data, "validation")

    assert [capture.subjects for capture in captures.values()] == [data.validation.subjects]
    tested = [capture.subjects for capture in accuracy.captures(data, "test").values()]
    assert tested == [data.test.subjects, data.cross.subjects]
    assert not any(set(a) & set(data.validation.subjects) for a in tested[:1])


def test_a_run_of_28_joints_is_lifted_with_the_17_it_is_given(tmp_path, frames):
    """What is not given does not matter: its rays are unseen, and 16 joints come out."""
    import torch

    from graphlift.card import ModelCard
    from graphlift.export import export_onnx
    from graphlift.nn.build import build_network
    from graphlift.preprocessing import canonical_28, turn_back

    torch.manual_seed(0)
    settings = {
        "method": "pre-aggregation",
        "inputs": "canonical",
        "sigma": True,
        "channels": 8,
        "blocks": 1,
        "joints": 28,
    }
    network = build_network(**settings).eval()
    card = ModelCard(
        name="tiny", skeleton="body-28", inputs="canonical-28", method="m", parameters=1
    )
    export_onnx(network, card, tmp_path / "tiny.onnx")
    views = see(frames, H36M_LIKE_RIG, seed=7)

    positions, sigma = accuracy.lift(accuracy.load(str(tmp_path / "tiny.onnx")), views)

    rays = np.pad(views.rays, ((0, 0), (0, 11), (0, 0)), constant_values=0.3)
    given = canonical_28(rays, np.pad(np.ones((len(views), 17)), ((0, 0), (0, 11))))
    with torch.inference_mode():
        answer = network(torch.from_numpy(given.inputs.astype(np.float32))).numpy()
    expected = turn_back(answer[..., :3] - answer[:, :1, :3], given)[:, SIXTEEN]
    np.testing.assert_allclose(positions, expected, atol=5e-3)
    np.testing.assert_allclose(sigma, np.exp(answer[:, SIXTEEN, 3]), rtol=0.02)
