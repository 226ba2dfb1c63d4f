"""Dropout by few random numbers: shares, independence, parts of a batch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphlift.nn.dropout import Dropout, kept
from graphlift.nn.whole_batch import Part

SHAPE = (16, 64, 33)
COUNT = 16 * 64 * 33


def drawn(keep=0.9, shape=SHAPE, seed=0):
    torch.manual_seed(seed)
    return kept(torch.empty(shape), keep, None)


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.05])
def test_a_share_is_kept_and_features_are_independent(keep):
    ones = drawn(keep).numpy().astype(float)

    assert set(np.unique(ones)) == {0.0, 1.0}
    sd = np.sqrt(keep * (1 - keep))
    assert abs(ones.mean() - keep) < 4 * sd / np.sqrt(COUNT)
    flat = (ones.ravel() - keep) / sd
    for lag in (1, 2, 3, 4, 33, 64 * 33):  # four features come of one draw
        assert abs((flat[lag:] * flat[:-lag]).mean()) < 4 / np.sqrt(COUNT - lag), lag


@pytest.mark.parametrize("drop", [0.1, 0.25, 0.5])
def test_features_are_16_bits_of_a_draw_against_the_share(drop):
    torch.manual_seed(3)
    draws = torch.empty(-(-COUNT // 4), dtype=torch.int64).random_(-(2**63), None).numpy()
    bits = np.stack([draws >> shift & 0xFFFF for shift in (0, 16, 32, 48)], axis=1).ravel()
    signed = np.where(bits < 2**15, bits, bits - 2**16)

    expected = (signed + 2**15 >= round(drop * 2**16))[:COUNT].reshape(SHAPE)

    np.testing.assert_array_equal(drawn(1 - drop, seed=3).numpy(), expected)


@pytest.mark.parametrize("keep", [1e-5, 1e-9])
def test_nearly_all_are_dropped_where_a_share_is_not_met(keep):
    assert 0 <= drawn(keep).mean() < 10 / 2**16


def test_the_mean_stays_and_gradients_pass_where_features_do():
    torch.manual_seed(0)
    x = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)

    y = Dropout(0.25)(x)
    y.sum().backward()

    assert set(y.detach().unique().tolist()) == {0.0, 1 / 0.75}
    assert abs(float(y.detach().mean()) - 1) < 4 * np.sqrt(0.25 / 0.75 / COUNT)
    torch.testing.assert_close(x.grad, y.detach())


def test_nothing_is_dropped_or_drawn_beside_training_or_without_a_share():
    x = torch.randn(4, 3, 2)
    before = torch.get_rng_state()

    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), before)


@given(
    ranks=st.integers(1, 4),
    samples=st.integers(0, 9),
    axis=st.sampled_from([0, 1]),
    each=st.sampled_from([1, 3]),
)
def test_processes_drop_what_one_would(ranks, samples, axis, each):
    def ones(part, rows):
        torch.manual_seed(7)
        shape = (rows * each, 5) if axis == 0 else (5, rows * each)
        return kept(torch.empty(shape), 0.6, part, axis=axis, each=each), torch.get_rng_state()

    whole, state = ones(None, samples)
    parts = [Part(rank, ranks, samples) for rank in range(ranks)]
    found = [ones(part, part.rows.stop - part.rows.start) for part in parts]

    assert torch.equal(torch.cat([each for each, _ in found], dim=axis), whole)
    assert all(torch.equal(after, state) for _, after in found)
