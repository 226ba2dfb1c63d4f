"""Checkpoints of networks with an architecture of their own: the same arithmetic, or a reason."""

from itertools import permutations

import numpy as np
import pytest
import torch
from helpers import foreign_others as theirs
from helpers.foreign_files import imported, saved, tensors

from graphlift.errors import CheckpointError
from graphlift.training.foreign import import_checkpoint

KINDS = {
    "high-order": (theirs.high_order, theirs.high_order_weights),
    "graformer": (theirs.graformer, theirs.graformer_weights),
    "martinez": (theirs.martinez, theirs.martinez_weights),
    "htnet": (theirs.htnet, theirs.htnet_weights),
}
ONE_BODY = {"martinez": 16, "htnet": 17}
EACH = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize(
    ("kind", "joints"), [(k, n) for k in KINDS for n in (16, 17) if ONE_BODY.get(k, n) == n]
)
def test_the_imported_network_computes_what_the_original_does(kind, joints, tmp_path, rng):
    run, weights = KINDS[kind]
    state = weights(rng, joints=joints)
    source = saved(tmp_path / "ckpt_best.pth.tar", tensors(state))
    x = rng.normal(size=(3, joints, 2))

    story = import_checkpoint(source, kind, tmp_path / "model.safetensors")

    network, _ = imported(tmp_path / "model.safetensors")
    assert story["config"]["model"]["method"] == kind
    assert (story["config"]["model"]["joints"], story["config"]["model"]["blocks"]) == (joints, 2)
    assert bool(story["source"]["left_out"]) == (kind == "high-order")
    expected = run(state, x, 2)
    with torch.inference_mode():
        answer = network(torch.from_numpy(x).float()).numpy()
    size = max(1, np.abs(expected).max())
    np.testing.assert_allclose(answer / size, expected / size, atol=1e-5)


@EACH
def test_what_does_not_belong_is_listed(kind, tmp_path, rng):
    state = tensors(KINDS[kind][1](rng))
    endings = ("bn.weight", "a_2", "batch_norm2.weight", "norm_mlp.weight")
    norm = next(name for name in state if name.endswith(endings))
    out = tmp_path / "model.safetensors"
    for change, message in [
        ({"post_refine.weight": torch.zeros(2)}, r"has post_refine\.weight besides"),
        ({norm: None}, f"lacks {norm}"),
        ({norm: torch.zeros(3)}, rf"{norm} is \(3,\) and not"),
    ]:
        changed = {n: t for n, t in (state | change).items() if t is not None}
        with pytest.raises(CheckpointError, match=message):
            import_checkpoint(saved(tmp_path / "x.pth", changed), kind, out)
    assert not out.exists()


@pytest.mark.parametrize(("kind", "other"), [*permutations(KINDS, 2)])
def test_the_wrong_kind_is_told_by_what_it_lacks(kind, other, tmp_path, rng):
    path = saved(tmp_path / "x.pth", tensors(KINDS[kind][1](rng)))

    with pytest.raises(CheckpointError, match=rf"x\.pth: has no .*{other} writes.*choose --kind"):
        import_checkpoint(path, other, tmp_path / "model.safetensors")


def test_what_cannot_be_is_refused(tmp_path, rng):
    out = tmp_path / "model.safetensors"
    file = saved(tmp_path / "x.pth", tensors(theirs.graformer_weights(rng, channels=6)))
    with pytest.raises(CheckpointError, match="has 6 channels, which 4 heads do not share"):
        import_checkpoint(file, "graformer", out)
    sixteen = saved(tmp_path / "x.pth", tensors(theirs.htnet_weights(rng, joints=16)))
    with pytest.raises(CheckpointError, match=r"is of 16 joints: only Human3\.6M's 17 are known"):
        import_checkpoint(sixteen, "htnet", out)
    file = saved(tmp_path / "x.pth", tensors(theirs.high_order_weights(rng)))
    with pytest.raises(CheckpointError, match=r"is of 16 joints.*--joints is not needed"):
        import_checkpoint(file, "high-order", out, joints=17)
    with pytest.raises(CheckpointError, match="shares no weights by a method: drop --sharing"):
        import_checkpoint(file, "high-order", out, sharing="pre-aggregation")


def test_martinez_of_other_codes_or_as_another_kind_is_told(tmp_path, rng):
    """The same names and shapes but for the output: other joints, and standardised units."""
    out, state = tmp_path / "model.safetensors", theirs.martinez_weights(rng)
    whole = {"w2.weight": np.zeros((48, 8)), "w2.bias": np.zeros(48)}
    for file, kind, message in [
        (state | whole, "martinez", "gives 16 joints, and that of SemGCN's code 15"),
        (theirs.martinez_weights(rng, joints=17), "martinez", "is of 17 joints: only .* 16 are"),
        (state, "semgcn", "is Martinez et al.'s network: give --kind martinez"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            import_checkpoint(saved(tmp_path / "x.pth", tensors(file)), kind, out)
    assert not out.exists()


def test_the_hip_of_martinez_is_the_origin(tmp_path, rng):
    source = saved(tmp_path / "x.pth", tensors(theirs.martinez_weights(rng)))
    import_checkpoint(source, "martinez", tmp_path / "model.safetensors")

    network, story = imported(tmp_path / "model.safetensors")

    with torch.inference_mode():
        poses = network(torch.from_numpy(rng.normal(size=(4, 16, 2))).float())
    assert not poses[:, 0].any()
    assert poses[:, 1:].all()
    assert story["source"]["said"]["epoch"] == 50
