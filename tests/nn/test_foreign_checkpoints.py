"""Other people's checkpoints: the same arithmetic, nothing left over silently."""

import io
import pickletools
from collections import OrderedDict

import numpy as np
import pytest
import torch
from helpers import foreign_networks as theirs
from helpers.foreign_files import imported, saved, tensors

from graphlift.errors import CheckpointError
from graphlift.training.foreign import import_checkpoint, read_foreign

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

    network, _ = imported(tmp_path / "model.safetensors")
    around = {k: v for k, v in layout.items() if k in ("non_local", "attribute")}
    expected = theirs.run(state, conv, x, blocks=2, **around)
    with torch.inference_mode():
        answer = network.double()(torch.from_numpy(x)).numpy()
        single = network.float()(torch.from_numpy(x).float()).numpy()
    size = max(1, np.abs(expected).max())
    np.testing.assert_allclose(answer / size, expected / size, atol=1e-6)  # stored as floats
    np.testing.assert_allclose(single / size, expected / size, atol=1e-5)


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
