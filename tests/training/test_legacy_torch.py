"""Checkpoints that Python 2 wrote: the values that went in come out, and nothing is run."""

import io
import pickle
import pickletools

import numpy as np
import pytest
import torch
from helpers import foreign_networks as theirs
from helpers import python2_torch as python2
from hypothesis import given
from hypothesis import strategies as st

from graphlift.errors import CheckpointError
from graphlift.nn.build import build_network
from graphlift.training.checkpoints import load_weights, read_checkpoint
from graphlift.training.foreign import import_checkpoint, read_foreign
from graphlift.training.legacy_torch import respell


@pytest.fixture
def state(rng):
    weights = theirs.weights(theirs.semgcn, rng)
    return {n: torch.from_numpy(np.asarray(a)).to(torch.float32 if a.ndim else torch.int64)
            for n, a in weights.items()}  # fmt: skip


def opcodes(data, pickles=5):
    """Names and arguments of all opcodes before the storages."""
    file = io.BytesIO(data)
    return [(op.name, argument) for _ in range(pickles) for op, argument, _ in
            pickletools.genops(file)]  # fmt: skip


def test_the_example_of_the_docs_reads_what_semgcns_code_wrote(tmp_path, state, rng):
    """The network computes what NumPy does with the weights that were written."""
    path = python2.save(tmp_path / "ckpt_semgcn.pth.tar", state, epoch=50, lr=5e-4, error=42.14)
    names = {name for name, _ in opcodes(path.read_bytes())}
    assert {"INT", "SHORT_BINSTRING"} <= names
    assert "BINUNICODE" not in names

    import_checkpoint(path, "semgcn", tmp_path / "model.safetensors")

    found, story = read_checkpoint(tmp_path / "model.safetensors")
    network = build_network(**story["config"]["model"])
    load_weights(network, found, path)
    x = rng.normal(size=(4, 16, 2))
    arrays = {name: tensor.numpy().astype(float) for name, tensor in state.items()}
    expected = theirs.run(arrays, theirs.semgcn, x, blocks=2)
    with torch.inference_mode():
        answer = network.eval()(torch.from_numpy(x).float()).numpy()
    size = max(1, np.abs(expected).max())
    np.testing.assert_allclose(answer / size, expected / size, atol=1e-5)  # single precision
    assert story["source"]["said"] == {"epoch": 50, "lr": 5e-4, "error": 42.14}


def test_a_long_text_and_a_huge_number_do_not_stop_the_reader(tmp_path, state):
    path = python2.save(tmp_path / "x.pth", state, note="x" * 300, step=2**40, seed=2**70)
    assert "BINSTRING" in {name for name, _ in opcodes(path.read_bytes())}

    found = read_foreign(path)

    assert found.tensors.keys() == state.keys()
    assert all(torch.equal(found.tensors[name], state[name]) for name in state)
    assert found.numbers == {"step": 2**40}


numbers = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.booleans())


@given(st.lists(numbers, max_size=6), st.booleans())
def test_numbers_keep_their_values(values, text):
    """Python's own reader gives the same numbers before and after."""
    written = b"".join(
        (b"L%dL\n" if text and not isinstance(v, bool) else b"I%d\n") % v
        if not isinstance(v, bool) else b"I01\n" if v else b"I00\n"
        for v in values
    )  # fmt: skip
    body = b"\x80\x02(" + written + b"l."
    rest = pickle.dumps(None, protocol=2) * 4 + b"the storages"

    plain = respell(io.BytesIO(body + rest)).read()

    before, after = pickle.loads(body), pickle.loads(plain)
    assert after == before == values
    assert [type(v) for v in after] == [type(v) for v in values]
    assert plain.endswith(rest)
    assert not {"INT", "LONG"} & {name for name, _ in opcodes(plain)}


def test_a_file_without_such_opcodes_is_not_copied(tmp_path, state):
    torch.save(state, tmp_path / "x.pth", _use_new_zipfile_serialization=False)

    with (tmp_path / "x.pth").open("rb") as file:
        file.seek(7)
        assert respell(file) is file
        assert file.tell() == 0


def test_code_is_refused_before_anything_is_spelt_again(tmp_path, state):
    path = python2.save(tmp_path / "x.pth", state)
    data = path.read_bytes().replace(b"ccollections\nOrderedDict\n", b"cposix\nsystem\n", 1)
    path.write_bytes(data)

    with pytest.raises(CheckpointError, match=r"x\.pth: holds pickled code: it asks for posix\.s"):
        read_foreign(path)


@pytest.mark.parametrize("number", [b"I12x\n", b"I" + b"9" * 700 + b"\n", b"I" + b"9" * 9_000])
def test_numbers_that_are_none_or_far_too_large_are_named_with_the_file(tmp_path, state, number):
    path = python2.save(tmp_path / "x.pth", state)
    data = path.read_bytes()
    at = data.index(b"I140")
    path.write_bytes(data[:at] + number + data[data.index(b"\n", at) + 1 :])

    with pytest.raises(CheckpointError, match=r"x\.pth: not a checkpoint of torch"):
        read_foreign(path)


def test_an_opcode_that_torch_does_not_read_is_named_and_not_called_damage(tmp_path):
    parts = [python2.dump(part) for part in (python2.MAGIC, python2.VERSION, {})]
    body = b"\x80\x02}U\x01aG?\xf0\x00\x00\x00\x00\x00\x0020s."  # DUP, POP
    (tmp_path / "x.pth").write_bytes(b"".join([*parts, body, python2.dump([])]))

    with pytest.raises(CheckpointError, match=r"x\.pth: its pickle has the opcode DUP.*NEW"):
        read_foreign(tmp_path / "x.pth")
