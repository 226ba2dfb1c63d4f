"""The table of protocols: what the literature says of each, and what the page says."""

import re
from pathlib import Path

import numpy as np
import pytest

from graphlift.cli.score import score
from graphlift.errors import ConfigError
from graphlift.protocols import ADAPTATIONS, PROTOCOLS, STRIDE, protocol_named
from graphlift.protocols.named import every
from graphlift.skeletons import H36M_16, H36M_17

PAGE = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text()
EVERY = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))


@EVERY
def test_a_protocol_scores_joints_that_its_skeletons_have(protocol):
    for skeleton in protocol.skeletons:
        assert set(protocol.correct) <= set(protocol.scored) <= set(skeleton.joints)
        assert skeleton.joints[skeleton.root] == protocol.root == "Hip"
        assert protocol.skeleton_of(len(skeleton)) is skeleton
    assert protocol.skeleton_of(14) is None
    assert protocol_named(protocol.name) is protocol


@EVERY
def test_the_line_of_a_protocol_says_what_decides_a_number(protocol):
    line = protocol.describe()

    assert "\n" not in line
    for part in (
        *(f"{protocol.name}: {protocol.data}", *protocol.test, *protocol.train),
        *(f"{len(protocol.scored)} joints", "own Hip", "no flip", "adaptations: none"),
        *(f"without {each}" for each in protocol.excluded),
        "then over activities" if protocol.average == "activities" else "mean over frames",
    ):
        assert part in line


def test_human36m_is_as_the_literature_has_it():
    for name, joints in (("h36m-17", 17), ("h36m-16", 16)):
        protocol = PROTOCOLS[name]
        assert protocol.train == ("S1", "S5", "S6", "S7", "S8")
        assert protocol.test == ("S9", "S11")
        assert (protocol.stride, protocol.average) == (1, "activities")
        assert protocol.excluded == ("S11 Directions",)
        assert len(protocol.scored) == joints
        assert protocol.scored[0] == "Hip"  # its zero counts
        assert len(protocol.activities) == 15
        assert protocol.frames == 543_344
        assert protocol.adaptations == ("root-in-place",)
    assert "Neck/Nose" not in PROTOCOLS["h36m-16"].scored


def test_mpi_inf_3dhp_is_as_its_official_script_has_it():
    # 1-based: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 of 17; pelvis 15, spine 16, head 17 are not scored.
    protocol = PROTOCOLS["3dhp-14"]
    (skeleton,) = protocol.skeletons

    assert skeleton.index(*protocol.scored).tolist() == list(range(14))
    assert skeleton.root == 14
    assert dict(protocol.groups) == {
        "GS": ("TS1", "TS2"),
        "noGS": ("TS3", "TS4"),
        "Outdoor": ("TS5", "TS6"),
    }
    assert (protocol.frames, protocol.average) == (2_929, "frames")


def test_cross_14_has_the_same_joints_in_both_orders():
    names = PROTOCOLS["cross-14"].scored

    assert H36M_17.index(*names).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16]
    assert H36M_16.index(*names).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15]
    for name in ("unseen-17", "h36m-like"):
        assert PROTOCOLS[name].correct == names


def test_the_open_protocols_take_every_third_frame():
    names = ("open-16", "cross-14", "unseen-17", "h36m-like")

    assert [PROTOCOLS[name].stride for name in names] == [3] * 4
    assert STRIDE == 3
    assert "every 3rd frame" in PROTOCOLS["open-16"].describe()


def test_a_name_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match=r"no protocol 'h36m': use one of h36m-17, h36m-16, 3dh"):
        protocol_named("h36m")


def test_deviations_are_said():
    line = PROTOCOLS["3dhp-14"].describe(("hip-shift", "bone-length"))

    assert "adaptations: hip-shift, bone-length" in line
    assert "mean over frames" in PROTOCOLS["h36m-17"].describe(average="frames")


def protocol_table() -> str:
    """Write the protocols as a table in Markdown."""
    heads = "protocol, tested on, trained on, joints in, scored, by PCK and AUC, frames, mean over"
    columns = heads.split(", ")
    rows = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for each in PROTOCOLS.values():
        of = " or ".join(f"`{skeleton.name}`" for skeleton in each.skeletons)
        root = "with" if each.root in each.scored else "without"
        excluded = "".join(f", without {name}" for name in each.excluded)
        whole = f": {each.frames:,}" if each.frames else ""
        cells = (
            f"`{each.name}`",
            f"{each.data} {' '.join(each.test)}",
            f"{each.train_data} {' '.join(each.train)}",
            of,
            f"{len(each.scored)}, {root} {each.root}",
            str(len(each.correct)),
            f"{every(each.stride)}{whole}{excluded}",
            each.average,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def adaptation_table() -> str:
    """Write the known deviations as a table in Markdown."""
    takes = {
        name: ", ".join(f"`{p.name}`" for p in PROTOCOLS.values() if name in p.adaptations)
        for name in ADAPTATIONS
    }
    rows = [f"| `{name}` | {takes[name]} | {does} |" for name, does in ADAPTATIONS.items()]
    return "\n".join(["| `--adapt` | of | what it does |", "|---|---|---|", *rows])


def test_the_page_has_the_codes_tables():
    assert protocol_table() in PAGE
    assert adaptation_table() in PAGE
    assert set(re.findall(r"^\| `([\w-]+)`", PAGE, re.MULTILINE)) >= {*PROTOCOLS, *ADAPTATIONS}


def test_the_commands_help_names_every_protocol_and_adaptation():
    hints = score.__annotations__
    says = {name: hints[name].__metadata__[0].help for name in ("protocol", "adapt")}

    assert says["protocol"] == f"{', '.join(PROTOCOLS)}."
    assert all(name in says["adapt"] for name in ADAPTATIONS)


def test_published_tables_weigh_frames():
    # GS, noGS, Outdoor and ALL of Liu et al. and of three others, supplement, Table 2; the
    # frames of TS1-2, TS3-4, TS5-6 that are valid.
    frames = [1143, 1058, 728]
    rows = [(77.6, 80.5, 80.1, 79.3), (74.8, 70.8, 77.3, 74.0), (75.6, 71.3, 80.3, 75.3)]

    assert sum(frames) == PROTOCOLS["3dhp-14"].frames
    for *groups, whole in rows:
        assert np.average(groups, weights=frames) == pytest.approx(whole, abs=0.11)
