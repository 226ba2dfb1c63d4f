"""How the nodes of a rig turn over a clip, one node after the other.

Twists are solved over the whole clip (:mod:`graphlift.formats.twist`), so a node's turns are
found for all frames at once; those of its children need them, and nothing else does. Matrices of
all nodes are never there together: of an hour they would take 285 MB.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from graphlift.formats.armature import (
    AT,
    ENDS,
    HUBS,
    NODES,
    ORDER,
    PARENTS,
    TIPS,
    Positions,
    RigNode,
    drop_used,
)
from graphlift.formats.guides import Guides
from graphlift.formats.twist import FRONT, Shown, show_twist, solve_twist
from graphlift.formats.writing import interpolate
from graphlift.geometry import unit_vectors
from graphlift.skeletons import H36M_17

CHUNK = 1024
"""Frames that are looked at together."""

SHIN = 0.05
"""m; how much the side of the shin counts in that of the foot, whose own is some 0.14 m long. More
loses ankles that are turned in; less lets noise of 2 cm roll a foot over.

Source: CMU validation people with bodies of :mod:`graphlift.bodies` and noise of 1 to 3 cm.
"""

Matrices = Float[np.ndarray, "frame 3 3"]
Vectors = Float[np.ndarray, "frame 3"]


def frames_of(count: int) -> Iterator[slice]:
    """Cut a clip into blocks of frames."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


def solve_turns(
    positions: Positions, fps: float, guides: Guides | None = None
) -> Iterator[tuple[int, Matrices, Matrices]]:
    """Find the turn of each node in the world that takes its rest directions to the actual ones.

    Hubs are fitted to all their neighbours; other bones turn as little as possible against their
    parent, and the twist of thighs and upper arms follows the bend of knees and elbows as far as
    they are bent, without jumps over time (:mod:`graphlift.formats.twist`). Hands and feet keep
    the turn of forearm and shin. Where guides show a front, pelvis, chest, head and feet point
    there, the first two as far as it is sure, and the twist of thighs and upper arms follows it.

    Args:
        positions: The 17 joints of a whole clip, every number finite.
        fps: Frames a second.
        guides: What is known beside the joints.

    Yields:
        The number of a node, its turns and those of its parent, parents first. A node
        that keeps its parent's turns gives the same array twice; the root has no parent, and
        gives its own. They are not to be changed.
    """
    guides = Guides() if guides is None else guides
    held: dict[int, Matrices] = {}
    for i in ORDER:
        node, parent = NODES[i], PARENTS[i]
        if node.name in HUBS:
            own = _fit(node, positions)
        elif node.tip:
            own = _turn_bone(i, positions, held[parent], fps, guides)
        else:
            own = held[parent]
        if node.name in guides.fronts and not node.bend:
            own = _face(node, own, guides)
        held[i] = own
        yield i, own, held[max(parent, 0)]
        del own
        drop_used(held, i)


def solve_rotations(
    positions: Positions, fps: float, guides: Guides | None = None
) -> Float[np.ndarray, "frame node 3 3"]:
    """Find the turns of all nodes at once: :func:`solve_turns`, for short clips."""
    world = np.empty((len(positions), len(NODES), 3, 3))
    for i, own, _ in solve_turns(positions, fps, guides):
        world[:, i] = own
    return world


def measured_end(
    i: int,
    positions: Positions,
    turns: Matrices,
    guides: Guides,
    counted: Bool[np.ndarray, " frame"],
) -> Float[np.ndarray, "3"] | None:
    """Find where the bone of a head or foot ends: the median over the clip, in the T-pose, m.

    Args:
        i: The node.
        positions: The 17 joints.
        turns: The node's.
        guides: Where feet end. A head that follows its front has its bone where that leaves it.
        counted: Frames that count, at least one.

    Returns:
        None for a node whose end is not measured.
    """
    node = NODES[i]
    if node.name not in guides.fronts or i not in ENDS or i == 0:
        return None
    end = guides.ends.get(node.name)
    if end is None:
        end = positions[:, TIPS[i]] - positions[:, AT[i]]
    at_rest = _seen_from(turns, end)
    counts = counted & np.isfinite(at_rest).all(axis=-1)
    return np.asarray(np.median(at_rest[counts], axis=0)) if counts.any() else None


def _fit(node: RigNode, positions: Positions) -> Matrices:
    """Fit a hub to its neighbours: the rotation that takes their rest directions nearest to them.

    Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta
    Crystallographica A32, 1976.
    """
    goals, at = HUBS[node.name], H36M_17.index(node.at)
    rest, neighbours = np.array(list(goals.values())), H36M_17.index(*goals)
    found = np.empty((len(positions), 3, 3))
    for part in frames_of(len(found)):
        here = positions[part]
        actual = _unit(here[:, neighbours] - here[:, at])
        U, _, Vt = np.linalg.svd(np.einsum("fbi,bj->fij", actual, rest))
        U[..., -1] *= np.where(np.linalg.det(U @ Vt) < 0, -1, 1)[:, None]
        found[part] = U @ Vt
    return found


def _turn_bone(
    i: int, positions: Positions, above: Matrices, fps: float, guides: Guides
) -> Matrices:
    """Turn a bone to where it points, by its swing, and about itself."""
    node = NODES[i]
    rest, hinge = np.array(node.rest), np.array(node.hinge or FRONT)
    bones = _directions(positions, AT[i], TIPS[i], above)
    beyond = H36M_17.index(node.bend)[0] if node.bend else TIPS[i]
    bends = np.cross(bones, _directions(positions, TIPS[i], beyond, above)) if node.bend else None
    pulls = _pulling(guides, node, above)
    bones, turns = _held(bones), np.empty((len(bones), 3, 3))
    shown = Shown.of_clip(len(bones), bend=bends is not None, front=pulls is not None)
    for part in frames_of(len(turns)):
        turns[part] = _swing(rest, bones[part])
        wide = slice(max(part.start - 1, 0), part.stop)  # with the frame before
        bend, front = (None if each is None else each[wide] for each in (bends, pulls))
        shown.put(part, show_twist(rest, hinge, turns[wide], bend, front))
    del bones, bends, pulls  # of an hour, 13 MB
    twist = solve_twist(shown, fps)
    for part in frames_of(len(turns)):
        turns[part] = above[part] @ turns[part] @ _about(rest, twist[part])
    return turns


def _directions(positions: Positions, start: int, end: int, above: Matrices) -> Vectors:
    """Find where one joint is seen from another, in the frame of the parent; 0 if at one place."""
    return np.concatenate(
        [
            _unit(_seen_from(above[part], positions[part, end] - positions[part, start]))
            for part in frames_of(len(above))
        ]
    )


def _pulling(guides: Guides, node: RigNode, above: Matrices) -> Vectors | None:
    """Express a limb's known front in the frame of the parent, as long as it counts."""
    if not node.bend or node.name not in guides.fronts:
        return None
    local = _seen_from(above, np.nan_to_num(guides.fronts[node.name]))
    return np.asarray(local * guides.weights[node.name][:, None])


def _about(rest: np.ndarray, angles: Float[np.ndarray, " frame"]) -> Matrices:
    """Turn a bone about its direction at rest."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(np.outer(angles, rest)).as_matrix())


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale to length 1; 0 for one without length, or that is unknown."""
    return np.asarray(np.nan_to_num(unit_vectors(vectors)))


def _held(directions: np.ndarray) -> np.ndarray:
    """Let a bone without length point as in the frame before, or in the first that shows it."""
    known = np.linalg.norm(directions, axis=-1) > 0
    first = int(np.argmax(known))  # 0 too if none is known
    frame = np.maximum.accumulate(np.where(known, np.arange(len(directions)), first))
    return np.asarray(directions[frame])


def _swing(rest: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Smallest rotation that takes the direction ``rest`` (3,) to ``goal`` (frame, 3).

    Straight back there is no smallest one, and close to it rounding decides about which axis the
    smallest one turns: there it is half a turn about z, or about x for a bone along z, and then
    the smallest rotation on to the goal. A bone that never has a length does not turn.
    """
    from scipy.spatial.transform import Rotation

    goal = np.where(goal.any(axis=-1, keepdims=True), goal, rest)
    back = goal @ rest <= -1 + 1e-9
    start = np.where(back[:, None], -rest, rest)
    on = np.column_stack([np.cross(start, goal), 1 + (start * goal).sum(axis=-1)])
    half = (1, 0, 0, 0) if abs(rest[2]) > 0.9 else (0, 0, 1, 0)
    first = np.where(back[:, None], half, (0, 0, 0, 1))
    return np.asarray((Rotation.from_quat(on) * Rotation.from_quat(first)).as_matrix())


def _face(node: RigNode, turns: Matrices, guides: Guides) -> Matrices:
    """Turn hips, chest, head or a foot so that it points along its front.

    A hub counts its fit to the joints, too. What is left open, the turn about the front, is for a
    hub that of the fit, for a foot from its sides and the shin, and for a head from its sides, or
    else so that its bone is as near as can be to where it is.
    """
    # Unknown fronts and sides are filled by interpolation as the turning node sees them.
    fronts = interpolate(_seen_from(turns, guides.fronts[node.name]))
    sides = guides.sides.get(node.name)
    sides = None if sides is None else interpolate(_seen_from(turns, sides))
    weights = interpolate(guides.weights[node.name]) if node.name in HUBS else None
    faced = np.empty_like(turns)
    for part in frames_of(len(turns)):
        own = turns[part]
        z = _carried(own, fronts[part])
        if weights is not None:
            weight = weights[part][:, None]
            z = weight * z + (1 - weight) * own[..., 2]
        z = unit_vectors(z)
        if sides is None:
            x = _across(own[..., 0], z) if weights is not None else np.cross(own[..., 1], z)
        else:
            side = _carried(own, sides[part]) + (0 if node.tip else SHIN) * own[..., 0]
            x = _across(side, z)
        x = unit_vectors(x)
        axes = np.stack([x, np.cross(z, x), z], axis=-1)
        faced[part] = np.where(np.isfinite(axes).all(axis=(-2, -1), keepdims=True), axes, own)
    return faced


def _seen_from(turns: Matrices, vectors: Vectors) -> Vectors:
    """Express vectors of the world in the frames of a node."""
    return np.asarray(np.einsum("fji,fj->fi", turns, vectors))


def _carried(turns: Matrices, local: Vectors) -> Vectors:
    """Express vectors of a node's frames in the world."""
    return np.asarray(np.einsum("fij,fj->fi", turns, local))


def _across(vectors: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.asarray(vectors - (vectors * z).sum(axis=-1, keepdims=True) * z)
