"""Prediction files in, a table or JSON out; and every file that is refused."""

import json
import zipfile

import numpy as np
import pytest
from helpers.command import assert_refused, here

from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.formats import pose_arrays, write_poses
from graphlift.formats.pose_arrays import read_pose_arrays
from graphlift.protocols import PROTOCOLS
from graphlift.scoring import score_files, score_poses
from graphlift.sequences import Poses
from graphlift.skeletons import BODY_28, H36M_17, MPI_INF_3DHP_17

H36M = PROTOCOLS["h36m-17"]
FRAMES = 12
ACTIVITY = np.array(["Walking", "Eating", "Photo"]).repeat(4)
SEQUENCE = np.array(["S9 a", "S9 b", "S11 a"]).repeat(4)


def poses(seed=0, joints=17, frames=FRAMES):
    rng = np.random.default_rng(seed)
    target = rng.normal(scale=0.4, size=(frames, joints, 3))
    return target + rng.normal(scale=0.05, size=target.shape), target


@pytest.fixture
def pair(tmp_path):
    """Write predictions and truth; each may be given other arrays."""

    def write(mine=None, truth=None, *, save=np.savez):
        paths = tmp_path / "mine.npz", tmp_path / "truth.npz"
        predicted, target = poses()
        for path, arrays in zip(
            paths, ({"poses": predicted} | (mine or {}), {"poses": target} | (truth or {})),
            strict=True,
        ):  # fmt: skip
            save(path, **{name: array for name, array in arrays.items() if array is not None})
        return paths

    return write


def refused(paths, *words, protocol=H36M, error=FormatError, **told):
    with pytest.raises(error) as raised:
        score_files(*paths, protocol, **told)
    for word in words:
        assert str(word) in str(raised.value)


# What comes out


def test_files_score_as_their_arrays_do(pair):
    paths = pair(truth={"activity": ACTIVITY, "sequence": SEQUENCE})

    scores = score_files(*paths, H36M)

    assert scores == score_poses(*poses(), H36M, activity=ACTIVITY, sequence=SEQUENCE)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[:, None],  # a person
        np.asfortranarray,
        lambda array: array.astype(">f8"),
    ],
)
def test_how_an_array_is_stored_does_not_matter(pair, save, change):
    predicted, target = poses()
    paths = pair({"poses": change(predicted)}, {"poses": change(target)}, save=save)

    assert score_files(*paths, H36M) == score_poses(predicted, target, H36M)


def test_the_json_has_every_number_per_activity_and_joint(pair):
    paths = pair(truth={"activity": ACTIVITY, "sequence": SEQUENCE})

    said = here("score", *paths, "--protocol", "h36m-17", "--json")

    assert (said.status, said.err) == (0, "")
    result = json.loads(said.out)
    keys = {"mpjpe_mm", "p_mpjpe_mm", "n_mpjpe_mm", "mpjve_mm", "pck", "auc"}
    scores = score_files(*paths, H36M)
    pairs = [(result, scores.overall)]
    for part, known in (("per_activity", scores.per_activity), ("per_joint", scores.per_joint)):
        pairs += [(result[part][name], each) for name, each in known.items()]
    for part, numbers in pairs:
        assert {key: part[key] for key in keys} == {key: getattr(numbers, key) for key in keys}
    assert list(result["per_activity"]) == ["Eating", "Photo", "Walking"]
    assert list(result["per_joint"]) == list(H36M_17.joints)
    assert (result["protocol"], result["adaptations"]) == ("h36m-17", [])
    assert result["average"] == "activities"
    assert result["description"] == scores.describe()
    assert result["counts"] == {
        "frames": 12, "frames_scored": 12, "frames_excluded": 0, "frames_not_valid": 0,
        "joints_not_valid": 0, "joints_missing": 0,
    }  # fmt: skip


def test_the_table_has_the_protocol_the_counts_and_a_row_an_activity(pair):
    valid = np.ones((FRAMES, 17), dtype=bool)
    valid[0], valid[1, 5] = False, False
    paths = pair(truth={"activity": ACTIVITY, "sequence": SEQUENCE, "valid": valid})

    said = here("score", *paths, "--protocol", "h36m-17")

    scores = score_files(*paths, H36M)
    first, second, *rest = said.out.splitlines()
    assert (said.status, said.err) == (0, "")
    assert first == H36M.describe()
    assert second == "11 of 12 frames scored, 1 not valid; 1 joint not valid"
    rows = {line.split()[0]: line.split()[1:] for line in rest if line}
    assert rows["frames"][:2] == ["MPJPE", "P-MPJPE"]
    for name, each in (*scores.per_activity.items(), ("all", scores.overall)):
        numbers = (each.mpjpe_mm, each.p_mpjpe_mm, each.n_mpjpe_mm, each.mpjve_mm)
        assert rows[name] == [
            *(str(each.frames), *(f"{number:.2f}" for number in numbers)),
            *(f"{each.pck:.2f}", f"{each.auc:.2f}"),
        ]
    assert "Note: 11 frames are scored; the whole test set has 543,344." in said.out


def test_3dhp_prints_its_groups_and_what_was_adapted(pair):
    sequence = np.array(["TS1", "TS4", "TS5"]).repeat(4)
    paths = pair(truth={"sequence": sequence})
    options = ("--adapt", "hip-shift", "--adapt", "bone-length")

    said = here("score", *paths, "--protocol", "3dhp-14", *options)

    assert "adaptations: hip-shift, bone-length" in said.out
    for group in ("GS", "noGS", "Outdoor", "all"):
        assert any(line.startswith(f"{group} ") for line in said.out.splitlines())


def test_what_cannot_be_said_is_a_dash_or_null(pair):
    paths = pair()

    table = here("score", *paths, "--protocol", "h36m-17").out
    result = json.loads(here("score", *paths, "--protocol", "h36m-17", "--json").out)

    (row,) = (line for line in table.splitlines() if line.startswith("all"))
    assert row.split()[5] == "-"
    assert result["mpjve_mm"] is None
    assert "no `activity`" in table


def test_labels_may_be_in_either_file_numbers_or_columns(pair):
    numbers = np.arange(3).repeat(4)[:, None].astype(float)  # as MATLAB has them
    paths = pair({"activity": numbers}, {"sequence": SEQUENCE.astype("S"), "valid": [[1]] * 12})

    scores = score_files(*paths, PROTOCOLS["unseen-17"])

    assert list(scores.per_activity) == ["0", "1", "2"]
    assert scores.overall.mpjve_mm is not None


def test_what_predictions_mark_as_not_valid_is_not_predicted(pair):
    valid = np.ones(FRAMES, dtype=bool)
    valid[5] = False
    both = pair({"valid": valid}, {"valid": valid})
    assert score_files(*both, H36M).counts.frames_not_valid == 1

    mine = pair({"valid": valid})
    refused(mine, *mine, "lacks 17 joints", "the first Hip of frame 5", "--allow-missing")
    scores = score_files(*mine, H36M, allow_missing=True)
    assert scores.counts.joints_missing == 17
    assert scores.overall.pck == pytest.approx(
        score_files(*pair(), H36M).overall.pck * 11 / 12, abs=1
    )


def test_missing_predictions_are_refused_unless_allowed(pair):
    predicted, _ = poses()
    predicted[3, 4] = np.nan
    paths = pair({"poses": predicted})

    said = here("score", *paths, "--protocol", "h36m-17")
    allowed = here("score", *paths, "--protocol", "h36m-17", "--allow-missing", "--json")

    assert_refused(said, *paths, "lacks 1 joint", "LHip of frame 3", "--allow-missing")
    assert json.loads(allowed.out)["counts"]["joints_missing"] == 1


# Our own files


def test_poses_of_our_own_are_scored(tmp_path, pair):
    predicted, target = poses()
    own = tmp_path / "own.npz"
    write_poses(own, Poses(predicted[:, None], H36M_17))
    _, truth = pair()

    assert score_files(own, truth, H36M) == score_poses(predicted, target, H36M)
    refused((own, truth), own, "joints are those of h36m-17", protocol=PROTOCOLS["3dhp-14"])


@pytest.mark.parametrize("name", ["h36m-17", "h36m-16", "cross-14"])
def test_of_28_joints_those_of_the_protocol_are_scored(tmp_path, name):
    protocol, (predicted, target) = PROTOCOLS[name], poses(joints=28)
    own = protocol.skeletons[0]
    kept = [BODY_28.joints.index(joint) for joint in own.joints]
    paths = tmp_path / "mine.npz", tmp_path / "truth.npz"
    write_poses(paths[0], Poses(predicted[:, None], BODY_28))
    write_poses(paths[1], Poses(target[:, None, kept], own))

    scores = score_files(*paths, protocol)

    expected = score_poses(predicted[:, kept], target[:, kept], protocol)
    assert scores.overall == expected.overall


def test_several_people_are_refused(tmp_path, pair):
    own = tmp_path / "own.npz"
    write_poses(own, Poses(np.zeros((FRAMES, 2, 17, 3)), H36M_17, people=("0", "1")))
    _, truth = pair()

    refused((own, truth), own, "(12, 2, 17, 3)", "2 people", "keep one")
    paths = pair({"poses": np.zeros((FRAMES, 3, 17, 3))})
    refused(paths, paths[0], "(12, 3, 17, 3)", "3 people", "poses[:, 0]")


def test_world_axes_are_not_scored_against_the_cameras(tmp_path):
    predicted, target = poses()
    paths = tmp_path / "a.npz", tmp_path / "b.npz"
    write_poses(paths[0], Poses(predicted[:, None], H36M_17, axes="world", rooted=False))
    write_poses(paths[1], Poses(target[:, None], H36M_17))

    refused(paths, *paths, "world axes", "camera axes", "give both in the same")


# Refusals


def test_a_file_that_is_not_there_is_named(tmp_path, pair):
    _, truth = pair()

    refused((tmp_path / "no.npz", truth), "no.npz", "poses", error=DatasetNotFoundError)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04cut"])
def test_a_file_that_is_no_archive_is_refused(pair, content):
    paths = pair()
    paths[0].write_bytes(content)

    refused(paths, paths[0], "copy or make it again")


def test_a_changed_number_is_noticed_though_the_array_stays_in_the_file(pair):
    paths = pair()
    data = bytearray(paths[0].read_bytes())
    middle = len(data) // 2
    data[middle] ^= 1
    paths[0].write_bytes(data)

    refused(paths, paths[0], "poses: cannot be read", "Bad CRC-32", "copy or make it again")


def test_objects_are_refused(pair, tmp_path):
    paths = pair()
    np.savez(tmp_path / "mine.npz", poses=np.array([{"a": 1}], dtype=object))
    refused(paths, paths[0], "poses (1,) of object", "should be numbers")

    paths = pair(truth={"activity": np.array(["a"] * FRAMES, dtype=object)})
    refused(paths, paths[1], "activity holds Python objects", "save plain arrays")


def test_an_array_that_claims_to_be_larger_than_the_file_is_refused(pair):
    paths = pair()
    with zipfile.ZipFile(paths[0], "w") as archive, archive.open("poses.npy", "w") as member:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 17, 3)}
        np.lib.format.write_array_header_1_0(member, header)

    refused(paths, paths[0], "does not fit its size")


def test_an_array_that_unpacks_to_too_much_is_refused(pair, monkeypatch):
    monkeypatch.setattr(pose_arrays, "MAX_BYTES", 1000)
    paths = pair(save=np.savez_compressed)

    refused(paths, paths[0], "poses (12, 17, 3)", "save it without compression")
    assert read_pose_arrays(pair()[0]).poses.shape == (12, 17, 3)  # stays in the file


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (None, "has no array `poses`, only activity: save positions"),
        (np.zeros((FRAMES, 51)), "poses (12, 51) of float64 should be numbers, (frame, joint, 3)"),
        (np.zeros((FRAMES, 17, 2)), "poses (12, 17, 2)"),
        (np.zeros((0, 17, 3)), "poses (0, 17, 3)"),
        (np.zeros((FRAMES, 17, 3), dtype=complex), "of complex128 should be numbers"),
        (np.full((FRAMES, 17, 3), "x"), "should be numbers"),
    ],
)
def test_what_is_no_array_of_poses_is_refused(pair, array, says):
    paths = pair({"poses": array, "activity": ACTIVITY})

    refused(paths, paths[0], says)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"activity": ACTIVITY[:5]}, "activity (5,) should be (12,), as poses (12, 17, 3) are"),
        ({"activity": np.full(FRAMES, 0.5)}, "activity is of float64, but should be text or"),
        ({"activity": np.full(FRAMES, b"\xff")}, "activity is not UTF-8"),
        ({"sequence": np.zeros((FRAMES, 2))}, "sequence (12, 2) should be (12,)"),
        ({"valid": np.ones((FRAMES, 16))}, "valid (12, 16) should be (12,) or (12, 17)"),
        ({"valid": np.full(FRAMES, 2)}, "valid is of int64 and should be true or false"),
        ({"valid": np.full(FRAMES, np.nan)}, "valid is of float64 and should be true or false"),
    ],
)
def test_labels_that_are_none_are_refused(pair, labels, says):
    paths = pair(truth=labels)

    refused(paths, paths[1], says)


def test_files_of_different_frames_or_joints_are_refused(pair):
    shorter = pair({"poses": poses(frames=11)[0]})
    refused(shorter, *shorter, "predicted (11, 17, 3) and target (12, 17, 3)", "same frames")

    fewer = pair({"poses": poses(joints=16)[0]})
    refused(fewer, *fewer, "predicted (12, 16, 3) and target (12, 17, 3)")

    wrong = pair()
    refused(wrong, "16 joints (h36m-16)", "another protocol", protocol=PROTOCOLS["h36m-16"])


def test_a_sequence_with_more_frames_in_one_file_is_named(pair):
    paths = pair(
        {"poses": poses(frames=11)[0], "sequence": np.delete(SEQUENCE, 6)}, {"sequence": SEQUENCE}
    )

    refused(paths, *paths, "sequence 'S9 b' has 3 frames", "4 in", "none is cut to fit")


def test_names_that_would_garble_a_terminal_or_fill_it_are_refused(pair):
    paths = pair(truth={"activity": np.where(np.arange(FRAMES) < 2, "\x1b[2J", "Eating")})
    refused(paths, *paths, r"activity '\x1b[2J' is no name", "printable text")

    paths = pair(truth={"sequence": np.full(FRAMES, "S9 " + 300 * "x")})
    refused(paths, "sequence 'S9 xxx", "at most 200 letters")


def test_an_activity_for_every_frame_is_refused(pair):
    frames = 1001
    predicted, target = poses(frames=frames)
    paths = pair({"poses": predicted}, {"poses": target, "activity": np.arange(frames)})

    refused(paths, *paths, "activity has 1,001 different names", "the clip as `sequence`")


def test_files_whose_labels_disagree_are_refused(pair):
    other = ACTIVITY.copy()
    other[[7, 9]] = "Sitting"
    paths = pair({"activity": other}, {"activity": ACTIVITY})

    refused(paths, *paths, "activity of frame 7 is 'Sitting'", "'Eating'", "same order")


def test_millimetres_are_recognised(pair):
    predicted, target = poses()
    truth = pair(truth={"poses": 1000 * target})
    refused(truth, truth[1], "m or more from Hip", "divide millimetres by 1000")

    mine = pair({"poses": 1000 * predicted})
    assert any(
        "divide them by 1000 if they are in millimetres" in n
        for n in score_files(*mine, H36M).notes
    )


def test_the_command_refuses_names_that_are_none(pair):
    paths = pair()

    assert_refused(here("score", *paths, "--protocol", "h36m"), "'h36m'", "h36m-17", "cross-14")
    assert_refused(here("score", *paths), "--protocol")
    adapted = here("score", *paths, "--protocol", "3dhp-14", "--adapt", "luck")
    assert_refused(adapted, "'luck'", "hip-shift, bone-length, own-width")
    refused(paths, "no adaptation 'luck'", error=ConfigError, adaptations=["luck"])


def test_the_official_order_is_that_of_the_protocol():
    assert PROTOCOLS["3dhp-14"].skeletons == (MPI_INF_3DHP_17,)
