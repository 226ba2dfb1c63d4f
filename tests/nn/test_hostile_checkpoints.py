"""Other people's checkpoints that are damaged or hold code: refused, nothing run."""

import argparse
import os
import pickle
import zipfile

import pytest
import torch
from helpers.foreign_files import saved
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import CheckpointError
from graphlift.training.foreign import read_foreign


class Code:
    """A pickle that runs a command when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("old", [False, True])
def test_code_is_refused_by_name_and_not_run(tmp_path, state, old):
    path = saved(
        tmp_path / "x.pth",
        state | {"x": Code(tmp_path / "ran")},
        _use_new_zipfile_serialization=not old,
    )

    with pytest.raises(CheckpointError, match=r"x\.pth: holds pickled code: it asks for posix\.s"):
        read_foreign(path)
    assert not (tmp_path / "ran").exists()


def test_settings_of_a_run_are_refused_with_a_way_to_save_again(tmp_path, state):
    whole = {"state_dict": state, "args": argparse.Namespace(hid_dim=128)}
    torch.save(whole, tmp_path / "x.pth.tar")

    with pytest.raises(CheckpointError, match=r"argparse\.Namespace.*torch\.save\(torch\.load"):
        read_foreign(tmp_path / "x.pth.tar")


@pytest.mark.parametrize("protocol", [0, 4])
def test_code_by_another_opcode_is_refused(tmp_path, state, protocol):
    torch.save({"state_dict": state}, tmp_path / "x.pth")
    body = pickle.dumps(Code(tmp_path / "ran"), protocol=protocol)
    (tmp_path / "y.pth").write_bytes(body)
    with zipfile.ZipFile(tmp_path / "z.pth", "w") as archive:
        archive.writestr("z/data.pkl", body)

    for name in ("y.pth", "z.pth"):
        with pytest.raises(CheckpointError, match="holds pickled code"):
            read_foreign(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_a_whole_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")

    with pytest.raises(CheckpointError, match=r"asks for torch\.nn\.modules\.linear\.Linear"):
        read_foreign(tmp_path / "x.pth")


def test_a_file_that_is_too_large_is_refused_unread(semgcn):
    with pytest.raises(CheckpointError, match=r"takes 0\.00 GB, more than the 0\.00 GB"):
        read_foreign(semgcn, max_bytes=1000)


def archive(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, (data, packed) in members.items():
            file.writestr(f"x/{name}.pkl", data, zipfile.ZIP_DEFLATED if packed else None)


def test_archives_that_are_no_checkpoints_are_named(tmp_path):
    plain = pickle.dumps({}, protocol=2)
    for members, fault in [
        ({"data": (plain, True)}, "is compressed"),
        ({"other": (plain, False)}, r"with 0 data\.pkl.*it holds x/other\.pkl"),
        ({"data": (plain, False), "constants": (plain, False)}, "is a TorchScript program"),
    ]:
        archive(tmp_path / "x.pth", **members)
        with pytest.raises(CheckpointError, match=rf"x\.pth: .*{fault}"):
            read_foreign(tmp_path / "x.pth")


def test_a_pickle_without_end_is_refused(tmp_path):
    body = b"\x80\x02" + b"(0" * 120_000 + b"N."
    archive(tmp_path / "x.pth", data=(body, False))

    with pytest.raises(CheckpointError, match="more than 200,000 steps"):
        read_foreign(tmp_path / "x.pth")


def test_tensors_larger_than_their_file_are_refused(tmp_path):
    torch.save({"gconv": torch.zeros(1).expand(10**12)}, tmp_path / "x.pth")

    with pytest.raises(CheckpointError, match=r"claim 4,000,000,000,000 bytes, and the file has"):
        read_foreign(tmp_path / "x.pth")


@pytest.mark.parametrize("count", [50, 1 << 20, 1 << 30])
def test_a_storage_larger_than_its_record_is_refused(tmp_path, count):
    torch.save({"gconv": torch.zeros(49)}, tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "x.pth") as file:
        members = {name: file.read(name) for name in file.namelist()}
    assert members["x/data.pkl"].count(b"K1") == 2  # 49, of the storage and of the tensor
    lie = members["x/data.pkl"].replace(b"K1", b"J" + count.to_bytes(4, "little"))
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as file:
        for name, data in (members | {"x/data.pkl": lie}).items():
            file.writestr(name, data)

    with pytest.raises(CheckpointError, match=r"x\.pth: (gconv claims a st|not a check)"):
        read_foreign(tmp_path / "x.pth")


def test_what_is_no_state_dict_is_told_by_what_it_has(tmp_path, state):
    path = tmp_path / "x.pth"
    name = "gconv_input.0.gconv.W"
    for whole, fault in [
        ([1, 2], "holds no state dict, neither as a whole nor under 'state_dict'"),
        ({}, "holds no state dict"),
        ({"state_dict": 3, "epoch": 1}, "it has 'state_dict', 'epoch'"),
        ({3: torch.zeros(2)}, "it has 3"),
        ({"model": state, "epoch": 1}, "its state dict has model, epoch, which are no tensors"),
        (state | {name: torch.full((2, 2, 6), torch.nan)}, f"{name} is not finite"),
        (state | {name: torch.zeros(2, 2, 6, dtype=torch.complex64)}, "asks for torch.Complex"),
        (state | {name: torch.zeros(2, 2, 6, dtype=torch.int32)}, f"{name} is a .* of torch.int3"),
    ]:
        torch.save(whole, path)
        with pytest.raises(CheckpointError, match=rf"x\.pth: .*{fault}"):
            read_foreign(path)


def test_cut_empty_and_foreign_files_are_named(tmp_path, semgcn, state):
    old = saved(tmp_path / "old.pth", state, _use_new_zipfile_serialization=False).read_bytes()
    whole = semgcn.read_bytes()
    path = tmp_path / "x.pth"
    for data in (b"", b"P", b"hello, world\n" * 99, whole[:-30], whole[: len(whole) // 2],
                 old[:-5], old[:300], old[:-5] + b"\x00"):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"x\.pth: not a checkpoint of torch"):
            read_foreign(path)
    with pytest.raises(FileNotFoundError):
        read_foreign(tmp_path / "none.pth")
    with pytest.raises(IsADirectoryError):
        read_foreign(tmp_path)


@pytest.fixture(scope="module")
def small_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    tensor = {"gconv": torch.arange(6.0)}
    torch.save(tensor, folder / "new.pth")
    torch.save(tensor, folder / "old.pth", _use_new_zipfile_serialization=False)
    return folder


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["new.pth", "old.pth"]), st.floats(0, 1, exclude_max=True),
       st.integers(1, 255))  # fmt: skip
def test_a_changed_byte_is_refused_or_harmless(small_files, name, where, change):
    data = bytearray((small_files / name).read_bytes())
    data[int(where * len(data))] ^= change
    path = small_files / "changed.pth"
    path.write_bytes(bytes(data))

    try:
        found = read_foreign(path).tensors
    except CheckpointError as error:
        assert str(path) in str(error)  # noqa: PT017  # either outcome is right
    else:
        assert all(torch.isfinite(tensor).all() for tensor in found.values())
