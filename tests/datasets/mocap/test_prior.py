import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mixture_fit import Shrinkage, fit_mixture, log_joint
from prior_fit import (
    FitChoice,
    fit_lengths,
    fit_prior,
    positions_to_features,
    subject_lengths,
    with_mirror,
    write_prior,
)
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from graphlift.datasets.mocap.clips import FASTEST, Clip, MotionCapture
from graphlift.datasets.mocap.prior import (
    BONE_LENGTHS,
    PRIOR_FILE,
    Mixture,
    features_to_directions,
    features_to_positions,
    joint_angles,
    load_prior,
    sample_prior,
)
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.geometry import turn_about_z
from graphlift.skeletons import H36M_17

BODY = np.array([0.1, 0.4, 0.45, 0.2, 0.25, 0.1, 0.12, 0.15, 0.3, 0.25])


@pytest.fixture(scope="module")
def people() -> MotionCapture:
    return sample_prior("train", people=5, poses=1000, seed=4)


def planted(rng: np.random.Generator) -> Mixture:
    factors = 0.5 * rng.standard_normal((2, 6, 2))
    means = np.array([np.zeros(6), np.full(6, 3.0)])
    return Mixture(np.array([0.3, 0.7]), means, factors, np.array([0.01, 0.04]))


def by_name(pose: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(H36M_17.joints, pose, strict=True))


def test_density_of_a_mixture_is_that_of_its_gaussians_written_out():
    rng = np.random.default_rng(0)
    mixture = planted(rng)
    x = rng.standard_normal((20, 6))

    written_out = [
        np.log(mixture.weights[k])
        + multivariate_normal(
            mixture.means[k],
            mixture.factors[k] @ mixture.factors[k].T + mixture.noise[k] * np.eye(6),
        ).logpdf(x)
        for k in range(2)
    ]

    density = logsumexp(log_joint(mixture, x), axis=1)
    np.testing.assert_allclose(density, logsumexp(written_out, axis=0), rtol=1e-9)


def test_one_component_is_the_closed_form_of_probabilistic_pca():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((500, 5)) * [3, 2, 1, 0.5, 0.4]

    mixture, _ = fit_mixture(x, 1, 2, rng=rng)

    U, spread, _ = np.linalg.svd((x - x.mean(axis=0)).T / np.sqrt(len(x)))
    noise = (spread[2:] ** 2).mean()
    C = U[:, :2] @ np.diag(spread[:2] ** 2 - noise) @ U[:, :2].T + noise * np.eye(5)
    W = mixture.factors[0]
    np.testing.assert_allclose(mixture.noise, [noise])
    np.testing.assert_allclose(W @ W.T + mixture.noise[0] * np.eye(5), C, atol=1e-10)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 5.0, 200.0]), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_em_never_lowers_what_it_maximises(seed, imagined, components):
    rng = np.random.default_rng(seed)
    x = np.vstack([rng.standard_normal((60, 4)) * rng.uniform(0.1, 2, 4) + 2 * i for i in (0, 1)])

    shrinkage = Shrinkage(np.cov(x.T), imagined)
    _, trace = fit_mixture(x, components, 2, rng=rng, shrinkage=shrinkage, tolerance=-np.inf)

    assert len(trace) == 40
    assert np.diff(trace).min() > -1e-7


def test_a_planted_mixture_is_found_again():
    rng = np.random.default_rng(2)
    truth = planted(rng)

    found, _ = fit_mixture(truth.draw(6000, rng), 2, 2, rng=rng)

    order = np.argsort(found.weights)
    np.testing.assert_allclose(found.weights[order], truth.weights, atol=0.02)
    np.testing.assert_allclose(found.means[order], truth.means, atol=0.06)
    np.testing.assert_allclose(found.noise[order], truth.noise, rtol=0.06)
    for k, at in enumerate(order):
        covariance = truth.factors[k] @ truth.factors[k].T
        np.testing.assert_allclose(found.factors[at] @ found.factors[at].T, covariance, atol=0.1)


def test_draws_have_the_moments_of_the_model():
    rng = np.random.default_rng(3)
    one = Mixture(
        np.ones(1), np.arange(3.0)[None], np.array([[[2.0], [1], [0]]]), np.array([0.25])
    )

    x = one.draw(40_000, rng)

    np.testing.assert_allclose(x.mean(axis=0), [0, 1, 2], atol=0.05)
    np.testing.assert_allclose(np.cov(x.T), [[4.25, 2, 0], [2, 1.25, 0], [0, 0, 0.25]], atol=0.1)


def test_a_body_standing_straight_is_put_together_joint_by_joint():
    down, up, left, right = (0, 0, -1), (0, 0, 1), (-1, 0, 0), (1, 0, 0)
    legs, trunk, arms = [down] * 4, [up] * 4, [left, down, down, right, down, down]
    clearance = 0.1 * np.log(0.085 / 0.85)
    features = np.concatenate([np.ravel([*legs, *trunk, *arms]), [0, clearance]])[None]

    joints = by_name(features_to_positions(features, BODY)[0])

    ankle, hips = 0.085, 0.085 + 0.45 + 0.4
    np.testing.assert_allclose(joints["RFoot"], [0.1, 0, ankle], atol=1e-12)
    np.testing.assert_allclose(joints["LKnee"], [-0.1, 0, ankle + 0.45], atol=1e-12)
    np.testing.assert_allclose(joints["Hip"], [0, 0, hips], atol=1e-12)
    np.testing.assert_allclose(joints["Head"], [0, 0, hips + 0.2 + 0.25 + 0.1 + 0.12])
    np.testing.assert_allclose(joints["LWrist"], [-0.15, 0, hips + 0.45 - 0.3 - 0.25], atol=1e-12)


@given(
    arrays(float, (3, 14, 3), elements=st.floats(-1, 1)),
    arrays(float, (3, 2), elements=st.floats(-0.4, 0.4)),
    st.floats(-np.pi, np.pi),
)
def test_features_survive_a_body_a_turn_and_a_walk(limbs, rest, angle):
    length = np.linalg.norm(limbs, axis=-1, keepdims=True)
    limbs = np.where(length > 0.1, limbs / np.maximum(length, 0.1), [0.0, 0, 1])
    features = np.column_stack([limbs.reshape(3, -1), rest[:, 0], 0.5 * rest[:, 1] - 0.1])

    positions = turn_about_z(features_to_positions(features, BODY), np.full(3, angle))
    again = positions_to_features(positions + np.array([1.5, -0.7, 0]))

    np.testing.assert_allclose(again, features, atol=1e-9)


def test_mirrored_features_are_those_of_the_pose_seen_in_a_mirror(people):
    pose = people.clips[0].positions.astype(float)
    reflected = pose[:, H36M_17.mirror] * [-1, 1, 1]

    twins = with_mirror(positions_to_features(pose))[len(pose) :]

    np.testing.assert_allclose(twins, positions_to_features(reflected), atol=1e-6)


def test_a_shin_that_swings_forward_is_a_negative_knee():
    directions = np.zeros((1, 17, 3))
    directions[0, 1:] = 0, 0, -1
    directions[0, 1], directions[0, 4] = (1, 0, 0), (-1, 0, 0)
    back, forth = np.radians(30), np.radians(-20)
    directions[0, 3] = 0, -np.sin(back), -np.cos(back)
    directions[0, 6] = 0, -np.sin(forth), -np.cos(forth)

    angles = joint_angles(directions)

    np.testing.assert_allclose(angles[0, -2:], [back, forth])


def test_every_person_keeps_one_symmetric_body(people):
    lengths = {}
    for clip in people.clips:
        bones = np.linalg.norm(
            clip.positions[:, 1:] - clip.positions[:, np.array(H36M_17.parents[1:])], axis=-1
        )
        np.testing.assert_allclose(bones, np.broadcast_to(bones[:1], bones.shape), atol=2e-6)
        for left, right in H36M_17.pairs:
            np.testing.assert_allclose(bones[:, left - 1], bones[:, right - 1], atol=2e-6)
        lengths.setdefault(clip.subject, bones[0])
        np.testing.assert_allclose(bones[0], lengths[clip.subject], atol=2e-6)

    thighs = [bones[1] for bones in lengths.values()]
    assert len(set(np.round(thighs, 4))) == 5
    assert 0.3 < min(thighs) < max(thighs) < 0.55


def test_people_stand_on_or_above_the_floor_within_human_bounds(people):
    prior = load_prior()
    for clip in people.clips:
        assert clip.positions.dtype == np.float32
        assert np.isfinite(clip.positions).all()
        assert clip.positions[..., 2].min() >= 0
        assert clip.positions[..., 2].max() < 4
        features = positions_to_features(clip.positions.astype(float))
        low, high = prior.clearance[prior.activities.index(clip.activity)]
        assert low - 1e-5 < features[:, -1].min() <= features[:, -1].max() < high + 1e-5
        angles = joint_angles(features_to_directions(features))
        assert (angles > prior.lowest - 1e-3).all()
        assert (angles < prior.highest + 1e-3).all()


def test_no_joint_seems_to_move_too_fast(people):
    assert not any(clip.fast(FASTEST).any() for clip in people.clips)


def test_subjects_of_the_splits_are_different_people():
    splits = [sample_prior(split, people=3, poses=60) for split in ("train", "validation", "test")]

    names = [set(capture.subjects) for capture in splits]
    bodies = np.concatenate([subject_lengths(capture) for capture in splits])

    assert len(set.union(*names)) == 9
    assert len(np.unique(bodies.round(4), axis=0)) == 9


def test_a_seed_is_reproducible_and_seeds_differ(people):
    again = sample_prior("train", people=5, poses=1000, seed=4)
    other = sample_prior("train", people=5, poses=1000, seed=5)

    assert again.digest == people.digest != other.digest


def test_more_people_leave_the_others_as_they_are():
    few = sample_prior("test", people=2, poses=100)
    more = sample_prior("test", people=4, poses=200)

    assert more.of(few.subjects).digest == few.digest


@given(st.integers(1, 4), st.integers(0, 90))
@settings(max_examples=15, deadline=None)
def test_poses_are_shared_out_exactly(number, more):
    prior = load_prior()

    capture = sample_prior("validation", people=number, poses=number + more)

    assert len(capture) == number + more
    for clip in capture.clips:
        of_person = sum(len(c.positions) for c in capture.clips if c.subject == clip.subject)
        wanted = of_person * prior.shares[prior.activities.index(clip.activity)]
        assert abs(len(clip.positions) - wanted) < 1


def test_default_sizes_are_those_of_the_study():
    capture = sample_prior("validation")

    assert (capture.name, len(capture), len(capture.subjects)) == ("prior", 4000, 6)
    assert "NSF EIA-0196217" in capture.license


@pytest.mark.parametrize(
    ("split", "arguments", "message"),
    [
        ("dev", {}, "train, validation, test"),
        ("train", {"seed": -1}, "seed of at least 0"),
        ("train", {"people": 0}, "at least one person"),
        ("train", {"people": 5, "poses": 4}, "one pose a person"),
    ],
)
def test_wrong_requests_are_refused(split, arguments, message):
    with pytest.raises(ConfigError, match=message):
        sample_prior(split, **arguments)


def test_the_package_ships_less_than_a_megabyte():
    assert PRIOR_FILE.stat().st_size < 1_000_000


def test_sampling_reads_no_data_but_the_shipped_parameters(tmp_path):
    program = """
import sys
read = []
sys.addaudithook(lambda event, args: read.append(str(args[0])) if event == "open" else None)
from graphlift.datasets.mocap.prior import sample_prior
assert len(sample_prior("test", people=2, poses=40)) == 40
assert "scipy" not in sys.modules and "torch" not in sys.modules
print(*{name for name in read if name.endswith((".npz", ".json", ".npy"))})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str(PRIOR_FILE)


def test_a_missing_file_says_how_to_get_it(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="install graphlift again"):
        load_prior(tmp_path / "none.npz")


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_file_cut_short_is_refused(tmp_path_factory, at):
    whole = PRIOR_FILE.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "prior.npz"
    path.write_bytes(whole[: at * len(whole) // 10_001])

    with pytest.raises(FormatError, match=r"prior\.npz"):
        load_prior(path)


def test_parameters_that_are_not_numbers_or_of_another_layout_are_refused(tmp_path):
    with np.load(PRIOR_FILE) as stored:
        good = dict(stored)
    for name, array in (
        ("shares", np.full_like(good["shares"], np.nan)),
        ("format", np.array("graphlift-prior-0")),
        ("means", good["means"][:, :5]),
        ("lowest", good["lowest"][:-1]),
        ("shares", good["shares"][:-1]),
    ):
        path = tmp_path / f"{name}-{array.size}.npz"
        np.savez(path, **{**good, name: array})

        with pytest.raises(FormatError, match=name):
            load_prior(path)


def test_fitting_to_samples_gives_a_prior_that_samples(tmp_path, people):
    training = MotionCapture(
        "made-up", H36M_17, tuple(clip for clip in people.clips if clip.activity == "walk")
    )
    clips = tuple(
        Clip(c.name, c.subject, c.activity, c.fps, np.tile(c.positions, (8, 1, 1)))
        for c in training.clips
    )
    fitted = fit_prior(MotionCapture("made-up", H36M_17, clips), FitChoice(5, 100, 50))
    path = tmp_path / "prior.npz"

    write_prior(path, fitted)
    capture = sample_prior("test", people=2, poses=30, prior=load_prior(path))

    assert {clip.activity for clip in capture.clips} == {"walk"}
    assert len(capture) == 30
    assert "made" not in capture.license


def test_too_little_to_fit_to_is_refused(people):
    with pytest.raises(FormatError, match="500 poses"):
        fit_prior(people.of(people.subjects[:1]), FitChoice())
    with pytest.raises(FormatError, match="at least three"):
        fit_lengths(np.exp(np.ones((2, len(BONE_LENGTHS)))))


def test_bodies_lie_between_their_sample_and_one_variance_and_correlation():
    rng = np.random.default_rng(6)
    logs = 0.03 * rng.standard_normal((12, 1)) + rng.standard_normal((12, 10)) * 0.03

    mean, factor = fit_lengths(np.exp(logs))

    sample = np.cov(logs.T)
    variance = np.trace(sample) / 10
    covariance = sample[~np.eye(10, dtype=bool)].mean()
    target = np.where(np.eye(10, dtype=bool), variance, covariance)
    share = ((factor @ factor.T - sample) / (target - sample))[0, 1]
    np.testing.assert_allclose(mean, logs.mean(axis=0))
    assert 0.1 <= round(share, 9) <= 1
    np.testing.assert_allclose(factor @ factor.T, (1 - share) * sample + share * target)
