import json
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest
from helpers.readback import CAMERA, moving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphlift.cameras import Camera
from graphlift.errors import FormatError, ShapeError
from graphlift.formats import archive, read_poses, write_poses
from graphlift.sequences import Keypoints, Poses
from graphlift.skeletons import COCO_17, H36M_17, Skeleton


def full(rng):
    """Poses with every field set to something."""
    poses = moving(frames=4, people=("Ada", "Bö"))
    positions = poses.positions.astype(np.float32)
    positions[2, 1] = np.nan
    confidence = rng.random((4, 2, 17))
    return replace(
        poses,
        positions=positions,
        seen=rng.random((4, 2, 17)) < 0.7,
        sigma=rng.random((4, 2, 17)).astype(np.float32),
        fps=30000 / 1001,
        keypoints=Keypoints(
            positions=rng.normal(size=(4, 2, 17, 2)) * 500,
            confidence=confidence,
            skeleton=COCO_17,
            image_size=(1920, 1080),
            fps=30000 / 1001,
            people=("Ada", "Bö"),
            source="a folder",
        ),
        camera=CAMERA,
        model="open-pre-agg",
        notes=("Gaps were filled.", "Größe: 1.70 m."),
    )


def assert_same(one, other, where="poses"):
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        np.testing.assert_array_equal(one, other, err_msg=where)
    elif isinstance(one, Poses | Keypoints | Camera):
        for field in fields(one):
            mine, theirs = getattr(one, field.name), getattr(other, field.name)
            assert_same(mine, theirs, f"{where}.{field.name}")
    else:
        assert one == other, where


def test_every_field_comes_back_as_it_was(tmp_path, rng):
    poses = full(rng)

    write_poses(tmp_path / "x.npz", poses)

    assert_same(poses, read_poses(tmp_path / "x.npz"))


def test_what_is_unknown_stays_unknown(tmp_path):
    own = Skeleton("own", ("a", "b"), (1, -1), "b")
    poses = Poses(np.zeros((1, 1, 2, 3)), own)

    write_poses(tmp_path / "x.npz", poses)

    back = read_poses(str(tmp_path / "x.npz"))
    assert_same(poses, back)
    assert (back.fps, back.keypoints, back.camera) == (None, None, None)


def test_anybody_can_read_the_positions(tmp_path):
    poses = moving(frames=3)
    write_poses(tmp_path / "x.npz", poses)

    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["poses"], poses.positions)
        about = json.loads(str(file["about"]))
    assert (about["units"], about["axes"], about["fps"]) == ("m", "world", 30.0)
    assert tuple(about["skeleton"]["joints"]) == H36M_17.joints


def test_nothing_is_compressed(tmp_path):
    write_poses(tmp_path / "x.npz", moving(frames=3))

    with zipfile.ZipFile(tmp_path / "x.npz") as file:
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}


def changed(path, **arrays):
    with np.load(path) as file:
        own = dict(file)
    about = json.loads(str(own["about"]))
    for name, value in arrays.items():
        if name in own:
            own[name] = value
        else:
            about[name] = value
    own["about"] = arrays.get("about", np.array(json.dumps(about)))
    np.savez(path, **{name: array for name, array in own.items() if array is not None})


SKELETON = {"name": "s", "joints": ["a"] * 17, "parents": [-1] * 17, "centre": "a"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poses": None}, "poses"),
        ({"poses": np.zeros((4, 2, 17, 2))}, r"positions \(4, 2, 17, 2\) should be"),
        ({"poses": np.zeros((4, 2, 17, 3), int)}, "poses is of int64"),
        ({"seen": np.zeros((4, 2, 17))}, "seen is .*not of booleans"),
        ({"sigma": np.zeros(3)}, r"sigma \(3,\) should be"),
        ({"keypoints": np.zeros((3, 2, 17, 2))}, "confidence"),
        ({"camera_R": np.zeros((2, 2))}, "no camera's"),
        ({"about": np.array("{")}, "JSONDecodeError"),
        ({"about": np.array("[" * 100_000)}, "nested more than 64 deep"),
        ({"about": np.array("[]")}, "no .npz of poses"),
        ({"about": np.array(7)}, "about is not text"),
        ({"about": None}, "about"),
        ({"format": "other"}, "its format is 'other', not 'graphlift-poses-1'"),
        ({"axes": "sideways"}, "axes 'sideways'"),
        ({"units": "feet"}, "units 'feet'"),
        ({"fps": -3}, "fps is -3"),
        ({"fps": "fast"}, "fps is 'fast'"),
        ({"people": "ab"}, "str where a list"),
        ({"people": ["one"]}, "should be"),
        ({"skeleton": SKELETON}, "joint names repeat"),
        ({"skeleton": 3}, "TypeError"),
        ({"camera": {"focal": [1]}}, "no .npz of poses"),
    ],
    ids=str,
)
def test_a_changed_file_is_refused_by_name(change, message, tmp_path, rng):
    path = tmp_path / "x.npz"
    write_poses(path, full(rng))
    changed(path, **change)

    with pytest.raises(FormatError, match=message) as refusal:
        read_poses(path)

    assert str(refusal.value).startswith(f"{path}: ")
    assert "write it again" in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", b"\x89PNG" * 100])
def test_what_is_no_archive_is_refused(content, tmp_path):
    (tmp_path / "x.npz").write_bytes(content)

    with pytest.raises(FormatError, match=r"x\.npz: cannot be read as an \.npz"):
        read_poses(tmp_path / "x.npz")


def test_pickles_are_never_opened(tmp_path):
    np.savez(tmp_path / "x.npz", poses=np.array([{"a": 1}], dtype=object))

    with pytest.raises(FormatError, match="poses holds Python objects"):
        read_poses(tmp_path / "x.npz")


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 1_000_000)
    np.savez_compressed(tmp_path / "x.npz", poses=np.zeros(1_000_000))

    with pytest.raises(FormatError, match=r"unpacks to 8,000,\d+ bytes, more than 1,000,000"):
        read_poses(tmp_path / "x.npz")


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    write_poses(path, full(np.random.default_rng(0)))
    return path.read_bytes()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_file_is_refused_or_read_and_never_crashes(tmp_path_factory, content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])

    try:
        poses = read_poses(path)
    except FormatError:
        return
    assert poses.positions.shape == (4, 2, 17, 3)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_joint_is_refused_by_name_and_place(tmp_path, rng, value):
    poses = full(rng)
    positions = poses.positions.copy()
    positions[1, 1, 4, 2] = value
    with pytest.raises(ShapeError, match=r"frame 1, person Bö, LHip"):
        replace(poses, positions=positions)

    write_poses(tmp_path / "poses.npz", poses)
    changed(tmp_path / "poses.npz", poses=positions)
    with pytest.raises(FormatError, match=r"poses\.npz.*frame 1, person Bö, LHip"):
        read_poses(tmp_path / "poses.npz")
