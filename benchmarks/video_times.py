"""Times of a video's frames as OpenCV gives them, against PyAV's.

    pip install av
    python benchmarks/video_times.py [VIDEO ...]

Without a video, made-up ones are compared: 20 frames a sixtieth of a second apart, then 20 a
twentieth, in the containers and codecs that this PyAV can write; then one of them cut in half.
Prints, for each, the frames that both read and how far their times are apart at most, measured
from the first frame.
"""

import argparse
import os
import tempfile
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import av
import cv2
import numpy as np

KINDS = {
    "h264.mp4": "libx264",  # with frames out of order
    "mpeg4.mp4": "mpeg4",
    "h264.mov": "libx264",
    "h264.mkv": "libx264",
    "vp8.webm": "libvpx",
    "h264.mts": "libx264",
    "mpeg4.avi": "mpeg4",
    "animated.gif": "gif",
    "bare.h264": "libx264",
}
STEPS = [1] * 20 + [3] * 20
RATE = 60


def write(path, codec):
    """Write a video of noise with uneven steps, in 60ths of a second."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", format="mpegts" if path.suffix == ".mts" else None) as file:
        stream = file.add_stream(codec, rate=RATE)
        stream.width, stream.height = 160, 120
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for time in np.cumsum([0, *STEPS[:-1]]).tolist():
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (120, 160, 3), np.uint8))
            frame.pts, frame.time_base = time, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def opencv(path):
    capture, times = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), []
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    return times


def pyav(path):
    try:
        with av.open(str(path)) as file:
            return [frame.time for frame in file.decode(video=0)]
    except (av.FFmpegError, IndexError):
        return []


def compare(path):
    ours, theirs = opencv(path), pyav(path)
    both = min(len(ours), len(theirs))
    said = "no times" if both and (None in theirs or not any(ours)) else "no frames"
    if both and said == "no frames":
        apart = np.subtract(ours[:both], ours[0]) - np.subtract(theirs[:both], theirs[0])
        said = f"{np.abs(apart).max() * 1e6:.3f} µs apart at most"
    print(f"{path.name:<16} OpenCV {len(ours):>3}, PyAV {len(theirs):>3} frames: {said}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="*", type=Path)
    videos = parser.parse_args().videos
    print(f"OpenCV {cv2.__version__}, PyAV {av.__version__}")
    if videos:
        for path in videos:
            compare(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in KINDS.items():
            path = Path(folder) / name
            try:
                write(path, codec)
            except (av.FFmpegError, ValueError) as error:
                print(f"{name:<16} not written by this PyAV: {error}")
                continue
            compare(path)
        whole = Path(folder) / "h264.mkv"
        cut = whole.with_name("cut.mkv")
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        compare(cut)


if __name__ == "__main__":
    main()
