"""Getting a detector's weights, and a folder of videos, from outside."""

import pytest
from helpers.command import assert_refused, command, here
from test_no_torch import COMMAND, bare

from graphlift.cli.folders import through_folder
from graphlift.cli.progress import detecting_bar
from graphlift.errors import ConfigError, FormatError
from graphlift.video.frames import videos_in
from graphlift.video.weights import MODELS


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache, pip without an index, no npm."""
    monkeypatch.setenv("GRAPHLIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PATH", "")
    return tmp_path


def test_weights_that_cannot_be_fetched_name_the_package_and_the_way_out(offline):
    said = command("model", "get", "blazepose")

    assert said.status == 2
    fetching, also, refusal = said.err.splitlines()
    assert fetching == "fetching mediapipe==0.10.21 with pip"
    assert also == "fetching @mediapipe/pose@0.5.1675469404 with npm"
    assert refusal.startswith("graphlift: the weights of blazepose could not be fetched: pip ")
    assert refusal.endswith("run: graphlift model get blazepose --from FILE")


def test_a_file_that_is_not_the_package_is_refused(offline):
    (offline / "mediapipe.whl").write_bytes(b"PK\x03\x04 not really")

    said = here("model", "get", "blazepose", "--from", offline / "mediapipe.whl")

    assert_refused(said, offline / "mediapipe.whl", "not a package", "download it again")
    assert not (offline / "cache").exists()


def test_unknown_weights_are_refused_by_name(offline):
    assert_refused(here("model", "get", "hrnet"), "'hrnet'", *MODELS)


def test_the_missing_extra_is_named(offline):
    said = bare(COMMAND, "model", "get", "blazepose", banned={"tflite"})

    assert_refused(said, "this verb needs tflite: pip install 'graphlift[video]'")


@pytest.fixture
def folder(tmp_path):
    for name in ("a.mp4", "b.mov", "c.avi", "notes.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def copy(video, output):
    if video.name == "b.mov":
        raise FormatError(f"{video}: broken")
    output.write_text(video.read_text().upper())


def test_a_folder_goes_on_after_a_failure_and_skips_what_is_there(folder, capsys):
    out = folder / "out"
    out.mkdir()
    (out / "a.bvh").write_text("kept")

    passed = through_folder(videos_in(folder), out, ".bvh", copy)

    assert (passed.done, passed.skipped) == (("c.avi",), ("a.mp4",))
    assert passed.failed == (("b.mov", f"{folder / 'b.mov'}: broken"),)
    assert str(passed) == "1 done, 1 skipped (already there), 1 failed: b.mov"
    assert (out / "a.bvh").read_text() == "kept"
    assert (out / "c.bvh").read_text() == "C.AVI"
    assert f"b.mov left out: {folder / 'b.mov'}: broken" in capsys.readouterr().err


def test_files_of_several_people_count_as_there(folder):
    """``x.bvh`` of several people is ``x.NAME.bvh``; another video's file is not one of them."""
    for name in ("c.2.avi", "c.0.bvh", "a.b.mp4", "a.b.bvh"):
        (folder / name).write_text(name)
    (folder / "b.mov").unlink()

    passed = through_folder(videos_in(folder), folder, ".bvh", copy)

    assert passed.skipped == ("a.b.mp4", "c.avi")
    assert passed.done == ("a.mp4", "c.2.avi")


def test_everything_is_made_again_if_asked_for(folder):
    (folder / "b.mov").unlink()
    through_folder(videos_in(folder), folder, ".bvh", copy)
    (folder / "a.bvh").write_text("old")

    passed = through_folder(videos_in(folder), folder, ".bvh", copy, again=True)

    assert passed.done == ("a.mp4", "c.avi")
    assert (folder / "a.bvh").read_text() == "A.MP4"


def test_two_videos_of_one_name_are_refused_before_any_is_worked_on(folder):
    (folder / "a.mov").touch()

    with pytest.raises(ConfigError, match=r"a\.mov and .*a\.mp4 would both become .*a\.bvh"):
        through_folder(videos_in(folder), folder / "out", ".bvh", copy)
    assert not (folder / "out").exists()


def test_the_bar_is_silent_where_nobody_looks(capsys):
    with detecting_bar("clip.mp4") as show:
        show(1, None)
        show(2, 3)

    assert capsys.readouterr() == ("", "")
