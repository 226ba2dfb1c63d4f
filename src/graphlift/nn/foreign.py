"""State dicts of other codes, mapped name by name to networks of ours that compute the same.

Four published codes, SemGCN and those that build on it, share one architecture and the names of
its parts. They differ in the graph convolution. All of them are read as
:class:`graphlift.nn.gcn.PoseGCN`:

- ``semgcn``: W is (itself, others); e, one number an edge, is our learnt affinity.
- ``liu``: the study's first authors. W is N matrices for joints themselves, then N for their
  messages; e as above.
- ``any-gcn``: affinities are not learnt but D⁻¹(A + I). No-sharing holds a matrix for every two
  joints, by sender and receiver, and its affinities are those of the other direction; convolution
  style measures from the root.
- ``modulated``: W is (itself, others); M is our modulation, adj2 what is learnt of the affinity.

Dropout follows ReLU in all of them and in ours; their second ReLU changes nothing.

Source: parameter names and arithmetic as in the repositories garyzhao/SemGCN,
RufusDing/3D-HPE-using-GCN, tamasino52/Any-GCN (its last commits) and ZhimingZo/Modulated-GCN. That
of the embedded non-local layer is Cai et al., ICCV 2019, whose code the last one states that it
extends; that file was not available to us.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import Tensor

from graphlift.errors import CheckpointError
from graphlift.graph import body_graph
from graphlift.skeletons import H36M_16, H36M_17
from graphlift.words import listed

Family = Literal["semgcn", "liu", "any-gcn", "modulated"]
FAMILIES: tuple[Family, ...] = get_args(Family)
BODIES = {16: H36M_16, 17: H36M_17}
_INPUT = "gconv_input.0.gconv"


@dataclass(frozen=True, eq=False)
class Mapped:
    """A network of ours with the weights of another code's network.

    Args:
        model: Keys of :class:`graphlift.training.config.ModelConfig`, those that matter.
        tensors: A whole state dict of the network they build.
        left_out: What the file holds and its own code never uses, in words.
    """

    model: dict[str, Any]
    tensors: dict[str, Tensor]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Piece:
    """One of their tensors: our name for it, its shape in their file, and how to convert it."""

    ours: str
    shape: tuple[int, ...]
    turn: Callable[[Tensor], Tensor] = lambda tensor: tensor


@dataclass(frozen=True)
class _Layer:
    """How one code writes its graph convolutions.

    ``stack`` is the leading shape of W; ``extra`` gives what there is beside W and bias, by the
    number of output channels.
    """

    model: dict[str, Any]
    stack: tuple[int, ...]
    turn: Callable[[Tensor], Tensor] = lambda tensor: tensor
    extra: Callable[[int], dict[str, _Piece]] = lambda _: {}
    left_out: tuple[str, ...] = ()

    def pieces(self, before: int, after: int) -> dict[str, _Piece]:
        return {
            "W": _Piece("weight", (*self.stack, before, after), self.turn),
            "bias": _Piece("bias", (after,)),
            **self.extra(after),  # no database, whose queries have a method extra  # nosec B610
        }


def map_state_dict(
    tensors: Mapping[str, Tensor],
    family: Family,
    where: str,
    *,
    sharing: str | None = None,
    joints: int | None = None,
) -> Mapped:
    """Find the network that a state dict belongs to, and its weights by our names and order.

    Args:
        tensors: Their state dict, without the prefix of a parallel run.
        family: Whose code wrote them.
        where: What to call them in messages.
        sharing: ``pre-aggregation`` or ``post-aggregation``, whose tensors look the same.
        joints: 16 or 17, where no tensor shows it.

    Raises:
        CheckpointError: If a name is missing or unknown, a shape differs, or the tensors do not
            determine the network; the message lists them.
    """
    theirs = {name.replace(".nonlocal.", ".non_local."): t for name, t in tensors.items()}
    first = {n.rpartition(".")[2]: t for n, t in theirs.items() if n.rpartition(".")[0] == _INPUT}
    if "linear_stages.0.w1.weight" in theirs:  # SemGCN's code trains it, too
        raise CheckpointError(f"{where}: is Martinez et al.'s network: give --kind martinez")
    if "W" not in first or first["W"].ndim < 3:
        raise CheckpointError(
            f"{where}: has no {_INPUT}.W of three axes, as all four codes write it, but "
            f"{listed(sorted(theirs), longest=60)}: give a checkpoint of {', '.join(FAMILIES)}"
        )
    layer = _layer(first, family, where, sharing, joints)
    grouped = any(name.startswith("gconv_input.1.") for name in theirs)
    embedded = any(name.startswith("non_local.") for name in theirs)
    _check_non_local(layer, grouped, embedded, family, where)
    numbers = [int(m[1]) for m in (re.match(r"gconv_layers\.(\d{1,4})\.", n) for n in theirs) if m]
    count = max(numbers, default=-1) + 1
    blocks = (count + 1) // 2 if grouped else count
    channels = first["W"].shape[-1]
    expected = _pieces(layer, channels, blocks, grouped, embedded)
    check_shapes(theirs, {name: piece.shape for name, piece in expected.items()}, where)
    non_local = "grouped" if grouped else "embedded" if embedded else "none"
    model = layer.model | {"channels": channels, "blocks": blocks, "non_local": non_local}
    if model["method"] == "full-sharing" and grouped and "affinity" not in model:
        model |= {"method": "semgcn", "decouple_self": False}  # as a run of ours names it
    turned = {p.ours: p.turn(theirs[name]).contiguous() for name, p in expected.items()}
    return Mapped(model, turned, layer.left_out)


# How each code writes a graph convolution


def _layer(
    first: Mapping[str, Tensor],
    family: Family,
    where: str,
    sharing: str | None,
    joints: int | None,
) -> _Layer:
    """Recognise from the first layer how all layers are stored."""
    W = first["W"]
    looks = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in sorted(first.items()))
    body = _joints(first, joints, f"{where}: its first layer ({looks})")
    slots = len(W)
    if sharing and family != "liu" and (W.ndim, slots) != (4, 2):
        raise CheckpointError(
            f"{where}: its first layer ({looks}) shows its method: drop --sharing"
        )
    if family == "modulated" and {"M", "adj2"} <= first.keys():
        return _modulated(body, "learnt")
    if family == "semgcn" and "e" in first and (W.ndim, slots) == (3, 2):
        return _semantic(body, "full-sharing", 1)
    if family == "liu" and "e" in first and (W.ndim, slots) == (3, 2 * body):
        return _semantic(body, sharing or "pre-aggregation", body)
    if family == "any-gcn":
        return _any_gcn(first, body, sharing, where, looks)
    raise _not_theirs(family, where, looks)


def _joints(first: Mapping[str, Tensor], joints: int | None, where: str) -> int:
    """Find how many joints there are: from a tensor, or else what the user states."""
    found = _joints_of_tensors(first)
    if found is not None and joints not in (None, found):
        raise CheckpointError(f"{where} is of {found} joints: drop --joints")
    body = found or joints
    if body is None:
        raise CheckpointError(
            f"{where} does not show how many joints it has: give --joints 16 (as for ground "
            "truth) or --joints 17 (as for CPN detections)"
        )
    if body not in BODIES:
        raise CheckpointError(f"{where} is of {body} joints: only Human3.6M's 16 and 17 are known")
    return body


_LOOKS = {
    "semgcn": "W (2, 2, channels) and e (1, edges)",
    "liu": "W (32 or 34, 2, channels) and e (1, edges): pre- or post-aggregation, decoupled",
    "any-gcn": "W of 1 to 3 matrices, of 1 or 2 a joint, or of one for every two joints",
    "modulated": "W (2, 2, channels), M (joints, channels) and adj2 (joints, joints)",
}


def _not_theirs(family: Family, where: str, looks: str) -> CheckpointError:
    others = "; ".join(f"{name} has {look}" for name, look in _LOOKS.items() if name != family)
    return CheckpointError(
        f"{where}: its first layer has {looks}, and {family}'s has {_LOOKS[family]}: choose "
        f"--kind by what it has ({others}), or it is a variant that is not read"
    )


def _joints_of_tensors(first: Mapping[str, Tensor]) -> int | None:
    """Find how many joints there are, if a tensor shows it."""
    if "M" in first:
        return len(first["M"])
    if "e" in first:  # one edge per joint, and two per bone, of which there is one fewer
        edges = first["e"].shape[-1] if first["e"].ndim else 0
        return (edges + 2) // 3
    return first["W"].shape[1] if first["W"].ndim == 4 else None


def _semantic(joints: int, sharing: str, each: int) -> _Layer:
    """A learnt softmax over neighbours; ``each`` matrices for self-connections, then for others.

    e has the order of our edges: by receiver, then by sender.
    """
    edges = body_graph(BODIES[joints]).target.size
    return _Layer(
        {"method": sharing, "decouple_self": True, "joints": joints},
        (2 * each,),
        lambda w: w.roll(each, 0),  # ours has others first
        lambda _: {"e": _Piece("affinity", (1, edges), lambda e: e.flatten())},
    )


def _modulated(joints: int, affinity: str) -> _Layer:
    return _Layer(
        {"method": "modulated", "decouple_self": False, "joints": joints, "affinity": affinity},
        (2,),
        lambda w: w.flip(0),
        lambda after: {
            "M": _Piece("modulation", (joints, after)),
            "adj2": _Piece("affinity", (joints, joints)),
        },
    )


def _any_gcn(
    first: Mapping[str, Tensor], joints: int, sharing: str | None, where: str, looks: str
) -> _Layer:
    W = first["W"]
    if "M" in first:
        return _modulated(joints, "row-normalised")
    if "e" in first and W.ndim == 3 and len(W) == 2:
        return _semantic(joints, "full-sharing", 1)
    fixed = {"affinity": "row-normalised", "joints": joints, "decouple_self": False}
    match W.ndim, len(W):
        case 3, 1:
            return _Layer(fixed | {"method": "full-sharing"}, (1,))
        case 3, 2:
            model = fixed | {"method": "full-sharing", "decouple_self": True}
            return _Layer(model, (2,), lambda w: w.flip(0))
        case 3, 3:
            return _Layer(fixed | {"method": "convolution-style", "centre": "root"}, (3,))
        case 4, 1:  # its post-aggregation of this shape cannot run
            model = fixed | {"method": "pre-aggregation"}
            return _Layer(model, (1, joints), lambda w: w.flatten(0, 1))
        case 4, 2:
            if sharing not in ("pre-aggregation", "post-aggregation"):
                raise CheckpointError(
                    f"{where}: its first layer ({looks}) may be pre- or post-aggregation, whose "
                    "tensors look the same: give --sharing pre-aggregation or post-aggregation"
                )
            model = fixed | {"method": sharing, "decouple_self": True}
            return _Layer(model, (2, joints), lambda w: w.flip(0).flatten(0, 1))
        case 4, n if n == joints:
            return _no_sharing(joints, fixed)
    raise _not_theirs("any-gcn", where, looks)


def _no_sharing(joints: int, fixed: dict[str, Any]) -> _Layer:
    graph = body_graph(BODIES[joints])
    unused = joints**2 - graph.target.size
    return _Layer(
        fixed | {"method": "no-sharing", "affinity": "column-normalised"},
        (joints, joints),
        lambda w: w[graph.source, graph.target],
        left_out=(f"in each layer {unused} of {joints**2} matrices, whose joints share no bone",),
    )


# The network around it


def _check_non_local(
    layer: _Layer, grouped: bool, embedded: bool, family: Family, where: str
) -> None:
    if grouped and embedded:
        raise CheckpointError(
            f"{where}: has non-local layers of both kinds (gconv_input.1 and non_local): no "
            "published network has, and none of ours"
        )
    if embedded and family != "modulated":
        raise CheckpointError(
            f"{where}: has a non_local layer before its output, which only Modulated GCN has: "
            "choose --kind modulated"
        )
    if grouped and layer.model["joints"] == 17:
        raise CheckpointError(
            f"{where}: has non-local layers over 17 joints: the published codes group 17 joints "
            "in different ways, and the file does not say which: only those of 16 joints are read"
        )


def _pieces(
    layer: _Layer, channels: int, blocks: int, grouped: bool, embedded: bool
) -> dict[str, _Piece]:
    """Every tensor of their network, by its full name."""
    found: dict[str, _Piece] = {}

    def add(theirs: str, ours: str, pieces: dict[str, _Piece]) -> None:
        for name, piece in pieces.items():
            found[f"{theirs}.{name}"] = _Piece(f"{ours}.{piece.ours}", piece.shape, piece.turn)

    def add_layer(theirs: str, ours: str, before: int) -> None:
        add(f"{theirs}.gconv", f"{ours}.conv", layer.pieces(before, channels))
        add(f"{theirs}.bn", f"{ours}.norm", _norm(channels))

    add_layer("gconv_input.0", "input.0", 2)
    if grouped:
        add("gconv_input.1.non_local", "input.1", _grouped(channels))
    for block in range(blocks):
        number = 2 * block if grouped else block
        for half in (0, 1):
            theirs = f"gconv_layers.{number}.gconv{half + 1}"
            add_layer(theirs, f"blocks.{block}.{half}", channels)
        if grouped:
            add(f"gconv_layers.{number + 1}.non_local", f"mixers.{block}", _grouped(channels))
    if embedded:
        add("non_local", "attention", _embedded(channels))
    add("gconv_output", "output", layer.pieces(channels, 3))
    return found


def _norm(channels: int, theirs: str = "", ours: str = "") -> dict[str, _Piece]:
    names = ("weight", "bias", "running_mean", "running_var")
    return {
        **{f"{theirs}{name}": _Piece(f"{ours}{name}", (channels,)) for name in names},
        f"{theirs}num_batches_tracked": _Piece(f"{ours}num_batches_tracked", ()),
    }


def _projections(
    channels: int, names: Mapping[str, str], extent: tuple[int, ...]
) -> dict[str, _Piece]:
    """Convolutions with a kernel of size 1, which are linear maps."""
    inner = max(channels // 2, 1)
    found = {}
    for theirs, ours in names.items():
        after, before = (channels, inner) if ours == "back" else (inner, channels)
        found[f"{theirs}.weight"] = _Piece(
            f"{ours}.weight", (after, before, *extent), lambda w: w.flatten(1)
        )
        found[f"{theirs}.bias"] = _Piece(f"{ours}.bias", (after,))
    return found


def _grouped(channels: int) -> dict[str, _Piece]:
    names = {"g.0": "value", "theta": "query", "phi.0": "key", "W.0": "back"}
    score = _Piece("score", (1, 2 * max(channels // 2, 1), 1, 1), lambda w: w.flatten())
    return {
        **_projections(channels, names, (1,)),
        **_norm(channels, "W.1.", "norm."),
        "concat_project.0.weight": score,
    }


def _embedded(channels: int) -> dict[str, _Piece]:
    names = {"g": "value", "theta": "query", "phi": "key", "W.0": "back"}
    return {**_projections(channels, names, (1, 1)), **_norm(channels, "W.1.", "norm.")}


def check_shapes(
    theirs: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Refuse tensors that are missing, unknown or of another shape.

    Raises:
        CheckpointError: The message lists them.
    """
    missing, unknown = (
        sorted(expected.keys() - theirs.keys()),
        sorted(theirs.keys() - expected.keys()),
    )
    if missing or unknown:
        raise CheckpointError(
            f"{where}: is not the network that its first layer indicates: it lacks "
            f"{listed(missing, longest=60)}, and has {listed(unknown, longest=60)} besides: it "
            "may be of a variant that is not read (docs/checkpoints.md)"
        )
    wrong = [
        f"{name} is {tuple(theirs[name].shape)} and not {shape}"
        for name, shape in expected.items()
        if tuple(theirs[name].shape) != shape
    ]
    if wrong:
        raise CheckpointError(
            f"{where}: has tensors of other shapes: {listed(wrong, longest=120)}: it may be of a "
            "variant that is not read (docs/checkpoints.md)"
        )
