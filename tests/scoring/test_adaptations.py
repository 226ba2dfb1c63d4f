"""Adaptations of predictions to the truth they are scored against, worked out by hand."""

import numpy as np
import pytest
from helpers.scored_poses import people

from graphlift.errors import ConfigError
from graphlift.protocols import PROTOCOLS
from graphlift.scoring import score_poses
from graphlift.skeletons import MPI_INF_3DHP_17

H36M = PROTOCOLS["h36m-17"]
OFFICIAL = PROTOCOLS["3dhp-14"]


def test_hips_are_moved_a_fifth_of_the_way_to_the_neck():
    # Neck 0.5 m above the pelvis, y up here: pelvis and hips of a prediction go up by 0.1 m.
    target = np.zeros((1, 17, 3))
    at = {name: joint for joint, name in enumerate(MPI_INF_3DHP_17.joints)}
    target[0, at["Neck"], 1] = 0.5
    predicted = target.copy()
    predicted[0, [at["Hip"], at["LHip"], at["RHip"]], 1] -= 0.125  # a fifth of what is then 0.625

    plain = score_poses(predicted, target, OFFICIAL)
    shifted = score_poses(predicted, target, OFFICIAL, adaptations=["hip-shift"])

    # Rooted at a pelvis that is too low, everything but the hips is 12.5 cm too high.
    assert plain.overall.mpjpe_mm == pytest.approx(125 * 12 / 14)
    assert shifted.overall.mpjpe_mm == pytest.approx(0, abs=1e-9)
    assert "adaptations: hip-shift" in shifted.describe()
    assert "adaptations: none" in plain.describe()


def test_the_shift_of_the_hips_takes_the_spine_along():
    from graphlift.protocols.adaptations import shift_hips

    poses = np.zeros((1, 17, 3))
    neck, pelvis, spine = MPI_INF_3DHP_17.index("Neck", "Hip", "Spine")
    poses[0, neck] = [0.0, 1.0, 0.0]

    shifted = shift_hips(poses, MPI_INF_3DHP_17)

    assert shifted[0, pelvis, 1] == pytest.approx(0.2)
    assert shifted[0, spine, 1] == pytest.approx(0.6)
    assert not poses[0, pelvis].any()  # the input is as it was


def test_bones_are_scaled_to_the_truths_total():
    _, target = people(4)
    rooted = target - target[:, [14]]
    stretched = rooted * np.array([0.5, 2.0, 3.0, 1.0])[:, None, None]

    plain = score_poses(stretched, target, OFFICIAL).overall
    matched = score_poses(stretched, target, OFFICIAL, adaptations=["bone-length"]).overall

    assert plain.mpjpe_mm > 100
    assert matched.mpjpe_mm == pytest.approx(0, abs=1e-9)


def test_a_bone_without_one_of_its_ends_is_in_neither_total():
    from graphlift.protocols.adaptations import match_bone_length

    _, target = people(1)
    predicted = 2 * target
    predicted[0, 4] = np.nan
    present = np.isfinite(predicted[..., 0])

    matched = match_bone_length(predicted, target, MPI_INF_3DHP_17, present)

    np.testing.assert_allclose(matched[0, present[0]], target[0, present[0]])


def test_what_went_into_a_network_changes_no_score_but_is_said():
    predicted, target = people(4)

    declared = score_poses(predicted, target, OFFICIAL, adaptations=["own-width"])

    assert declared.overall == score_poses(predicted, target, OFFICIAL).overall
    assert declared.as_json()["adaptations"] == ["own-width"]
    assert "adaptations: own-width" in declared.describe()


def test_an_adaptation_that_a_protocol_does_not_know_is_refused():
    with pytest.raises(
        ConfigError, match="h36m-17 has no adaptation 'hip-shift': it has root-in-place"
    ):
        score_poses(*people(2), H36M, adaptations=["hip-shift"])
    with pytest.raises(ConfigError, match="it has hip-shift, bone-length, own-width"):
        score_poses(*people(2), OFFICIAL, adaptations=["flip"])
