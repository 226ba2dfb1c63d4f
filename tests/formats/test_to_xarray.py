from dataclasses import replace

import numpy as np
import pytest
from helpers.readback import moving

from graphlift.formats.to_xarray import to_xarray
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17, H36M_17


def test_dimensions_are_those_of_movement():
    poses = moving(frames=5, people=("Ada", "Bo"))

    data = to_xarray(poses)

    assert data["position"].dims == ("time", "space", "keypoints", "individuals")
    for name in ("confidence", "sigma", "seen"):
        assert data[name].dims == ("time", "keypoints", "individuals")
    assert data.sizes == {"time": 5, "space": 3, "keypoints": 17, "individuals": 2}
    assert list(data["space"].values) == ["x", "y", "z"]
    assert list(data["keypoints"].values) == list(H36M_17.joints)
    np.testing.assert_allclose(data["time"], np.arange(5) / 30)
    wrist = data["position"].sel(keypoints="LWrist", individuals="Bo")
    expected = poses.positions[:, 1, H36M_17.index("LWrist")[0]]
    np.testing.assert_array_equal(wrist, expected)
    height = data["position"].sel(keypoints="Hip", space="z", individuals="Ada")
    np.testing.assert_array_equal(height, poses.positions[:, 0, 0, 2])


def test_attributes_are_those_of_movement_and_say_what_it_is():
    data = to_xarray(moving(frames=2).noting("Done."))

    assert data.attrs["fps"] == 30.0
    assert data.attrs["time_unit"] == "seconds"
    assert data.attrs["source_software"] == "graphlift"
    assert data.attrs["ds_type"] == "poses"
    assert (data.attrs["space_unit"], data.attrs["axes"]) == ("m", "world")
    assert data.attrs["notes"] == "Done."


def test_without_a_frame_rate_time_is_in_frames():
    data = to_xarray(replace(moving(frames=3), fps=None))

    assert data.attrs["time_unit"] == "frames"
    assert "fps" not in data.attrs
    assert list(data["time"].values) == [0, 1, 2]


def test_confidence_is_the_keypoints_or_else_whether_a_joint_was_seen(rng):
    poses = moving(frames=3)
    seen = rng.random((3, 1, 17)) < 0.5
    confidence = rng.uniform(0.1, 1, (3, 1, 17))
    keypoints = keypoints_from(np.ones((3, 1, 17, 2)), COCO_17, confidence=confidence)

    plain = to_xarray(replace(poses, seen=seen))["confidence"]
    lifted = to_xarray(replace(poses, keypoints=keypoints))["confidence"]

    np.testing.assert_array_equal(plain.values[:, :, 0], seen[:, 0])
    knee, left, right = COCO_17.index("LKnee", "LHip", "RHip")
    np.testing.assert_allclose(
        lifted.sel(keypoints="LKnee", individuals="0"), confidence[:, 0, knee]
    )
    np.testing.assert_allclose(
        lifted.sel(keypoints="Hip", individuals="0"),
        (confidence[:, 0, left] + confidence[:, 0, right]) / 2,
    )


@pytest.mark.parametrize("rooted", [True, False])
def test_it_can_go_into_netcdf(rooted, tmp_path):
    import xarray

    data = to_xarray(replace(moving(frames=2), rooted=rooted))

    data.to_netcdf(tmp_path / "x.nc", engine="scipy")

    with xarray.open_dataset(tmp_path / "x.nc", engine="scipy") as back:
        assert back.attrs["ds_type"] == "poses"
        np.testing.assert_array_equal(back["position"], data["position"])
