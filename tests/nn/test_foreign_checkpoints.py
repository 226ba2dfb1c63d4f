"""Other people's checkpoints: the same arithmetic, nothing run, nothing left over silently."""

import argparse
import hashlib
import io
import json
import os
import pickle
import pickletools
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from helpers import foreign_networks as theirs
from helpers.command import assert_refused, here
from helpers.tiny_packs import write_h36m
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import CheckpointError
from graphlift.nn.build import build_network
from graphlift.samples import Selection
from graphlift.samples.data_sets import read_data
from graphlift.samples.open_data import read_open_data
from graphlift.training.checkpoints import load_weights, read_checkpoint
from graphlift.training.foreign import import_checkpoint, read_foreign


def tensors(state, dtype=torch.float32):
    return OrderedDict(
        (name, torch.from_numpy(np.asarray(array)).to(dtype if array.ndim else torch.int64))
        for name, array in state.items()
    )


def saved(path, state, **options):
    """As save_ckpt of the published codes does it."""
    whole = {"epoch": 50, "lr": 5e-4, "step": 9, "state_dict": state, "error": 42.14}
    torch.save(whole | {"optimizer": {"state": {}, "param_groups": []}}, path, **options)
    return path


def ours(path):
    """The imported network."""
    found, story = read_checkpoint(path)
    network = build_network(**story["config"]["model"])
    load_weights(network, found, path)
    return network.eval(), story


CASES = {
    "semgcn": ("semgcn", theirs.semgcn, {}, {}),
    "semgcn-17": ("semgcn", theirs.semgcn, {"joints": 17}, {}),
    "semgcn-nonlocal": (
        "semgcn", theirs.semgcn, {"non_local": "grouped", "attribute": "nonlocal"}, {}
    ),
    "liu": ("liu", theirs.liu_pre, {"joints": 17}, {}),
    "liu-16": ("liu", theirs.liu_pre, {}, {"sharing": "pre-aggregation"}),
    "liu-post": ("liu", theirs.liu_post, {}, {"sharing": "post-aggregation"}),
    "liu-nonlocal": (
        "liu", theirs.liu_pre, {"non_local": "grouped", "attribute": "nonlocal"}, {}
    ),
    "vanilla": ("any-gcn", theirs.any_vanilla, {}, {"joints": 16}),
    "dc_vanilla": ("any-gcn", theirs.any_dc_vanilla, {"joints": 17}, {"joints": 17}),
    "dc_vanilla-nonlocal": (
        "any-gcn", theirs.any_dc_vanilla, {"non_local": "grouped"}, {"joints": 16}
    ),
    "preagg": ("any-gcn", theirs.any_pre, {}, {}),
    "dc_preagg": ("any-gcn", theirs.any_dc_pre, {}, {"sharing": "pre-aggregation"}),
    "dc_postagg": ("any-gcn", theirs.any_dc_post, {}, {"sharing": "post-aggregation"}),
    "convst": ("any-gcn", theirs.any_convst, {}, {"joints": 16}),
    "nosharing": ("any-gcn", theirs.any_nosharing, {"channels": 4}, {}),
    "any-semantic": ("any-gcn", theirs.semgcn, {}, {}),
    "any-modulated": ("any-gcn", theirs.any_modulated, {}, {}),
    "modulated": ("modulated", theirs.modulated_gcn, {}, {}),
    "modulated-cpn": (
        "modulated", theirs.modulated_gcn, {"joints": 17, "non_local": "embedded"}, {}
    ),
    "modulated-nonlocal": ("modulated", theirs.modulated_gcn, {"non_local": "grouped"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_imported_network_computes_what_the_original_does(case, tmp_path, rng):
    family, conv, layout, options = CASES[case]
    state = theirs.weights(conv, rng, **layout)
    source = saved(tmp_path / "ckpt_best.pth.tar", tensors(state))
    x = rng.normal(size=(4, layout.get("joints", 16), 2))

    import_checkpoint(source, family, tmp_path / "model.safetensors", **options)

    network, _ = ours(tmp_path / "model.safetensors")
    around = {k: v for k, v in layout.items() if k in ("non_local", "attribute")}
    expected = theirs.run(state, conv, x, blocks=2, **around)
    with torch.inference_mode():
        answer = network.double()(torch.from_numpy(x)).numpy()
        single = network.float()(torch.from_numpy(x).float()).numpy()
    size = max(1, np.abs(expected).max())
    np.testing.assert_allclose(answer / size, expected / size, atol=1e-6)  # stored as floats
    np.testing.assert_allclose(single / size, expected / size, atol=1e-5)


@pytest.fixture
def state(rng):
    return tensors(theirs.weights(theirs.semgcn, rng))


@pytest.fixture
def semgcn(tmp_path, state):
    return saved(tmp_path / "ckpt_semgcn.pth.tar", state)


# The way in


def assert_same(found, state):
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(found[name], tensor.float() if tensor.is_floating_point() else tensor)


def test_every_way_of_saving_is_read(tmp_path, state):
    parallel = OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())
    paths = [tmp_path / f"{n}.pth" for n in range(4)]
    saved(paths[0], state)
    saved(paths[1], parallel, _use_new_zipfile_serialization=False)  # torch before 1.6
    torch.save(state, paths[2])  # the state dict itself
    torch.save({"state_dict": {n: torch.nn.Parameter(t, t.ndim > 0) for n, t in parallel.items()
                               if t.ndim}}, paths[3])  # fmt: skip

    for path in paths[:3]:
        assert_same(read_foreign(path).tensors, state)
    assert_same(read_foreign(paths[3]).tensors, {n: t for n, t in state.items() if t.ndim})
    assert read_foreign(paths[0]).numbers == {"epoch": 50, "lr": 5e-4, "step": 9, "error": 42.14}
    assert read_foreign(paths[2]).numbers == {}


def test_a_file_of_python_2_is_read(tmp_path, state):
    """SemGCN ran under Python 2.7, whose pickles hold their strings as bytes."""
    modern = io.BytesIO()
    saved(modern, state, _use_new_zipfile_serialization=False)
    modern.seek(0)
    old = b""
    for _ in range(5):
        ops = [(op, argument, at) for op, argument, at in pickletools.genops(modern)]
        ends = [at for _, _, at in ops[1:]] + [modern.tell()]
        raw = modern.getvalue()
        for (op, argument, at), end in zip(ops, ends, strict=True):
            text = argument.encode() if op.name == "BINUNICODE" else b""
            old += b"U" + bytes([len(text)]) + text if text else raw[at:end]
    old += modern.read()
    (tmp_path / "old.pth.tar").write_bytes(old)

    assert b"U\x0astate_dict" in old
    assert_same(read_foreign(tmp_path / "old.pth.tar").tensors, state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_single(tmp_path, state, dtype):
    given = {n: t.to(dtype) if t.is_floating_point() else t for n, t in state.items()}

    assert_same(read_foreign(saved(tmp_path / "x.pth", given)).tensors, given)


# Hostile and damaged files


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


# Names and shapes


def assert_not_imported(path, family, message, **options):
    out = path.with_name("out.safetensors")
    with pytest.raises(CheckpointError, match=rf"{path.name}.*{message}"):
        import_checkpoint(path, family, out, **options)
    assert not out.exists()


def test_missing_and_unknown_names_are_listed(tmp_path, state):
    for change, message in [
        ({"gconv_input.0.gconv.T": torch.zeros(1)}, r"lacks none, and has gconv_input\.0\.g"),
        ({"gconv_layers.7.gconv1.bn.bias": torch.zeros(1)}, r"lacks gconv_layers\.2\..*\.\.\."),
        ({"gconv_output.bias": None}, r"lacks gconv_output\.bias, and has none besides"),
        ({"post_refine.0.weight": torch.zeros(2)}, r"has post_refine\.0\.weight besides"),
        ({"gconv_output.W": torch.zeros(2, 6, 4)},
         r"gconv_output\.W is \(2, 6, 4\) and not \(2, 6, 3\)"),
        ({"gconv_input.0.gconv.e": torch.zeros(6, 46)},  # channel-wise SemGCN
         r"gconv_input\.0\.gconv\.e is \(6, 46\) and not \(1, 46\)"),
        ({"gconv_input.0.gconv.W": None}, r"has no gconv_input\.0\.gconv\.W of three axes"),
        ({"gconv_input.0.gconv.W": torch.zeros(())}, r"has no gconv_input\.0\.gconv\.W of three"),
        ({"gconv_input.0.gconv.e": torch.zeros(())}, r"is of 0 joints|how many joints"),
    ]:  # fmt: skip
        changed = {n: t for n, t in (state | change).items() if t is not None}
        assert_not_imported(saved(tmp_path / "x.pth", changed), "semgcn", message)


def test_the_wrong_family_is_told_by_what_the_first_layer_has(tmp_path, rng):
    def file(conv, **layout):
        return saved(tmp_path / "x.pth", tensors(theirs.weights(conv, rng, **layout)))

    assert_not_imported(
        file(theirs.semgcn), "liu",
        r"W \(2, 2, 6\), bias \(6,\), e \(1, 46\), and liu's has .*: choose --kind",
    )  # fmt: skip
    assert_not_imported(file(theirs.semgcn), "modulated", r"modulated has|modulated's has")
    assert_not_imported(file(theirs.modulated_gcn), "semgcn", r"semgcn's has")
    assert_not_imported(file(theirs.liu_pre), "semgcn", r"semgcn's has")
    assert_not_imported(file(theirs.any_dc_vanilla), "semgcn", r"semgcn's has", joints=16)
    odd = theirs.weights(theirs.any_vanilla, rng)
    odd["gconv_input.0.gconv.W"] = np.zeros((5, 2, 6))
    path = saved(tmp_path / "x.pth", tensors(odd))
    assert_not_imported(path, "any-gcn", r"any-gcn's has", joints=16)


def test_what_a_file_leaves_open_must_be_said(tmp_path, rng):
    def file(conv, **layout):
        return saved(tmp_path / "x.pth", tensors(theirs.weights(conv, rng, **layout)))

    open_sharing = file(theirs.any_dc_pre)
    assert_not_imported(open_sharing, "any-gcn", "--sharing pre-aggregation or post-agg")
    open_joints = file(theirs.any_convst)
    assert_not_imported(open_joints, "any-gcn", "--joints 16 .* or --joints 17")
    assert_not_imported(open_joints, "any-gcn", "is of 18 joints: only", joints=18)
    told = file(theirs.semgcn)
    assert_not_imported(told, "semgcn", "is of 16 joints: drop --joints", joints=17)
    assert_not_imported(told, "semgcn", "drop --sharing", sharing="pre-aggregation")


def test_non_local_layers_that_cannot_be_told_are_refused(tmp_path, rng):
    def file(conv, **layout):
        return saved(tmp_path / "x.pth", tensors(theirs.weights(conv, rng, **layout)))

    assert_not_imported(
        file(theirs.semgcn, joints=17, non_local="grouped"), "semgcn", "over 17 joints"
    )
    assert_not_imported(
        file(theirs.semgcn, non_local="embedded"), "semgcn", "only Modulated GCN has"
    )
    both = theirs.weights(theirs.modulated_gcn, rng, non_local="grouped")
    both |= theirs.weights(theirs.modulated_gcn, rng, non_local="embedded")
    assert_not_imported(
        saved(tmp_path / "x.pth", tensors(both)), "modulated", "non-local layers of both kinds"
    )


def test_matrices_that_no_joint_uses_are_counted_and_told(tmp_path, rng):
    state = theirs.weights(theirs.any_nosharing, rng, channels=2, blocks=0)
    path = saved(tmp_path / "x.pth", tensors(state))

    story = import_checkpoint(path, "any-gcn", tmp_path / "m.safetensors")

    assert story["source"]["left_out"] == [
        "in each layer 210 of 256 matrices, whose joints share no bone"
    ]


# The verb


def test_an_imported_network_is_evaluated_as_ours_are(tmp_path, pack, rng):
    state = theirs.weights(theirs.modulated_gcn, rng)
    source, model = tmp_path / "best.pth.tar", tmp_path / "model.safetensors"
    saved(source, tensors(state))

    status, out, err = here("model", "import", source, "--kind", "modulated", "-o", model)

    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == str(model)
    told = json.loads(out.splitlines()[1].removeprefix("source: "))
    assert told == {
        "file": "best.pth.tar",
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "kind": "modulated",
        "said": {"epoch": 50, "lr": 5e-4, "step": 9, "error": 42.14},
        "left_out": [],
    }
    network, story = ours(model)
    assert (story["curve"], story["source"]) == ([], told)
    assert story["config"]["model"]["method"] == "modulated"

    said = here("evaluate", model, "--data", pack, "--json")

    assert (said.status, said.err) == (0, "")
    result = json.loads(said.out)
    data = read_open_data(str(pack))
    for split, key in (("test", "mpjpe_mm"), ("validation", "validation_mpjpe_mm")):
        frames = data.samples(split, Selection())
        poses = theirs.run(state, theirs.modulated_gcn, frames.inputs.astype(float), blocks=2)
        poses -= poses[:, :1]
        errors = np.linalg.norm(poses - frames.targets, axis=-1).mean(axis=1) * 1000
        actions = [errors[frames.activity == name].mean() for name in np.unique(frames.activity)]
        assert result[key] == pytest.approx(np.mean(actions), rel=1e-4)
    assert (result["steps"], result["curve"], result["poses_per_second"]) == (0, [], 0)
    assert result["parameters"] == sum(p.numel() for p in network.parameters())


def test_17_joints_are_not_evaluated_on_16(tmp_path, pack, rng):
    state = theirs.weights(theirs.modulated_gcn, rng, joints=17, non_local="embedded")
    source, model = saved(tmp_path / "x.pth", tensors(state)), tmp_path / "m.safetensors"
    assert here("model", "import", source, "--kind", "modulated", "-o", model).status == 0

    said = here("evaluate", model, "--data", pack)

    assert_refused(said, "model.joints", "17 joints", "16")


@pytest.mark.parametrize("joints", [16, 17])
def test_an_imported_network_is_scored_by_the_published_protocol(tmp_path, rng, joints):
    around = {"non_local": "embedded" if joints == 17 else "none"}
    state = theirs.weights(theirs.modulated_gcn, rng, joints=joints, **around)
    source, model = saved(tmp_path / "x.pth", tensors(state)), tmp_path / "m.safetensors"
    assert here("model", "import", source, "--kind", "modulated", "-o", model).status == 0
    write_h36m(tmp_path / "h36m", frames=4)

    said = here("evaluate", model, "--data", tmp_path / "h36m", "--json")

    assert (said.status, said.err) == (0, "")
    result = json.loads(said.out)
    frames = read_data(str(tmp_path / "h36m")).samples("test", Selection(joints=joints))
    inputs = frames.inputs.astype(float)
    poses = theirs.run(state, theirs.modulated_gcn, inputs, blocks=2, **around)
    poses -= poses[:, :1]
    errors = np.linalg.norm(poses - frames.targets, axis=-1).mean(axis=1) * 1000
    actions = [errors[frames.activity == name].mean() for name in np.unique(frames.activity)]
    assert list(result["protocols"]) == [f"h36m-{joints}"]
    assert result["mpjpe_mm"] == pytest.approx(np.mean(actions), rel=1e-4)


def test_wrong_words_are_named_in_one_line(tmp_path, semgcn):
    out = tmp_path / "m.safetensors"
    for words, faults in [
        ((semgcn, "--kind", "hgcn", "-o", out), ("--kind", "'hgcn'", "'semgcn', 'liu'")),
        (
            (semgcn, "--kind", "liu", "-o", out, "--sharing", "none"),
            ("--sharing", "'none'", "pre-aggregation"),
        ),
        ((semgcn, "--kind", "semgcn", "-o", semgcn), (semgcn, "give the result another name")),
        ((tmp_path / "no.pth", "--kind", "liu", "-o", out), (tmp_path / "no.pth", "No such file")),
        ((tmp_path, "--kind", "liu", "-o", out), (tmp_path, "Is a directory")),
        ((semgcn, "--kind", "liu", "-o", out), (semgcn, "choose --kind")),
    ]:
        assert_refused(here("model", "import", *words), *faults)
    assert not out.exists()
