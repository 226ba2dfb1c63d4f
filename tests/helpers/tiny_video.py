"""Videos of a few frames."""

import cv2
import numpy as np

SIZE = (64, 48)


def picture(frame, size=SIZE):
    """Dark, with a bright square that moves right by a square a frame; RGB, mostly red."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    x = 8 * frame % size[0]
    image[8:16, x : x + 8] = (250, 60, 20)
    return image


def write_video(path, frames=5, *, fps=25.0, size=SIZE):
    """An MPEG-4 video of that square."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
    for frame in range(frames):
        writer.write(cv2.cvtColor(picture(frame, size), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def atom(data, *path):
    """Where the content of a box of an .mp4 begins, and how long it is."""
    start, end = 0, len(data)
    for name in path:
        while data[start + 4 : start + 8] != name.encode():
            start += int.from_bytes(data[start : start + 4], "big")
            assert start < end, name
        end = start + int.from_bytes(data[start : start + 4], "big")
        start += 8
    return start, end - start


def set_times(path, steps):
    """Give each frame of an .mp4 that OpenCV wrote a step of its own to the next, s."""
    data = bytearray(path.read_bytes())
    start, size = atom(data, "moov", "trak", "mdia", "mdhd")
    scale = int.from_bytes(data[start + 12 : start + 16], "big")
    edits, _ = atom(data, "moov", "trak", "edts")
    data[edits - 4 : edits] = b"free"  # it says how long the track is shown
    way = ("moov", "trak", "mdia", "minf", "stbl", "stts")
    start, size = atom(data, *way)
    ticks = [round(step * scale) for step in steps]
    table = b"".join((1).to_bytes(4, "big") + each.to_bytes(4, "big") for each in ticks)
    for depth in range(1, len(way) + 1):
        inside, length = atom(data, *way[:depth])
        longer = length + 8 + 8 + len(table) - size
        data[inside - 8 : inside - 4] = longer.to_bytes(4, "big")
    data[start : start + size] = bytes(4) + len(ticks).to_bytes(4, "big") + table
    path.write_bytes(data)
    return path
