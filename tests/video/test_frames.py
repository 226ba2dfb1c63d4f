"""Frames come upright, in RGB, all of them; what is no video says so in one line."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from helpers.tiny_video import SIZE, atom, picture, write_video

from graphlift.errors import FormatError
from graphlift.video.frames import open_video, videos_in


def write_images(folder, names, size=SIZE):
    folder.mkdir()
    for frame, name in enumerate(names):
        cv2.imwrite(str(folder / name), cv2.cvtColor(picture(frame, size), cv2.COLOR_RGB2BGR))
    return folder


def close(image, expected):
    """Whether the square is where it should be, in its colour."""
    bright = (image.max(axis=2) > 100) | (expected.max(axis=2) > 100)
    return bright.any() and np.abs(image.astype(int) - expected)[bright].mean() < 40


def refused(source, *words):
    with pytest.raises(FormatError) as caught:
        list(open_video(source).frames())
    assert all(word in str(caught.value) for word in [str(source), *words]), caught.value


def test_a_video_gives_its_frames_in_order(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 5, fps=30)

    video = open_video(path)
    frames = list(video.frames())

    assert (video.size, video.fps, video.count, video.notes) == (SIZE, 30, 5, ())
    assert len(frames) == 5
    assert all(close(image, picture(k)) for k, image in enumerate(frames))
    assert not close(frames[0], picture(3))


def test_frames_can_be_read_again(tmp_path):
    video = open_video(str(write_video(tmp_path / "clip.mp4", 3)))

    assert len(list(video.frames())) == len(list(video.frames())) == 3


def test_nothing_is_printed_about_broken_files(tmp_path):
    path = write_video(tmp_path / "partial.mp4", 40)
    data = table_first(path.read_bytes())
    path.write_bytes(data[: len(data) - len(data) // 4])
    (tmp_path / "text.mp4").write_bytes(b"This is no video.\n" * 50)
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 9])
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    script = """
import sys
from graphlift.errors import FormatError
from graphlift.video.frames import open_video
for source in sys.argv[1:]:
    try:
        list(open_video(source).frames())
    except FormatError:
        print("refused")
"""
    sources = [*map(str, sorted(tmp_path.iterdir())), "63"]

    run = subprocess.run(
        [sys.executable, "-c", script, *sources], capture_output=True, text=True, check=False
    )

    # Before OpenCV 4.12, libpng spoke past OpenCV's log.
    said = [line for line in run.stderr.splitlines() if not line.startswith("libpng error:")]
    assert (run.stdout, said) == ("refused\n" * 5, [])


def test_a_video_that_says_it_lies_on_its_side_comes_upright(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 3)
    data = bytearray(path.read_bytes())
    start, _ = atom(data, "moov", "trak", "tkhd")
    one, minus = (1 << 16).to_bytes(4, "big"), (-(1 << 16)).to_bytes(4, "big", signed=True)
    zero = bytes(4)
    matrix = zero + one + zero + minus + zero + zero + zero + zero + (1 << 30).to_bytes(4, "big")
    data[start + 40 : start + 76] = matrix  # a quarter turn clockwise
    path.write_bytes(data)

    video = open_video(path)
    frames = list(video.frames())

    assert video.size == (SIZE[1], SIZE[0])
    assert all(close(image, np.rot90(picture(k), -1)) for k, image in enumerate(frames))


def test_a_folder_of_images_is_sorted_by_the_numbers_in_its_names(tmp_path):
    names = [f"frame_{k}.png" for k in range(12)]
    folder = write_images(tmp_path / "images", names)
    (folder / "notes.txt").write_text("no image")

    video = open_video(folder)
    frames = list(video.frames())

    assert (video.size, video.fps, video.count) == (SIZE, None, 12)
    assert video.notes == ("images have no frame rate: it is unknown",)
    assert all((image == picture(k)).all() for k, image in enumerate(frames))


def test_one_image_is_a_clip_of_one_frame(tmp_path):
    folder = write_images(tmp_path / "images", ["ü 1.png"])

    video = open_video(folder / "ü 1.png", fps=50)

    assert (video.fps, video.notes) == (50, ())
    assert [image.shape for image in video.frames()] == [(SIZE[1], SIZE[0], 3)]


def test_a_given_frame_rate_replaces_the_files(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 2, fps=25)

    assert open_video(path, fps=50).fps == 50


def test_a_frame_rate_that_cannot_be_is_unknown(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 3)
    data = bytearray(path.read_bytes())
    start, _ = atom(data, "moov", "trak", "mdia", "mdhd")
    data[start + 12 : start + 16] = (90_000 * 512 * 25).to_bytes(4, "big")  # the time scale
    path.write_bytes(data)

    video = open_video(path)

    assert video.fps is None
    (note,) = video.notes
    assert "frame rate" in note
    assert "unknown" in note


def test_an_empty_file_says_so(tmp_path):
    (tmp_path / "clip.mp4").touch()

    refused(tmp_path / "clip.mp4", "empty file", "record it again")


@pytest.mark.parametrize("content", [b"This is no video.\n" * 50, bytes(range(256)) * 200])
def test_what_is_no_video_says_so(tmp_path, content):
    (tmp_path / "clip.mp4").write_bytes(content)

    refused(tmp_path / "clip.mp4", "no video that can be decoded", "convert it to H.264")


@pytest.mark.parametrize("start", [b"#EXTM3U\nother.mp4\n", b"ffconcat version 1.0\nfile a.mp4\n"])
def test_a_playlist_is_not_followed(tmp_path, start):
    write_video(tmp_path / "other.mp4")
    (tmp_path / "clip.mp4").write_bytes(start)

    refused(tmp_path / "clip.mp4", "playlist", "give the video itself")


def test_a_video_cut_before_its_table_says_so(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    refused(path, "cut off")


def table_first(data):
    """The same .mp4 with its table of frames before them, as for the web."""
    start, length = atom(data, "moov")
    moov = bytearray(data[start - 8 : start + length])
    rest = data[: start - 8] + data[start + length :]
    at, _ = atom(moov, "moov", "trak", "mdia", "minf", "stbl", "stco")
    entries = int.from_bytes(moov[at + 4 : at + 8], "big")
    for k in range(at + 8, at + 8 + 4 * entries, 4):
        moved = int.from_bytes(moov[k : k + 4], "big") + len(moov)
        moov[k : k + 4] = moved.to_bytes(4, "big")
    head = atom(rest, "ftyp")[1] + 8
    return rest[:head] + bytes(moov) + rest[head:]


def test_a_video_that_breaks_off_says_after_how_many_frames(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 40)
    data = table_first(path.read_bytes())
    path.write_bytes(data)
    assert len(list(open_video(path).frames())) == 40
    path.write_bytes(data[: len(data) - len(data) // 4])

    video, seen = open_video(path), []
    with pytest.raises(FormatError, match=r"clip\.mp4: breaks off after \d+ of 40 frames: copy"):
        seen.extend(video.frames())


def test_images_of_two_sizes_are_refused(tmp_path):
    folder = write_images(tmp_path / "images", ["1.png", "2.png"])
    cv2.imwrite(str(folder / "3.png"), picture(0, (32, 48)))

    refused(folder, "frame 2 is 32 × 48 px", "the first was 64 × 48", "one size")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n cut"])
def test_an_image_that_cannot_be_read_is_named(tmp_path, content):
    folder = write_images(tmp_path / "images", ["1.png"])
    (folder / "2.png").write_bytes(content)

    with pytest.raises(FormatError, match=r"2\.png: no image that can be read: take it out"):
        list(open_video(folder).frames())


def test_what_is_not_there_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4"):
        open_video(tmp_path / "gone.mp4")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no image in it", ".png")


def test_a_webcam_that_is_not_there_says_so():
    for source in (63, "63"):
        with pytest.raises(FormatError, match="webcam 63 gives no picture: plug it in"):
            open_video(source)


def test_a_folders_videos_are_listed_by_name(tmp_path):
    for name in ("b.MP4", "a.mov", "c.txt"):
        (tmp_path / name).touch()

    assert [path.name for path in videos_in(tmp_path)] == ["a.mov", "b.MP4"]
    (tmp_path / "none").mkdir()
    with pytest.raises(FormatError, match="none: no video in it"):
        videos_in(tmp_path / "none")
