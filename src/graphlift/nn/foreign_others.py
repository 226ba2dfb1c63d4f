"""State dicts of networks with an architecture of their own, mapped to ours that compute the same.

- ``high-order``: W is a matrix for each hop, e_1 to e_3 are our affinities. What its code keeps
  and never uses is left out: e_0, and of two biases one a layer.
- ``graformer``: linears are q, k, v and the map back of attention, A_hat the learnt graph. How
  many heads there are is in no tensor: four, its code's default, are assumed.
- ``martinez``: Martinez et al.'s network as SemGCN's code trains it. It gives 15 joints; the hip,
  which is the origin, is ours with weights of zero.
- ``htnet``: W is (itself, others), M is our modulation, adj2 what is learnt of the affinity; conv1
  and conv2 join the features of a limb's joints.

Source: parameter names and arithmetic as in the repositories ZhimingZo/HGCN,
Graformer/GraFormer (zhaoweixi/GraFormer), garyzhao/SemGCN (main_linear.py) and vefalun/HTNet.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from graphlift.errors import CheckpointError
from graphlift.graph import walks
from graphlift.networks import htnet_widths
from graphlift.nn.foreign import BODIES, Mapped, check_shapes
from graphlift.nn.graformer import HEADS
from graphlift.nn.htnet import HEADS as LIMB_HEADS
from graphlift.words import listed

Other = Literal["high-order", "graformer", "martinez", "htnet"]
Shapes = dict[str, tuple[int, ...]]


def map_other(
    tensors: Mapping[str, Tensor], family: Other, where: str, *, joints: int | None = None
) -> Mapped:
    """Find the network that a state dict belongs to, and its weights by our names and order.

    Args:
        tensors: Their state dict, without the prefix of a parallel run.
        family: Whose code wrote them.
        where: What to call them in messages.
        joints: What the user says; the tensors show it.

    Raises:
        CheckpointError: If a name is missing or unknown, or a shape differs; the message lists
            them.
    """
    first, of_joints, each, numbered = _SIGNS[family]
    if not all(name in tensors and tensors[name].ndim for name in (first, of_joints)):
        raise CheckpointError(
            f"{where}: has no {first} and {of_joints}, as the code of {family} writes them, but "
            f"{listed(sorted(tensors), longest=60)}: choose --kind by whose code made it"
        )
    channels, body = tensors[first].shape[-1], tensors[of_joints].shape[-1] // each
    known = _BODIES.get(family, tuple(BODIES))
    if body not in known or joints not in (None, body):
        raise CheckpointError(
            f"{where}: is of {body} joints: only Human3.6M's {' and '.join(map(str, known))} are "
            "known, and --joints is not needed"
        )
    heads = {"graformer": HEADS, "htnet": LIMB_HEADS}.get(family, 1)
    if channels % heads:
        raise CheckpointError(
            f"{where}: has {channels} channels, which {heads} heads do not share: it is a variant "
            "that is not read (docs/checkpoints.md)"
        )
    if family == "martinez":
        _check_without_hip(tensors, body, where)
    blocks = _count(tensors, numbered)
    shapes_of, turn = _READ[family]
    check_shapes(tensors, shapes_of(channels, body, blocks), where)
    turned = turn(tensors, blocks)
    model: dict[str, Any] = {"method": family, "decouple_self": False, "joints": body}
    return Mapped(
        model | {"channels": channels, "blocks": blocks},
        {name: tensor.contiguous() for name, tensor in turned.items()},
        _LEFT_OUT[family],
    )


_SIGNS: Mapping[Other, tuple[str, str, int, str]] = {
    "high-order": ("gconv_input.0.gconv.W", "gconv_input.0.gconv.e_0", 1, "gconv_layers"),
    "graformer": ("gconv_input.weight", "atten_layers.0.feed_forward.A_hat", 1, "gconv_layers"),
    "martinez": ("batch_norm1.weight", "w1.weight", 2, "linear_stages"),
    "htnet": (
        "Hiremixer.blocks.0.lgc.norm_gcn1.weight",
        "Hiremixer.blocks.0.lgc.gcn1.adj2",
        1,
        "Hiremixer.blocks",
    ),
}
"""A tensor whose last axis is the width; one with as many numbers a joint, and how many, on its
last axis; and what the blocks are called, whose number follows."""
_BODIES: Mapping[Other, tuple[int, ...]] = {"martinez": (16,), "htnet": (17,)}
"""Joints of a family that does not know both bodies."""
_LEFT_OUT: Mapping[Other, tuple[str, ...]] = {
    "high-order": (
        "in each layer e_0, whose softmax is 1 whatever it is",
        "in each layer one of two biases, which its code does not use",
    ),
    "graformer": (),
    "martinez": (),
    "htnet": (),
}


def _count(tensors: Mapping[str, Tensor], name: str) -> int:
    found = (re.match(rf"{re.escape(name)}\.(\d{{1,4}})\.", each) for each in tensors)
    return max((int(match[1]) for match in found if match), default=-1) + 1


def _layers(blocks: int) -> Iterable[tuple[str, str]]:
    """Names of the layers of blocks, theirs and ours."""
    for block in range(blocks):
        for half in (0, 1):
            yield f"gconv_layers.{block}.gconv{half + 1}", f"blocks.{block}.{half}"


# High-order GCN

_NORM = ("weight", "bias", "running_mean", "running_var")
_COUNTED = "num_batches_tracked"


def _high_order_shapes(channels: int, joints: int, blocks: int) -> Shapes:
    edges = [int(walks(BODIES[joints], bones).sum()) for bones in range(4)]
    inside = 4 * channels

    def conv(name: str, before: int, after: int) -> Shapes:
        affinities: Shapes = {f"{name}.e_{hop}": (1, edges[hop]) for hop in range(4)}
        biases: Shapes = {f"{name}.bias": (4 * after,), f"{name}.bias_2": (after,)}
        return {f"{name}.W": (4, before, after)} | affinities | biases

    shapes = conv("gconv_input.0.gconv", 2, channels) | conv("gconv_output", inside, 3)
    for theirs, _ in _layers(blocks):
        shapes |= conv(f"{theirs}.gconv", inside, channels)
    for theirs in ("gconv_input.0", *(theirs for theirs, _ in _layers(blocks))):
        shapes |= {f"{theirs}.bn.{part}": (inside,) for part in _NORM}
        shapes[f"{theirs}.bn.{_COUNTED}"] = ()
    return shapes


def _high_order(tensors: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    def conv(theirs: str, ours: str, bias: str) -> dict[str, Tensor]:
        near = torch.cat([tensors[f"{theirs}.e_{hop}"].flatten() for hop in (1, 2, 3)])
        return {
            f"{ours}.weight": tensors[f"{theirs}.W"],
            f"{ours}.affinity": near,
            f"{ours}.bias": tensors[f"{theirs}.{bias}"],
        }

    found = conv("gconv_output", "output", "bias_2")
    for theirs, ours in (("gconv_input.0", "input"), *_layers(blocks)):
        found |= conv(f"{theirs}.gconv", f"{ours}.conv", "bias")
        for part in (*_NORM, _COUNTED):
            found[f"{ours}.norm.{part}"] = tensors[f"{theirs}.bn.{part}"]
    return found


# GraFormer

_LINEAR = {
    "attention.back": "self_attn.linears.3",
    "widen": "feed_forward.gconv1.fc",
    "narrow": "feed_forward.gconv2.fc",
}
"""Linear maps of a block but q, k and v: ours, theirs."""
_MIXED = tuple(f"self_attn.linears.{part}" for part in range(3))
_NORMS = {"before_attention": "sublayer.0.norm", "before_graph": "sublayer.1.norm"}


def _graformer_shapes(channels: int, joints: int, blocks: int) -> Shapes:
    C = channels
    convs = [("gconv_input", 2, C), ("gconv_output", C, 3)]
    convs += [(f"{theirs}.gconv", C, C) for theirs, _ in _layers(blocks)]
    widths = dict.fromkeys((*_MIXED, *_LINEAR.values()), (C, C))
    widths |= {_LINEAR["widen"]: (2 * C, C), _LINEAR["narrow"]: (C, 2 * C)}
    shapes: Shapes = {}
    for name, before, after in convs:
        shapes |= {f"{name}.weight": (3, 1, before, after), f"{name}.bias": (1, 1, after)}
    for block in range(blocks):
        at = f"atten_layers.{block}"
        shapes[f"{at}.feed_forward.A_hat"] = (joints, joints)
        for name, shape in widths.items():
            shapes |= {f"{at}.{name}.weight": shape, f"{at}.{name}.bias": shape[:1]}
        for name in _NORMS.values():
            shapes |= {f"{at}.{name}.a_2": (C,), f"{at}.{name}.b_2": (C,)}
    return shapes


def _graformer(tensors: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    found = {}
    layers = [(f"{theirs}.gconv", f"{ours}.0") for theirs, ours in _layers(blocks)]
    for theirs, ours in (("gconv_input", "input"), ("gconv_output", "output"), *layers):
        found[f"{ours}.weight"] = tensors[f"{theirs}.weight"][:, 0]
        found[f"{ours}.bias"] = tensors[f"{theirs}.bias"].flatten()
    for block in range(blocks):
        at, here = f"atten_layers.{block}", f"attend.{block}"
        found[f"{here}.graph"] = tensors[f"{at}.feed_forward.A_hat"]
        for part in ("weight", "bias"):
            mixed = torch.stack([tensors[f"{at}.{name}.{part}"] for name in _MIXED])
            by_head = mixed.view(3, HEADS, -1, *mixed.shape[2:]).transpose(0, 1)
            found[f"{here}.attention.mix.{part}"] = by_head.flatten(0, 2)
            for ours, theirs in _LINEAR.items():
                found[f"{here}.{ours}.{part}"] = tensors[f"{at}.{theirs}.{part}"]
        for ours, theirs in _NORMS.items():
            found[f"{here}.{ours}.gain"] = tensors[f"{at}.{theirs}.a_2"]
            found[f"{here}.{ours}.shift"] = tensors[f"{at}.{theirs}.b_2"]
    return found


# Martinez et al.


def _check_without_hip(tensors: Mapping[str, Tensor], joints: int, where: str) -> None:
    """Refuse the same network of other codes, which differs in nothing but its output's length.

    Raises:
        CheckpointError: If it gives as many joints as it takes.
    """
    given = tensors["w2.weight"].shape[:1] if "w2.weight" in tensors else ()
    if given == (3 * joints,):
        raise CheckpointError(
            f"{where}: gives {joints} joints, and that of SemGCN's code {joints - 1}, all but the "
            "hip: it is of 3d_pose_baseline_pytorch or of SemGCN's first release, whose joints "
            "or units are others: not read (docs/checkpoints.md)"
        )


def _dense_layers(blocks: int) -> Iterable[tuple[str, str, str]]:
    """Names of all hidden layers: their linear map and normalisation, and ours."""
    yield "w1", "batch_norm1", "input"
    for block in range(blocks):
        for half in (0, 1):
            at = f"linear_stages.{block}"
            yield f"{at}.w{half + 1}", f"{at}.batch_norm{half + 1}", f"blocks.{block}.{half}"


def _martinez_shapes(channels: int, joints: int, blocks: int) -> Shapes:
    shapes: Shapes = {"w2.weight": (3 * joints - 3, channels), "w2.bias": (3 * joints - 3,)}
    for linear, norm, ours in _dense_layers(blocks):
        before = 2 * joints if ours == "input" else channels
        shapes |= {f"{linear}.weight": (channels, before), f"{linear}.bias": (channels,)}
        shapes |= {f"{norm}.{part}": (channels,) for part in _NORM}
        shapes[f"{norm}.{_COUNTED}"] = ()
    return shapes


def _martinez(tensors: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    found = {}
    for part in ("weight", "bias"):
        others = tensors[f"w2.{part}"]
        found[f"output.{part}"] = torch.cat([torch.zeros_like(others[:3]), others])
    for linear, norm, ours in _dense_layers(blocks):
        for part in ("weight", "bias"):
            found[f"{ours}.linear.{part}"] = tensors[f"{linear}.{part}"]
        for part in (*_NORM, _COUNTED):
            found[f"{ours}.norm.{part}"] = tensors[f"{norm}.{part}"]
    return found


# HTNet


def _lines(at: str, ours: str) -> dict[str, tuple[str, bool]]:
    """Linear maps and normalisations of a block: ours, theirs, and whether it is a map."""
    found = {f"{ours}.joints.{n}": (f"{at}.lgc.norm_gcn{k}", False) for n, k in ((0, 1), (4, 2))}
    found[f"{ours}.body.0"] = f"{at}.gbi.norm_attn", False
    found[f"{ours}.body.1.back"] = f"{at}.gbi.attn.proj", True
    fulls = [(f"{ours}.full", f"{at}.norm_mlp", f"{at}.mlp")]
    for n in (1, 2):
        limbs, of = f"{ours}.limbs.{n - 1}", f"{at}.ipc"
        found[f"{limbs}.norm"] = f"{of}.norm_conv{n}", False
        fulls.append((f"{limbs}.full", f"{of}.norm_conv{n}_mlp", f"{of}.mlp_down_{n}"))
    for full, norm, mlp in fulls:
        found |= {f"{full}.0": (norm, False), f"{full}.1": (f"{mlp}.fc1", True)}
        found[f"{full}.4"] = f"{mlp}.fc2", True
    return found


def _htnet_shapes(channels: int, joints: int, blocks: int) -> Shapes:
    C, (between, full) = channels, htnet_widths(channels)
    shapes: Shapes = {"pos_embed": (1, joints, 3 * C)}

    def line(name: str, before: int, after: int, *, kernel: tuple[int, ...] = ()) -> Shapes:
        return {f"{name}.weight": (after, before, *kernel), f"{name}.bias": (after,)}

    for block in range(blocks):
        at = f"Hiremixer.blocks.{block}"
        for name, before, after in (("gcn1", C, between), ("gcn2", between, C)):
            conv = f"{at}.lgc.{name}"
            shapes |= {f"{conv}.W": (2, before, after), f"{conv}.M": (joints, after)}
            shapes |= {f"{conv}.adj2": (joints, joints), f"{conv}.bias": (after,)}
        for name, is_map in _lines(at, "").values():
            wide = 3 * C if ".norm_mlp" in name or ".mlp." in name else C
            if not is_map:
                shapes |= {f"{name}.weight": (wide,), f"{name}.bias": (wide,)}
            elif name.endswith("proj"):
                shapes |= line(name, C, C)
            else:
                first = name.endswith("fc1")
                shapes |= line(name, *((wide, full) if first else (full, wide)))
        shapes |= line(f"{at}.ipc.conv1", C, C, kernel=(3,))
        shapes |= line(f"{at}.ipc.conv2", C, C, kernel=(2,))
        shapes |= line(f"{at}.gbi.attn.qkv", C, 3 * C)
    shapes |= line("patch_embed", 2, 3 * C) | line("fcn", 3 * C, 3)
    ends = "Hiremixer.Temporal_norm"
    return shapes | {f"{ends}.weight": (3 * C,), f"{ends}.bias": (3 * C,)}


def _htnet(tensors: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    found = {"position": tensors["pos_embed"][0]}
    lines = {"input": "patch_embed", "output": "fcn", "norm": "Hiremixer.Temporal_norm"}
    for block in range(blocks):
        at, here = f"Hiremixer.blocks.{block}", f"blocks.{block}"
        lines |= {ours: theirs for ours, (theirs, _) in _lines(at, here).items()}
        for name, ours in (("gcn1", f"{here}.joints.1"), ("gcn2", f"{here}.joints.3")):
            conv = f"{at}.lgc.{name}"
            found[f"{ours}.weight"] = tensors[f"{conv}.W"].flip(0)  # ours has others first
            found[f"{ours}.modulation"] = tensors[f"{conv}.M"]
            found[f"{ours}.affinity"] = tensors[f"{conv}.adj2"]
            found[f"{ours}.bias"] = tensors[f"{conv}.bias"]
        for n in (1, 2):
            conv, join = f"{at}.ipc.conv{n}", f"{here}.limbs.{n - 1}.join"
            found[f"{join}.weight"] = tensors[f"{conv}.weight"].transpose(1, 2).flatten(1)
            found[f"{join}.bias"] = tensors[f"{conv}.bias"]
        for part in ("weight", "bias"):
            mixed = tensors[f"{at}.gbi.attn.qkv.{part}"]
            by_head = mixed.view(3, LIMB_HEADS, -1, *mixed.shape[1:]).transpose(0, 1)
            found[f"{here}.body.1.mix.{part}"] = by_head.flatten(0, 2)
    for ours, theirs in lines.items():
        for part in ("weight", "bias"):
            found[f"{ours}.{part}"] = tensors[f"{theirs}.{part}"]
    return found


_READ: Mapping[
    Other,
    tuple[
        Callable[[int, int, int], Shapes],
        Callable[[Mapping[str, Tensor], int], dict[str, Tensor]],
    ],
] = {
    "high-order": (_high_order_shapes, _high_order),
    "graformer": (_graformer_shapes, _graformer),
    "martinez": (_martinez_shapes, _martinez),
    "htnet": (_htnet_shapes, _htnet),
}
"""Shapes of a file by width, joints and blocks, and its tensors by our names."""
