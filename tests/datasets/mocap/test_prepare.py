import shutil

import numpy as np
import pytest
from data.mocap import make
from hypothesis import given
from hypothesis import strategies as st

from graphlift.datasets import Clip
from graphlift.datasets.mocap.pack import read_pack
from graphlift.datasets.mocap.prepare import (
    PrepareOptions,
    centre,
    find_recordings,
    prepare_mocap,
    read_activity_table,
    resample,
)
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.skeletons import H36M_17

ARM = {"lhumerus": (0, 0, 90)}


@pytest.fixture
def cmu(tmp_path):
    """A folder laid out as CMU's, two subjects, nine frames a clip, the arm up in frame 4."""
    for subject in ("01", "02"):
        folder = tmp_path / "subjects" / subject
        folder.mkdir(parents=True)
        (folder / f"{subject}.asf").write_text(make.asf())
        for take in ("01", "02"):
            frames = [ARM if frame == 4 else {} for frame in range(9)]
            (folder / f"{subject}_{take}.amc").write_text(make.amc(frames))
    return tmp_path / "subjects"


def moving(frames, fps):
    """A clip that says in z of its hip which frame of the source each frame is."""
    positions = np.zeros((frames, 17, 3))
    positions[:, 0, 2] = np.arange(frames)
    return Clip("c", "S", "walk", fps, positions)


def sources(clip):
    return clip.positions[:, 0, 2].tolist()


def test_a_cmu_folder_becomes_a_pack_of_every_fourth_frame(cmu, tmp_path):
    out = tmp_path / "deep" / "cmu.npz"

    written, refused = prepare_mocap(
        cmu, out, PrepareOptions(), license="free", source="drawn by hand"
    )

    pack = read_pack(out)
    assert refused == {}
    assert len(pack) == len(written) == 12
    assert (pack.license, pack.source) == ("free", "drawn by hand")
    assert [(clip.name, clip.subject, clip.fps, len(clip.positions)) for clip in pack.clips] == [
        (f"{subject}_{take}", subject, 30, 3) for subject in ("01", "02") for take in ("01", "02")
    ]
    wrist = pack.clips[0].positions[:, H36M_17.joints.index("LWrist"), 2]
    np.testing.assert_allclose(wrist, [1.38, 1.9, 1.38], atol=0.0006)


def test_bvh_and_acclaim_mix_and_folders_name_subjects(cmu, tmp_path):
    (cmu / "anna").mkdir()
    shutil.copy(make.HERE / "daz.bvh", cmu / "anna" / "dance.BVH")

    written, _ = prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions())

    assert [(clip.name, clip.subject) for clip in written.clips][-1] == ("dance", "anna")
    assert written.clips[-1].provenance == "daz-bvh, 0.0254 m a unit"


def test_stems_that_repeat_become_paths(cmu):
    shutil.copy(cmu / "01" / "01_01.amc", cmu / "02" / "01_01.amc")

    names = list(find_recordings(cmu))

    assert names == ["01/01_01", "01_02", "02/01_01", "02_01", "02_02"]


def test_the_same_clip_twice_is_refused(cmu):
    shutil.copy(make.HERE / "daz.bvh", cmu / "01" / "01_01.bvh")

    with pytest.raises(FormatError, match=r"01_01\.amc and .*01_01\.bvh would both be clip"):
        find_recordings(cmu)


def test_of_several_skeletons_the_one_of_the_longest_common_name_is_taken(cmu, tmp_path):
    tall = make.asf(unit=make.CMU).replace(f"length {0.45:g}", "length 0.40")
    (cmu / "01" / "0.asf").write_text(tall)
    (cmu / "01" / "02.asf").write_text(tall)

    written, _ = prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions())

    assert written.clips[0].subject == "01"


@pytest.mark.parametrize("keep_going", [False, True])
def test_an_amc_without_its_skeleton_is_refused(cmu, tmp_path, keep_going):
    (cmu / "02" / "02.asf").unlink()
    message = r"02_01\.amc: no \.asf in its folder.*put the skeleton beside it"

    if not keep_going:
        with pytest.raises(FormatError, match=message):
            prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions())
        assert not (tmp_path / "p.npz").exists()
        return
    written, refused = prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions(), keep_going=True)

    assert len(written.clips) == 2
    assert [path.name for path in refused] == ["02_01.amc", "02_02.amc"]


def test_a_bad_file_stops_the_work_or_is_listed_with_its_reason(cmu, tmp_path):
    bad = cmu / "01" / "01_02.amc"
    bad.write_text(bad.read_text()[:-40])

    with pytest.raises(FormatError, match=r"01_02\.amc, line .*cut short"):
        prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions())
    assert not (tmp_path / "p.npz").exists()

    written, refused = prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions(), keep_going=True)
    assert [clip.name for clip in written.clips] == ["01_01", "02_01", "02_02"]
    assert list(refused) == [bad]
    assert "cut short" in refused[bad]


def test_nothing_usable_is_an_error_even_when_going_on(cmu, tmp_path):
    for path in cmu.rglob("*.asf"):
        path.write_text("")

    with pytest.raises(FormatError, match=r"of 4 recordings none can be used; the first: "):
        prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions(), keep_going=True)


def test_a_failed_run_leaves_the_old_pack(cmu, tmp_path):
    out = tmp_path / "p.npz"
    prepare_mocap(cmu, out, PrepareOptions())
    before = out.read_bytes()
    (cmu / "01" / "01_02.amc").write_text("nonsense")

    with pytest.raises(FormatError):
        prepare_mocap(cmu, out, PrepareOptions())

    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.npz", "subjects"]


def test_an_empty_or_missing_folder_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DatasetNotFoundError, match=r"no \.bvh or \.amc files under"):
            prepare_mocap(folder, tmp_path / "p.npz", PrepareOptions())


def test_a_pack_must_be_an_npz(cmu, tmp_path):
    with pytest.raises(FormatError, match=r"a pack is an \.npz"):
        prepare_mocap(cmu, tmp_path / "pack", PrepareOptions())


def test_skipped_frames_are_at_the_start_and_at_the_rate_of_the_file(cmu, tmp_path):
    written, _ = prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions(skip=4))

    wrist = written.clips[0].positions[:, H36M_17.joints.index("LWrist"), 2]
    np.testing.assert_allclose(wrist, [1.9, 1.38], atol=1e-5)
    with pytest.raises(FormatError, match="nothing is left"):
        prepare_mocap(cmu, tmp_path / "p.npz", PrepareOptions(skip=9))


@pytest.mark.parametrize(
    "wrong",
    [{"fps": 0.0}, {"fps": 2e4}, {"to_fps": float("nan")}, {"scale": float("inf")}, {"skip": -1}],
)
def test_impossible_choices_are_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PrepareOptions(**wrong)


def test_who_goes_further_than_a_pack_can_say_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    lines = make.bvh(make.FAMILIES["h36m"][1], unit=1.0, frames=3).splitlines()
    lines = [line.replace("0.0333333", "3") for line in lines]
    for frame in range(3):
        lines[frame - 3] = f"{40 * frame} " + lines[frame - 3].split(" ", 1)[1]
    (tmp_path / "a" / "run.bvh").write_text("\n".join(lines))

    with pytest.raises(FormatError, match=r"goes 40.* m from its middle, but a pack holds 32 m"):
        prepare_mocap(tmp_path / "a", tmp_path / "p.npz", PrepareOptions(to_fps=1 / 3))


def test_a_whole_multiple_takes_every_nth_frame():
    assert sources(resample(moving(9, 120.0), 30.0)) == [0, 4, 8]
    assert sources(resample(moving(3, 30.0), 30.0)) == [0, 1, 2]


def test_ntsc_is_decimated_and_keeps_its_own_rate():
    clip = resample(moving(5, 60 / 1.001), 30.0)

    assert sources(clip) == [0, 2, 4]
    assert clip.fps == pytest.approx(29.97, abs=0.001)


def test_other_rates_are_refused_with_two_ways_out():
    with pytest.raises(
        FormatError, match=r"100 .* no multiple of 30: give --to-fps 33\.3.*neares"
    ):
        resample(moving(9, 100.0), 30.0)
    with pytest.raises(FormatError, match=r"has 24 .*fewer than 30.*give --to-fps 24 or less"):
        resample(moving(9, 24.0), 30.0, nearest=True)


@given(st.integers(1, 60), st.floats(30.5, 250), st.floats(5, 30))
def test_nearest_frames_are_the_nearest_in_time(frames, fps, to_fps):
    clip = resample(moving(frames, fps), to_fps, nearest=True)

    for place, source in enumerate(sources(clip)):
        wanted = place / clip.fps * fps
        assert abs(source - wanted) <= min(abs(other - wanted) for other in range(frames)) + 1e-6
    assert len(clip.positions) >= 1


def test_the_hip_goes_as_far_to_either_side():
    positions = np.zeros((3, 17, 3))
    positions[:, 0] = [[1, 5, 1], [2, 5, 1], [7, 6, 1]]

    hip = centre(positions)[:, 0]

    np.testing.assert_allclose(hip, [[-3, -0.5, 1], [-2, -0.5, 1], [3, 0.5, 1]])


def test_activities_come_from_a_table(cmu, tmp_path):
    table = tmp_path / "table.csv"
    rows = [f"{s}_{t},word,walk" for s in ("01", "02", "99") for t in ("01", "02")]
    table.write_text("\n".join(["clip,text,activity", *rows]), encoding="utf-8-sig")

    written, _ = prepare_mocap(
        cmu, tmp_path / "p.npz", PrepareOptions(activities=read_activity_table(table))
    )

    assert {clip.activity for clip in written.clips} == {"walk"}
    table.write_text("clip,activity\n01_01,walk\n")
    with pytest.raises(FormatError, match=r"01_02\.amc: clip 01_02 is not in the table"):
        prepare_mocap(
            cmu, tmp_path / "p.npz", PrepareOptions(activities=read_activity_table(table))
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the header is none, but should hold clip and activity"),
        (b"name,activity\n", "line 1: the header is name, activity"),
        (b"clip,activity\na,walk\nb\n", "line 3: clip 'b', activity None"),
        (b"clip,activity\na,walk\na,run\n", "line 3: clip 'a', activity 'run'"),
        (b"clip,activity\n\xff\xfe,walk\n", "is no CSV in UTF-8"),
        (b'clip,activity\n"' + b"a" * 200_000, "is no CSV"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)

    with pytest.raises(FormatError, match=message):
        read_activity_table(tmp_path / "t.csv")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"no table of activities at .*t\.csv"):
        read_activity_table(tmp_path / "t.csv")
