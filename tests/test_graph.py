"""Weight slots and affinities against lists worked out by hand."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import ModelError
from graphlift.graph import body_graph, fixed_affinity
from graphlift.skeletons import COCO_17, H36M_16, H36M_17, SKELETONS, Skeleton
from graphlift.weight_sharing import DECOUPLED, METHODS, VARIANTS, hops_from_centre, weight_slots

CHAIN = Skeleton("chain", ("a", "b", "c"), (-1, 0, 1), "a")
PATIENT = settings(deadline=None)
EVERY = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=list(SKELETONS))

# (i, j): neighbour j of joint i is farther from the spine, as in the masks of the published
# code for 17 joints; joint 9 (Neck/Nose) is left out for 16.
FARTHER_17 = {
    *((0, 1), (0, 4), (1, 2), (2, 3), (4, 5), (5, 6), (7, 0), (7, 8), (8, 9), (8, 11), (8, 14)),
    *((9, 10), (11, 12), (12, 13), (14, 15), (15, 16)),
}
FARTHER_16 = {
    *((0, 1), (0, 4), (1, 2), (2, 3), (4, 5), (5, 6), (7, 0), (7, 8), (8, 9), (8, 10), (8, 13)),
    *((10, 11), (11, 12), (13, 14), (14, 15)),
}


def edges(graph):
    return list(zip(graph.target.tolist(), graph.source.tolist(), strict=True))


def test_a_chain_connects_each_joint_to_itself_and_its_neighbours():
    graph = body_graph(CHAIN)

    assert edges(graph) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2)]
    assert graph.itself.tolist() == [True, False, False, True, False, False, True]


@pytest.mark.parametrize(
    ("sharing", "slots"),
    [  # for the edges       aa ab ba bb bc cb cc, each written target first
        ("full-sharing", [0, 0, 0, 0, 0, 0, 0]),
        ("pre-aggregation", [0, 1, 0, 1, 2, 1, 2]),  # the joint that sends
        ("post-aggregation", [0, 0, 1, 1, 1, 2, 2]),  # the joint that receives
        ("no-sharing", [0, 1, 2, 3, 4, 5, 6]),
        ("convolution-style", [0, 1, 2, 0, 1, 2, 0]),  # itself, farther from a, nearer
    ],
)
def test_the_five_methods_on_a_chain(sharing, slots):
    assert weight_slots(body_graph(CHAIN), sharing).tolist() == slots


@pytest.mark.parametrize(
    ("sharing", "slots"),
    [  # self-connections aa, bb and cc move behind the others
        ("full-sharing", [1, 0, 0, 1, 0, 0, 1]),
        ("pre-aggregation", [3, 1, 0, 4, 2, 1, 5]),
        ("post-aggregation", [3, 0, 1, 4, 1, 2, 5]),
    ],
)
def test_the_three_decoupled_variants_on_a_chain(sharing, slots):
    assert weight_slots(body_graph(CHAIN), sharing, decouple_self=True).tolist() == slots


@pytest.mark.parametrize(("skeleton", "farther"), [(H36M_17, FARTHER_17), (H36M_16, FARTHER_16)])
def test_convolution_style_classes_are_the_authors(skeleton, farther):
    graph = body_graph(skeleton)

    slots = weight_slots(graph, "convolution-style").tolist()

    by_class = [{edge for edge, slot in zip(edges(graph), slots, strict=True) if slot == c}
                for c in range(3)]  # fmt: skip
    assert by_class[0] == {(i, i) for i in range(len(skeleton))}
    assert by_class[1] == farther
    assert by_class[2] == {(j, i) for i, j in farther}


def test_hops_from_the_spine_by_hand():
    #                               Hip    legs ...       Spine Thorax Neck Head  arms ...
    assert hops_from_centre(H36M_17).tolist() == [
        1,
        2,
        3,
        4,
        2,
        3,
        4,
        0,
        1,
        2,
        3,
        2,
        3,
        4,
        2,
        3,
        4,
    ]
    assert hops_from_centre(H36M_16).tolist() == [1, 2, 3, 4, 2, 3, 4, 0, 1, 2, 2, 3, 4, 2, 3, 4]


@EVERY
def test_hops_are_the_first_power_of_the_adjacency_that_arrives(skeleton):
    adjacency = np.eye(len(skeleton), dtype=int)
    for parent, child in skeleton.bones:
        adjacency[parent, child] = adjacency[child, parent] = 1
    start = skeleton.joints.index(skeleton.centre)

    for joint, hops in enumerate(hops_from_centre(skeleton)):
        walks = [np.linalg.matrix_power(adjacency, n)[start, joint] for n in range(17)]
        assert hops == next(n for n, count in enumerate(walks) if count)


@pytest.mark.parametrize(
    ("skeleton", "matrices"),
    # docs/method.md: N + 2(N - 1) = 46 at 16 joints, 49 at 17.
    [(H36M_16, (1, 16, 16, 46, 3, 2, 32, 32)), (H36M_17, (1, 17, 17, 49, 3, 2, 34, 34))],
)
def test_each_variant_has_as_many_matrices_as_the_paper_says(skeleton, matrices):
    for (sharing, decouple), count in zip(VARIANTS, matrices, strict=True):
        slots = weight_slots(body_graph(skeleton), sharing, decouple_self=decouple)

        assert sorted(set(slots.tolist())) == list(range(count))


def test_there_are_five_methods_and_three_of_them_decouple():
    assert len(METHODS) == 5
    assert set(METHODS) - set(DECOUPLED) == {"no-sharing", "convolution-style"}
    assert len(VARIANTS) == len(set(VARIANTS)) == 8
    assert {method for method, decouple in VARIANTS if decouple} == set(DECOUPLED)


@pytest.mark.parametrize("sharing", ["no-sharing", "convolution-style"])
def test_decoupling_what_is_decoupled_is_refused(sharing):
    with pytest.raises(ModelError, match=f"{sharing} already decouples .*: drop decouple_self"):
        weight_slots(body_graph(H36M_16), sharing, decouple_self=True)


def test_an_unknown_method_is_named_with_those_there_are():
    # In a process of its own, because here beartype checks the argument before our code does.
    code = """
from graphlift.graph import body_graph
from graphlift.weight_sharing import weight_slots
from graphlift.skeletons import H36M_16
weight_slots(body_graph(H36M_16), "half-sharing")
"""

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    message = "ModelError: no method is named 'half-sharing': use one of full-sharing, pre-"
    assert message in run.stderr


@PATIENT
@given(st.permutations(range(17)), st.sampled_from(VARIANTS), st.sampled_from([H36M_17, COCO_17]))
def test_renumbering_joints_shares_the_same_weights_between_the_same_edges(place, variant, body):
    sharing, decouple = variant
    joints, parents = [""] * 17, [-1] * 17
    for joint, parent in enumerate(body.parents):
        joints[place[joint]] = body.joints[joint]
        parents[place[joint]] = -1 if parent < 0 else place[parent]
    renumbered = Skeleton("renumbered", tuple(joints), tuple(parents), body.centre)

    before, after = (
        {
            (skeleton.joints[i], skeleton.joints[j]): slot
            for (i, j), slot in zip(
                edges(body_graph(skeleton)),
                weight_slots(body_graph(skeleton), sharing, decouple_self=decouple),
                strict=True,
            )
        }
        for skeleton in (body, renumbered)
    )

    assert before.keys() == after.keys()
    assert all(
        (before[one] == before[other]) == (after[one] == after[other])
        for one, other in itertools.combinations(before, 2)
    )


# Affinities that are not learnt


def test_affinities_of_a_chain_by_hand():
    # Degrees with self-connections: 2, 3, 2. Edges aa ab ba bb bc cb cc.
    graph, a, b = body_graph(CHAIN), 1 / 2, 1 / 3
    across = 6**-0.5

    np.testing.assert_allclose(fixed_affinity(graph, "row-normalised"), [a, a, b, b, b, a, a])
    np.testing.assert_allclose(
        fixed_affinity(graph, "symmetric"), [a, across, across, b, across, across, a]
    )


@EVERY
def test_fixed_affinities_are_the_textbook_matrices(skeleton):
    graph = body_graph(skeleton)
    A = np.eye(len(skeleton))
    for parent, child in skeleton.bones:
        A[parent, child] = A[child, parent] = 1
    D = np.diag(A.sum(axis=1))
    matrices = {
        "row-normalised": np.linalg.inv(D) @ A,
        "symmetric": np.linalg.inv(np.sqrt(D)) @ A @ np.linalg.inv(np.sqrt(D)),
    }

    for kind, matrix in matrices.items():
        dense = np.zeros_like(A)
        dense[graph.target, graph.source] = fixed_affinity(graph, kind)
        np.testing.assert_allclose(dense, matrix, atol=1e-15)
    np.testing.assert_allclose(matrices["row-normalised"].sum(axis=1), 1)
    np.testing.assert_allclose(matrices["symmetric"], matrices["symmetric"].T)
