"""Checkpoints: what was written is read back, or refused by what is wrong with it."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from graphlift.errors import CheckpointError
from graphlift.nn.build import build_network
from graphlift.training.checkpoints import load_weights, read_checkpoint, write_checkpoint


def test_checkpoints_refuse_damage_and_other_networks(tmp_path):
    path = tmp_path / "model.safetensors"
    network = build_network("full-sharing", channels=4, blocks=0)
    write_checkpoint(path, network.state_dict(), {"step": 3})
    tensors, record = read_checkpoint(path)
    assert record == {"step": 3}

    wider = build_network("full-sharing", channels=5, blocks=0)
    with pytest.raises(CheckpointError, match=r"another network: .* is \(1, 2, 4\).*\(1, 2, 5\)"):
        load_weights(wider, tensors, path)
    with pytest.raises(CheckpointError, match="another network: it lacks blocks"):
        load_weights(build_network("full-sharing", channels=4, blocks=1), tensors, path)

    whole = path.read_bytes()
    for damaged in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[: len(whole) // 2], b"", b"x" * 40):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"model\.safetensors: .*(damaged|cut short)"):
            read_checkpoint(path)


@pytest.mark.parametrize("change", [("seed", 2), ("step", 4), ("added", None)])
def test_a_record_that_was_changed_is_refused(tmp_path, change):
    path = tmp_path / "model.safetensors"
    record = {"step": 3, "config": {"seed": 1, "model": {"channels": 4}}, "curve": [0.1, 1e-9]}
    write_checkpoint(path, {"w": torch.ones(2)}, record)
    tensors, told = read_checkpoint(path)
    assert told == record
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])
    written = json.loads(header["__metadata__"]["graphlift"])
    (written["config"] if change[0] == "seed" else written)[change[0]] = change[1]

    path.write_bytes(save(tensors, metadata={"graphlift": json.dumps(written)}))

    with pytest.raises(CheckpointError, match=r"damaged: .*; take another"):
        read_checkpoint(path, way_out="take another")


def test_the_order_of_a_record_does_not_matter(tmp_path):
    one, other = {"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}
    cards = []
    for record in (one, other):
        write_checkpoint(tmp_path / "x.safetensors", {"w": torch.ones(2)}, record)
        with safe_open(tmp_path / "x.safetensors", "pt") as file:
            cards.append(json.loads(file.metadata()["graphlift"])["sha256"])

    assert cards[0] == cards[1]
