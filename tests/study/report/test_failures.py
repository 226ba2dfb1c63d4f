"""The worst frames: gathered, listed, drawn, and left out of what is published."""

from dataclasses import replace

import publish_study
import pytest
from helpers.fake_results import fake_result, write_results
from publish_study import without_poses

from graphlift.study.grid import Study
from graphlift.study.report import write_report
from graphlift.study.report.failures import choose, gallery
from graphlift.study.results import RESULTS, read_results


def publish(study, out):
    publish_study.main([str(study), str(out)])


def test_the_gallery_shows_the_worst_frame_of_each_clip():
    runs = [fake_result(seed=seed) for seed in (0, 1)]

    found = gallery(Study(runs))

    everything = [f for run in runs for f in run.failures]
    assert found.frames[0].mpjpe_mm == max(f.mpjpe_mm for f in everything)
    drawn = choose(found.frames, 6)
    assert drawn[0] is found.frames[0]
    assert len({f.clip for f in drawn}) == len(drawn) == 6
    assert found.skeleton.name == "h36m-16"


def test_a_frame_that_fails_with_every_seed_counts_once():
    one, other = fake_result(seed=0), fake_result(seed=1)  # the same eight frames, other poses
    moved = replace(other, failures=[replace(f, camera=f.camera + 4) for f in other.failures])

    same, more = gallery(Study([one, other])), gallery(Study([one, moved]))

    assert len(same.frames) == sum(count for _, count in same.worst_kinds) == 8
    assert same.seeds == [2] * 8
    pairs = zip(one.failures, other.failures, strict=True)
    assert [f.mpjpe_mm for f in same.frames] == sorted(
        (max(a.mpjpe_mm, b.mpjpe_mm) for a, b in pairs), reverse=True
    )
    assert len(more.posed) == 16
    assert len({frame.clip for frame in more.posed}) == 8


def test_lines_without_poses_name_the_worst_frames_and_draw_none(tmp_path):
    runs = [fake_result(seed=seed) for seed in (0, 1)]
    full = write_report(write_results(tmp_path / "full", runs)).md.read_text()
    bare = write_report(write_results(tmp_path / "bare", map(without_poses, runs))).md.read_text()

    def table(text):
        part = text.partition("The worst frames of decoupled pre-aggregation, GT, mm")[2]
        return [line.split(" | ") for line in part.splitlines() if line.startswith("|")]

    assert "figures/failures.svg" in full
    assert "figures/failures.svg" not in bare
    assert "kept 8 distinct frames of 8 clips" in full
    assert "distinct frames" not in bare
    assert [row[:-1] for row in table(full)[:10]] == [row[:-1] for row in table(bare)[:10]]
    assert len(table(full)) >= 10


def test_published_lines_hold_no_pose_and_the_report_beside_them_has_its_drawings(tmp_path):
    runs = [fake_result(seed=seed) for seed in (0, 1)]
    study, out = write_results(tmp_path / "study", runs), tmp_path / "docs" / "open"
    before = (study / RESULTS).read_bytes()

    lines_with_path = (study / RESULTS).read_text()
    (study / RESULTS).write_text(lines_with_path.replace('"mocap"', '"/somewhere/private/mocap"'))
    publish(study, out)
    (study / RESULTS).write_text(lines_with_path)

    assert "private" not in (out / RESULTS).read_text()
    lines = read_results(out / RESULTS)
    assert lines == [without_poses(run) for run in read_results(study / RESULTS)]
    assert not any(
        len(part)
        for run in lines
        for f in run.failures
        for part in (f.keypoints, f.predicted, f.truth)
    )
    assert [f.mpjpe_mm for run in lines for f in run.failures] == [
        f.mpjpe_mm for run in runs for f in run.failures
    ]
    write_report(study)
    for name in ("report.html", "report.md", "figures/failures.svg"):
        assert (out / name).read_bytes() == (study / name).read_bytes()
    assert (study / RESULTS).read_bytes() == before


def test_a_study_is_not_published_onto_itself_nor_in_pieces(tmp_path, capsys):
    study, out = write_results(tmp_path / "study", [fake_result()]), tmp_path / "out"
    before = (study / RESULTS).read_bytes()

    with pytest.raises(SystemExit):
        publish(study, study / ".." / "study")
    assert "give another" in capsys.readouterr().err
    assert (study / RESULTS).read_bytes() == before
    (study / RESULTS).write_bytes(before + before[:99])
    with pytest.raises(SystemExit):
        publish(study, out)
    assert "line 2: not a result" in capsys.readouterr().err
    assert not out.exists()


def test_a_frame_of_another_joint_count_is_not_drawn():
    broken = replace(fake_result().failures[0], truth=[[0.0, 0.0, 0.0]])

    assert gallery(Study([replace(fake_result(), failures=[broken])])) is None
