"""A network of another code, and its checkpoint."""

import pytest
from helpers import foreign_networks as theirs
from helpers.foreign_files import saved, tensors


@pytest.fixture
def state(rng):
    return tensors(theirs.weights(theirs.semgcn, rng))


@pytest.fixture
def semgcn(tmp_path, state):
    return saved(tmp_path / "ckpt_semgcn.pth.tar", state)
