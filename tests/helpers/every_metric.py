"""The metrics of two sets of poses, to test what is true of all."""

import pytest

from graphlift.metrics import mpjpe, mpjve, n_mpjpe, p_mpjpe

METRICS = {"mpjpe": mpjpe, "p_mpjpe": p_mpjpe, "n_mpjpe": n_mpjpe, "mpjve": mpjve}
EVERY = pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
