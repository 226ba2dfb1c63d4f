"""The mixture density network: its densities by scipy's formulas, its answers, a run."""

import numpy as np
import pytest
import torch
from helpers.command import here
from helpers.lifters import assert_learns_and_resumes, finish, of_onnx
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import dirichlet, multivariate_normal

from graphlift.complexity import mixture_complexity, network_complexity
from graphlift.errors import ConfigError, ModelError
from graphlift.matched_width import channels_for
from graphlift.nn.build import build_network
from graphlift.nn.mixture import (
    Mixture,
    MixtureDensity,
    log_likelihood,
    log_prior,
    mixture_loss,
)
from graphlift.samples import Selection
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.study.evaluation import evaluate_model
from graphlift.study.plan import Plan, planned_runs
from graphlift.study.scoring import answers
from graphlift.training.config import ModelConfig, TrainConfig
from graphlift.training.evaluation import lift, lift_hypotheses, predict
from graphlift.training.losses import loss_of
from graphlift.training.tables import parse_table


def example(seed=0, batch=3, joints=4, count=5):
    rng = np.random.default_rng(seed)
    poses = rng.normal(0, 0.4, (batch, count, joints, 3))
    sigma = rng.uniform(0.05, 0.5, (batch, count))
    weights = rng.dirichlet(np.ones(count), batch)
    target = rng.normal(0, 0.4, (batch, joints, 3))
    said = Mixture(*(torch.from_numpy(a) for a in (poses, sigma, np.log(weights))))
    return said, (poses, sigma, weights), torch.from_numpy(target)


@given(st.integers(0, 10_000))
def test_the_likelihood_is_that_of_normal_densities_summed(seed):
    said, (poses, sigma, weights), target = example(seed)

    for b, found in enumerate(log_likelihood(said, target).tolist()):
        truth = target[b].numpy().ravel()
        each = [
            np.log(weights[b, m])
            + multivariate_normal(poses[b, m].ravel(), sigma[b, m] ** 2).logpdf(truth)
            for m in range(5)
        ]
        assert found == pytest.approx(logsumexp(each), rel=1e-9)


@given(st.integers(0, 10_000))
def test_the_prior_is_dirichlets_density(seed):
    said, (_, _, weights), _ = example(seed)

    for found, alpha in zip(log_prior(said).tolist(), weights, strict=True):
        assert found == pytest.approx(dirichlet.logpdf(alpha / alpha.sum(), [2.0] * 5), rel=1e-6)


def test_the_loss_is_a_coordinates_share_of_both_and_has_their_gradient():
    said, _, target = example(joints=2)

    both = log_likelihood(said, target) + log_prior(said)
    assert mixture_loss(said, target).item() == pytest.approx(-both.mean().item() / 6)
    assert loss_of("likelihood", said, target) == mixture_loss(said, target)
    given = [part.clone().requires_grad_() for part in said]
    assert torch.autograd.gradcheck(lambda *parts: mixture_loss(Mixture(*parts), target), given)


def test_a_likelihood_of_what_is_far_away_is_finite():
    said, _, target = example()

    far = log_likelihood(said, target + 1e4)

    assert torch.isfinite(far).all()


def test_the_pose_is_the_most_likely_and_its_deviation_that_of_samples_from_it():
    said, (poses, sigma, weights), _ = example(batch=1, joints=2)
    pose = poses[0, weights[0].argmax()]
    rng = np.random.default_rng(1)
    which = rng.choice(5, 200_000, p=weights[0])
    drawn = poses[0][which] + sigma[0][which, None, None] * rng.normal(size=(200_000, 2, 3))

    np.testing.assert_array_equal(said.pose[0], pose)
    deviation = np.sqrt(np.square(drawn - pose).mean(axis=(0, 2)))  # over all directions
    np.testing.assert_allclose(said.log_sigma[0].exp(), deviation, rtol=1e-2)


def test_the_published_size():
    """4.50 M at 1024: the trunk of Martinez et al., then 5 × (48 means, a spread, a weight)."""
    D = 1024
    by_hand = 32 * D + 4 * D**2 + 5 * 3 * D + D * 5 * 50 + 5 * 50

    assert mixture_complexity().parameters == by_hand == 4_498_682
    assert sum(p.numel() for p in MixtureDensity().parameters()) == 4_498_682
    assert mixture_complexity().macs_reduced == 32 * D + 4 * D**2 + D * 250


@given(st.integers(1, 12), st.integers(0, 3), st.sampled_from([16, 17]))
def test_a_network_is_counted_as_it_is_built(channels, blocks, joints):
    network = build_network("mixture", joints=joints, channels=channels, blocks=blocks)
    counted = network_complexity(
        "mixture",
        channels=channels,
        blocks=blocks,
        skeleton={16: H36M_16, 17: H36M_17}[joints],
    )

    assert counted.parameters == sum(p.numel() for p in network.parameters())


def test_it_is_matched_to_a_size_and_may_be_in_a_plan():
    assert abs(channels_for("mixture", 4_200_000).off) < 0.01
    rows = {"mixture": {"loss": "likelihood"}, "lcn": {"model": {"learnt_mask": True}}}
    names = ("mixture", "martinez", "lcn", "bidirectional")

    runs = planned_runs(Plan(methods=names, parameters=(108_000,), rows=rows), data="prior")

    assert [(run.config.model.method, run.config.loss) for run in runs] == [
        *(("mixture", "likelihood"), ("martinez", "mse"), ("lcn", "mse"), ("bidirectional", "mse"))
    ]
    assert [run.config.model.learnt_mask for run in runs] == [False, False, True, False]


def test_hypotheses_start_alike_and_near_one_another():
    torch.manual_seed(0)
    said = MixtureDensity(channels=64)(torch.randn(3, 16, 2))

    torch.testing.assert_close(said.log_weight.exp(), torch.full((3, 5), 0.2))
    torch.testing.assert_close(said.sigma, torch.full((3, 5), 0.251))
    assert (said.poses - said.poses[:, :1]).norm(dim=-1).max() < 0.5


def test_every_weight_learns():
    torch.manual_seed(0)
    network = MixtureDensity(channels=8)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)

    mixture_loss(network(torch.randn(8, 16, 2)), torch.randn(8, 16, 3)).backward()

    still = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert all(name.endswith("linear.bias") for name in still)  # before a normalisation


@pytest.mark.parametrize("features", [2, 3])
def test_the_exported_file_answers_as_the_network_does(features, tmp_path):
    torch.manual_seed(0)
    network = MixtureDensity(channels=8, features=features)
    for parameter in (*network.spreads.parameters(), *network.weights.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    for _ in range(3):
        network(torch.randn(64, 16, features))

    x, said = of_onnx(network, tmp_path / "m.onnx", features=features)

    with torch.inference_mode():
        theirs = network.eval()(torch.from_numpy(x))
    expected = {
        "hypotheses": theirs.poses,
        "sigma": theirs.sigma,
        "weights": theirs.log_weight.exp(),
        "poses": theirs.pose,
    }
    if features == 3:
        expected["poses"] = torch.cat([theirs.pose, theirs.log_sigma[..., None]], dim=-1)
    assert said.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_allclose(said[name], tensor, atol=1e-5)  # 0.01 mm


TINY = TrainConfig(
    steps=20,
    batch_size=32,
    evaluate_every=10,
    learning_rate=1e-2,
    loss="likelihood",
    tensorboard=False,
    model=ModelConfig(method="mixture", decouple_self=False, channels=8, dropout=0.1),
)


def test_a_run_learns_and_goes_on_where_it_was_killed(study_data, tmp_path):
    assert_learns_and_resumes(TINY, study_data, tmp_path)


def test_a_run_is_scored_by_its_most_likely_its_mean_and_an_oracle(study_data, tmp_path):
    finish(TINY, study_data, tmp_path)

    result = evaluate_model(tmp_path / "model.safetensors", study_data, name="mixture")

    likely, mean, best = (
        result.hypotheses[how] for how in ("most likely", "mean", "oracle, best of 5")
    )
    assert likely.mpjpe_mm == pytest.approx(result.mpjpe_mm, abs=0.01)
    assert likely.p_mpjpe_mm == pytest.approx(result.p_mpjpe_mm, abs=0.01)
    assert (likely.cross_pck, likely.cross_auc) == pytest.approx(
        (result.cross_pck, result.cross_auc), abs=0.05
    )
    assert best.mpjpe_mm <= likely.mpjpe_mm
    assert best.p_mpjpe_mm <= likely.p_mpjpe_mm
    assert mean.mpjpe_mm > 0


def test_the_command_calls_the_best_of_five_an_oracle(pack, tmp_path):
    (tmp_path / "run.toml").write_text(
        f'data = "{pack.as_posix()}"\nsteps = 3\nloss = "likelihood"\ntensorboard = false\n'
        '[model]\nmethod = "mixture"\ndecouple_self = false\nchannels = 4\n'
    )
    assert here("train", tmp_path / "run.toml", "-o", tmp_path / "run").status == 0

    status, out, _ = here("evaluate", tmp_path / "run" / "model.safetensors")

    assert status == 0
    lines = [line for line in out.splitlines() if line.startswith("  oracle, best of 5: ")]
    assert [line.split(": ")[1].split()[0] for line in lines] == ["mpjpe_mm", "cross_pck"]


def test_each_answer_is_chosen_as_it_says(study_data):
    torch.manual_seed(0)
    network = MixtureDensity(channels=4)
    torch.nn.init.normal_(network.weights.weight)
    test = study_data.samples("test", Selection())
    given = lift_hypotheses(network, test)
    np.testing.assert_allclose(given.weights.sum(axis=1), 1, rtol=1e-5)
    assert (given.positions[:, :, H36M_16.root] == 0).all()

    chosen = answers(given, test.targets)

    for frame in range(0, len(test), 97):
        poses, weights = given.positions[frame], given.weights[frame]
        mean = sum(w * pose for w, pose in zip(weights, poses, strict=True))
        np.testing.assert_allclose(chosen["mean"][frame], mean, atol=1e-5)
        np.testing.assert_array_equal(chosen["most likely"][frame], poses[weights.argmax()])
        errors = [np.linalg.norm(p - test.targets[frame], axis=-1).mean() for p in poses]
        np.testing.assert_array_equal(chosen["oracle, best of 5"][frame], poses[np.argmin(errors)])
    np.testing.assert_allclose(chosen["most likely"], predict(network, test), atol=1e-5)


def test_hypotheses_of_a_network_that_has_none_are_refused(study_data):
    network = build_network("lcn", channels=4, blocks=0)
    test = study_data.samples("test", Selection())

    with pytest.raises(ModelError, match=r"LocallyConnected .* has no hypotheses: train"):
        lift_hypotheses(network, test)
    assert lift(network, test).shape == (len(test), 16, 3)


def model(**changes):
    return {"method": "mixture", "decouple_self": False} | changes


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"model": model()}, 'mixture is trained with loss = "likelihood", and no other'),
        ({"loss": "likelihood"}, 'mixture is trained with loss = "likelihood", and no other'),
        ({"model": {"method": "mixture"}}, "mixture has no decoupled variant"),
        ({"model": model(sigma=True)}, "or 17 canonical ones, and has spreads: write joints = 16"),
        ({"model": model(inputs="canonical")}, "mixture takes 16 or 17 joints on the screen, or"),
        ({"model": model(joints=28)}, "mixture takes 16 or 17 joints on the screen, or 17 can"),
        ({"model": model(non_local="grouped")}, "mixture has no non-local layers"),
        ({"model": model(learnt_mask=True)}, "mixture has no mask: leave learnt_mask out"),
    ],
)
def test_each_mistake_in_a_configuration_is_named(table, message):
    with pytest.raises(ConfigError, match=message):
        parse_table(TrainConfig, table, "run.toml")
