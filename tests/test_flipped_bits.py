"""Files of which one bit is another, or the end is missing: refused by name, or read the same."""

import random
from dataclasses import astuple

import numpy as np
import pytest
from formats.test_archive import full
from helpers.tiny_pack import small
from helpers.tiny_packs import write_h36m

from graphlift.datasets.mocap.pack import read_pack, write_pack
from graphlift.errors import FormatError, GraphliftError
from graphlift.formats import read_keypoints, read_poses, write_keypoints, write_poses
from graphlift.lifting import Lifter
from graphlift.model_files import check_seal
from graphlift.samples.licensed import read_packs
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17

FLIPS, CUTS = 150, 20


def said(value):
    """All that was read, as something to compare: NaN is NaN, and types count."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: said(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(said, value)]
    return value.tobytes() if hasattr(value, "tobytes") else value


def seen():
    rng = np.random.default_rng(0)
    places, confidence = rng.uniform(0, 500, (4, 2, 17, 2)), rng.uniform(0.3, 1, (4, 2, 17))
    return keypoints_from(places, COCO_17, confidence=confidence, image_size=(640, 480), fps=30.0)


def poses(folder):
    write_poses(folder / "a.npz", full(np.random.default_rng(0)))
    return folder / "a.npz", lambda path: repr(said(astuple(read_poses(path))))


def keypoints(folder):
    write_keypoints(folder / "a.npz", seen())
    return folder / "a.npz", lambda path: repr(said(astuple(read_keypoints(path))))


def mocap(folder):
    write_pack(folder / "a.npz", small("train", people=1, poses=40))
    return folder / "a.npz", lambda path: read_pack(path).digest


def index(folder):
    write_h36m(folder / "h36m", frames=2)
    return folder / "h36m" / "index.json", pack_of


def positions(folder):
    return index(folder)[0].with_name("positions.npy"), pack_of


def detections(folder):
    return index(folder)[0].with_name("keypoints-gt.npy"), pack_of


def pack_of(path):
    pack = read_packs(str(path.parent)).pack
    arrays = (pack.positions, pack.keypoints["gt"], pack.valid)
    return pack.digest, [each.tobytes() for each in arrays], pack.index


def model(folder):
    pytest.importorskip("onnx")
    pytest.importorskip("torch")
    from helpers.made_lifter import export_28

    def lifted(path):
        lifter = Lifter.load(path, threads=1)
        return lifter.card.to_json(), lifter(seen()).positions.tobytes()

    return export_28(folder / "a.onnx"), lifted


def checkpoint(folder):
    torch = pytest.importorskip("torch")
    from graphlift.training.checkpoints import read_checkpoint, write_checkpoint

    def read(path):
        tensors, record = read_checkpoint(path)
        return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, record

    record = {"step": 3, "config": {"seed": 1}, "curve": [0.1, 1e-9]}
    write_checkpoint(folder / "a.safetensors", {"w": torch.randn(5, 7)}, record)
    return folder / "a.safetensors", read


KINDS = [poses, keypoints, mocap, index, positions, detections, model, checkpoint]


@pytest.mark.parametrize("make", KINDS)
def test_a_bit_that_flipped_is_found_or_does_not_matter(make, tmp_path):
    path, read = make(tmp_path)
    whole, before, rng = path.read_bytes(), read(path), random.Random(0)

    refusals = []
    for _ in range(FLIPS):
        at = rng.randrange(len(whole))
        changed = bytearray(whole)
        changed[at] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            after = read(path)
        except GraphliftError as error:
            refusals.append(str(error))
        else:
            assert after == before, f"byte {at}"

    assert len(refusals) > FLIPS / 2
    assert all(str(path.parent) in refusal for refusal in refusals)


@pytest.mark.parametrize("make", KINDS)
def test_a_file_that_is_cut_short_is_refused_by_name(make, tmp_path):
    path, read = make(tmp_path)
    whole, rng = path.read_bytes(), random.Random(1)

    for length in [0, 1, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(CUTS))]:
        path.write_bytes(whole[:length])
        with pytest.raises(GraphliftError) as refusal:
            read(path)
        assert str(path.parent) in str(refusal.value)


def test_a_member_whose_comment_swallows_the_next_ones_is_refused(tmp_path):
    path, _ = keypoints(tmp_path)
    whole = bytearray(path.read_bytes())
    entry = whole.index(b"PK\x01\x02")  # of the directory: its 33rd byte counts the comment's
    whole[entry + 32] = 100
    path.write_bytes(whole)

    with pytest.raises(FormatError, match=r"a\.npz.*damaged"):
        read_keypoints(path)


def test_a_seal_is_of_the_whole_file_and_an_earlier_file_has_none(tmp_path):
    path, _ = model(tmp_path)
    content = path.read_bytes()

    check_seal(content, "a.onnx")
    with pytest.raises(FormatError, match=r"a\.onnx: damaged"):
        check_seal(content + b"\0", "a.onnx")
    for shipped in ("open-base", "open-small"):
        Lifter.load(shipped)
