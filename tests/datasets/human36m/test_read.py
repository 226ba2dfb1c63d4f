"""Human3.6M in each of its layouts: the same people come out, through the cameras they went in."""

import hashlib
import tracemalloc

import numpy as np
import pytest
from helpers.tiny_h36m import (
    ACTIVITIES,
    CAMERAS,
    MOVING,
    PARENTS,
    SIXTEEN,
    SUBJECTS,
    TEST,
    TRAINING,
    filmed,
    people,
    person,
    rows,
    views,
    without_left_out,
    write_2d,
    write_hourglass,
    write_martinez,
    write_mmpose,
    write_raw,
    write_videopose3d,
)

from graphlift.datasets.human36m.calibration import published_cameras
from graphlift.datasets.human36m.facts import JOINTS_OF_32, PUBLISHED
from graphlift.datasets.human36m.read import read_h36m
from graphlift.datasets.licensed.pack import open_sequences, verify_sequences
from graphlift.datasets.licensed.prepare import prepare_licensed
from graphlift.datasets.licensed.reading import ReadOptions
from graphlift.errors import FormatError
from graphlift.skeletons import H36M_16, H36M_17

TABLE = published_cameras()
SOME = ["Directions", "Photo", "WalkDog"]
CLIPS = people(("S1", "S11"), SOME)
KEPT = without_left_out(CLIPS)
NECK = H36M_17.joints.index("Neck/Nose")


def read(folder, **options):
    reading = read_h36m(folder, ReadOptions(**{"partial": True} | options))
    return list(reading.sequences), reading


WRITERS = {
    "videopose3d": write_videopose3d,
    "martinez": write_martinez,
    "cdf": write_raw,
    "mmpose": lambda folder, clips: write_mmpose(folder, rows(clips, TABLE), cpn=False),
}


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_each_clip_through_each_camera(tmp_path, layout):
    WRITERS[layout](tmp_path, CLIPS)

    sequences, reading = read(tmp_path)

    assert reading.options == {"layout": layout, "joints": 17, "partial": True}
    names = [(s.subject, s.clip, s.camera) for s in sequences]
    expected = [(s, clip, c) for s, of in KEPT.items() for clip in of for c in CAMERAS]
    assert names == expected
    for sequence in sequences:
        world = CLIPS[sequence.subject][sequence.clip][:, MOVING]
        positions, px = filmed(world, TABLE[sequence.subject, sequence.camera])
        assert sequence.activity == sequence.clip.split(" ")[0]
        assert (sequence.fps, sequence.skeleton) == (50.0, H36M_17)
        assert sequence.valid.all()
        np.testing.assert_allclose(sequence.positions, positions, atol=2e-6)
        np.testing.assert_allclose(sequence.keypoints["gt"], px, atol=2e-3)


def test_the_left_out_clip_is_left_out_and_said_so(tmp_path):
    write_martinez(tmp_path, people(("S11",), SOME))

    sequences, reading = read(tmp_path)

    assert {s.clip for s in sequences} >= {"Directions 1", "Photo", "Photo 1"}
    assert "Directions" not in {s.clip for s in sequences}
    assert any("S11 Directions is left out" in note for note in reading.notes)
    assert not any("1 takes of Directions" in note for note in reading.notes)


def test_the_17_of_32_are_those_that_move_in_the_skeletons_order():
    assert list(JOINTS_OF_32) == MOVING
    for joint, of_32 in enumerate(JOINTS_OF_32):
        above = PARENTS[of_32]  # up the 32's own tree to the next joint that is kept
        while above >= 0 and above not in JOINTS_OF_32:
            above = PARENTS[above]
        if H36M_17.joints[joint] in ("LShoulder", "RShoulder"):
            assert above == 12
            above = 13  # in the 17 they hang on the thorax, not on the spine
        assert H36M_17.parents[joint] == (JOINTS_OF_32.index(above) if above >= 0 else -1)


def test_17_joints_of_3d_are_taken_as_they_are(tmp_path):
    write_videopose3d(tmp_path / "a", KEPT)
    write_videopose3d(
        tmp_path / "b", {s: {c: x[:, MOVING] for c, x in of.items()} for s, of in KEPT.items()}
    )

    for one, other in zip(read(tmp_path / "a")[0], read(tmp_path / "b")[0], strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)


@pytest.mark.parametrize("layout", ["videopose3d", "mmpose"])
def test_16_joints_are_17_without_neck_or_nose(tmp_path, layout):
    WRITERS[layout](tmp_path, KEPT)
    named = [joint.replace("Neck/Nose", "") for joint in H36M_17.joints]
    keep = [named.index(joint) for joint in H36M_16.joints]
    assert keep == [joint for joint in range(17) if joint != NECK]

    for one, other in zip(read(tmp_path)[0], read(tmp_path, joints=16)[0], strict=True):
        assert other.skeleton == H36M_16
        np.testing.assert_array_equal(one.positions[:, keep], other.positions)
        np.testing.assert_array_equal(one.keypoints["gt"][:, keep], other.keypoints["gt"])


# 2D from files


def shifted(seen, by, take=lambda px: px):
    """The same 2D so many px to the right; ``take`` changes joints or frames of each array."""
    return {
        s: {c: [take(px) + np.array([by, 0]) for px in cameras] for c, cameras in of.items()}
        for s, of in seen.items()
    }


def test_2d_is_read_by_kind_and_not_mixed_up(tmp_path):
    write_videopose3d(tmp_path / "data", KEPT)
    seen = views(KEPT, TABLE)
    write_2d(tmp_path / "data", shifted(seen, 0.5), "gt")
    write_2d(tmp_path / "data", shifted(seen, 7), "cpn_ft_h36m_dbb")
    sixteen = shifted(seen, 11, take=lambda a: np.delete(a, NECK, axis=1))
    write_2d(tmp_path / "data", sixteen, "sh_ft_h36m", joints=16)

    sequences, reading = read(tmp_path)

    for sequence in sequences:
        world = CLIPS[sequence.subject][sequence.clip][:, MOVING]
        px = filmed(world, TABLE[sequence.subject, sequence.camera])[1]
        assert list(sequence.keypoints) == ["gt", "cpn", "hg"]
        for kind, by in {"gt": 0.5, "cpn": 7, "hg": 11}.items():
            apart = sequence.keypoints[kind] - px
            if kind == "hg":
                assert np.isnan(apart[:, NECK]).all()
                apart = np.delete(apart, NECK, axis=1)
            np.testing.assert_allclose(apart, np.broadcast_to([by, 0], apart.shape), atol=2e-3)
    assert "hg: has no Neck/Nose, which is NaN in the 17 joints" in reading.notes
    assert {path.relative_to(tmp_path).as_posix() for path in reading.sources} == {
        f"data/data_{n}.npz"
        for n in ("3d_h36m", "2d_h36m_gt", "2d_h36m_cpn_ft_h36m_dbb", "2d_h36m_sh_ft_h36m")
    }


def test_hourglass_of_16_goes_into_16_joints_whole(tmp_path):
    write_videopose3d(tmp_path, KEPT)
    sixteen = shifted(views(KEPT, TABLE), 11, take=lambda a: np.delete(a, NECK, axis=1))
    write_2d(tmp_path, sixteen, "sh_ft_h36m", joints=16)

    sequences, reading = read(tmp_path, joints=16)

    assert all(np.isfinite(s.keypoints["hg"]).all() for s in sequences)
    assert not any("Neck/Nose" in note for note in reading.notes)


def test_martinez_hourglass_files_are_put_in_our_order(tmp_path):
    write_martinez(tmp_path, KEPT)
    sixteen = shifted(views(KEPT, TABLE), 3, take=lambda a: np.delete(a, NECK, axis=1))
    write_hourglass(tmp_path, sixteen)
    assert list(H36M_16.joints) == SIXTEEN

    sequences, _ = read(tmp_path, joints=16)

    for s in sequences:
        apart = s.keypoints["hg"] - s.keypoints["gt"]
        np.testing.assert_allclose(apart, np.broadcast_to([3, 0], apart.shape), atol=2e-3)


def test_16_joints_of_ground_truth_are_compared_with_the_3d_as_well(tmp_path):
    write_videopose3d(tmp_path, KEPT)
    sixteen = shifted(views(KEPT, TABLE), 0, take=lambda a: np.delete(a, NECK, axis=1))
    write_2d(tmp_path, sixteen, "gt", joints=16)
    assert len(read(tmp_path)[0]) == 4 * sum(map(len, KEPT.values()))

    write_2d(tmp_path, shifted(sixteen, 30), "gt", joints=16)
    with pytest.raises(
        FormatError, match=r"S1/Directions/54138969: .*30\.0 px from the projected"
    ):
        read(tmp_path)


def test_2d_that_goes_on_after_the_3d_is_cut_and_counted(tmp_path):
    write_videopose3d(tmp_path, KEPT)
    longer = shifted(views(KEPT, TABLE), 0, take=lambda a: np.concatenate([a, a[:2]]))
    write_2d(tmp_path, longer, "gt")

    sequences, reading = read(tmp_path)

    assert {len(s.keypoints["gt"]) for s in sequences} == {3}
    assert any(
        f"gt: {2 * len(sequences)} frames of 2D" in note and f"in {len(sequences)} views" in note
        for note in reading.notes
    )


def test_2d_of_people_without_3d_is_no_harm(tmp_path):
    write_videopose3d(tmp_path, KEPT)
    seen = views(KEPT, TABLE)
    seen["S2"] = {"Walking": seen["S1"]["Photo"]}
    seen["S11"]["Directions"] = seen["S11"]["Photo"]
    write_2d(tmp_path, seen, "gt")

    assert len(read(tmp_path)[0]) == 4 * sum(map(len, KEPT.values()))


@pytest.mark.parametrize("compress", [0, 6])
def test_cdf_files_may_be_compressed(tmp_path, compress):
    write_raw(tmp_path, people(("S9",), ["Sitting"], takes=("",)), compress=compress)

    assert len(read(tmp_path)[0]) == 4


def test_the_other_names_of_two_activities_are_the_same_clips(tmp_path):
    write_raw(tmp_path, people(("S9",), ["Photo", "WalkDog"]))
    assert (tmp_path / "S9/MyPoseFeatures/D3_Positions/TakingPhoto 1.cdf").is_file()

    clips = {(s.activity, s.clip) for s in read(tmp_path)[0]}

    assert clips == {(a, a + t) for a in ("Photo", "WalkDog") for t in ("", " 1")}


def test_metadata_xml_of_the_folder_is_preferred_and_told(tmp_path):
    from datasets.human36m.test_calibration import metadata, w0_of_table

    write_videopose3d(tmp_path, KEPT)
    _, without = read(tmp_path)
    (tmp_path / "metadata.xml").write_text(metadata(w0_of_table()))
    _, beside = read(tmp_path)

    assert "cameras: the published calibration that comes with graphlift" in without.notes
    assert "cameras: metadata.xml of the folder" in beside.notes
    assert "metadata.xml" in {source.name for source in beside.sources}


# Whether everything is there


def test_the_published_counts_are_asked_for():
    assert {part: total for part, (_, total) in PUBLISHED.parts.items()} == {
        "training": 1_559_752,
        "test": 543_344,
    }
    assert sum(PUBLISHED.counts.values()) == (7 * 15 * 2 - 1) * 4
    assert PUBLISHED.counts["S11", "Directions", CAMERAS[0]] == 1


def test_a_part_is_refused_at_the_end_unless_asked_for(tmp_path):
    write_videopose3d(tmp_path / "in", people(("S1", "S5", "S11"), SOME))

    with pytest.raises(FormatError) as told:
        prepare_licensed("h36m", tmp_path / "in", tmp_path / "out", ReadOptions())

    for words in ("not complete", "S1 has no takes of Discussion", "S6 has nothing", "--partial"):
        assert words in str(told.value)
    assert not (tmp_path / "out").exists()
    pack = prepare_licensed("h36m", tmp_path / "in", tmp_path / "out", ReadOptions(partial=True))
    assert "not complete: S6 has nothing" in pack.index.notes


def test_all_clips_with_too_few_frames_are_told_by_the_counts(tmp_path):
    """Every name is there, so only the number of poses gives the tiny copy away."""
    write_videopose3d(tmp_path, people(frames=1))

    with pytest.raises(FormatError) as told:
        read(tmp_path, partial=False)

    each = 15 * 2 * 4
    assert f"{len(TRAINING) * each} of 1,559,752" in str(told.value)
    assert f"{len(TEST) * each - 4} of 543,344" in str(told.value)
    assert "takes" not in str(told.value)
    assert (len(SUBJECTS), len(ACTIVITIES)) == (7, 15)


# To a pack


@pytest.mark.parametrize("layout", WRITERS)
def test_a_folder_becomes_a_pack(tmp_path, layout):
    WRITERS[layout](tmp_path / "in", KEPT)

    pack = prepare_licensed(
        "h36m", tmp_path / "in", tmp_path / "packs" / "h36m", ReadOptions(partial=True)
    )

    verify_sequences(open_sequences(tmp_path / "packs" / "h36m"))
    assert pack.index.name == "h36m-17"
    assert pack.index.counts == {s: 3 * 4 * len(of) for s, of in KEPT.items()}
    assert pack.index.options["layout"] == layout
    for source in pack.index.sources:
        content = (tmp_path / "in" / source.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == source.sha256
    for sequence in pack:
        lens = TABLE[sequence.subject, sequence.camera]
        again = sequence.positions.astype("f8") @ lens.R + lens.position
        px = filmed(again, sequence.lens)[1]
        np.testing.assert_allclose(sequence.keypoints["gt"], px, atol=1e-2)


def test_a_pack_is_the_same_from_every_layout_of_world_axes(tmp_path):
    packs = []
    for layout in ("videopose3d", "martinez", "cdf"):
        WRITERS[layout](tmp_path / layout, KEPT)
        out = tmp_path / f"{layout}-pack"
        packs.append(prepare_licensed("h36m", tmp_path / layout, out, ReadOptions(partial=True)))

    for other in packs[1:]:
        assert [e.clip for e in other.index.sequences] == [
            e.clip for e in packs[0].index.sequences
        ]
        np.testing.assert_allclose(other.positions, packs[0].positions, atol=2e-6)


def test_preparing_holds_the_raw_file_and_one_clip_at_a_time(tmp_path):
    """Thirty clips of 600 frames: what is held is far from the pack's 24 MB."""
    walked = person(600, 0)[np.arange(600) % 100].astype("f4")
    clips = {"S1": {f"{a}{t}": walked.copy() for a in ACTIVITIES for t in ("", " 1")}}
    write_videopose3d(tmp_path / "in", clips)
    stored = sum(x.nbytes for x in clips["S1"].values())
    del clips
    write_videopose3d(tmp_path / "warm", people(("S1",), ["Photo"]))
    prepare_licensed(
        "h36m", tmp_path / "warm", tmp_path / "out", ReadOptions(partial=True)
    )  # imports

    tracemalloc.start()
    pack = prepare_licensed("h36m", tmp_path / "in", tmp_path / "out", ReadOptions(partial=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert pack.frames == 30 * 4 * 600
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) > 24e6
    assert peak < stored + 3e6
