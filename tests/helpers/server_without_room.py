"""A server whose folder of temporary files is full: run by ``serve/test_no_room.py``.

    unshare --mount python -m helpers.server_without_room FOLDER

mounts a file system of 1 MB at FOLDER, which no other process sees, and prints what the server
answered, as JSON: status and words by what was asked.
"""

import io
import itertools
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from helpers.served import ask, people, post_file, post_json, until
from helpers.small_disk import mount

from graphlift.serve.server import serving
from graphlift.serve.settings import Settings

LONG = 600
"""Frames; their motion as JSON has more than 1 MB."""


def npz(frames):
    file = io.BytesIO()
    np.savez(file, keypoints=people(frames), skeleton="coco-17", image_size=(640, 480), fps=30.0)
    return file.getvalue()


def job(address, content):
    """What became of a job."""
    said = post_file(address, "/jobs?format=json&raw=true", "walk.npz", content).json
    path = f"/jobs/{said['id']}"
    until(lambda: ask(address, "GET", path).json["state"] == "failed")
    failed = ask(address, "GET", path).json["error"]
    ask(address, "DELETE", path)
    return 0, failed


def answers(address, disk):
    """Ask for what there is no room for, then for what there is: what, the status, the words."""
    for what, said in asked(address, disk):
        yield what, said.status, said.body.decode()[:200]
    yield "motion of a job", *job(address, npz(LONG))


def asked(address, disk):
    large = b" " * 3_000_000
    short, long = npz(2), npz(LONG)

    def lift(content):
        return post_file(address, "/lift?format=json&raw=true", "walk.npz", content)

    yield "body", ask(address, "POST", "/lift", large, Content_Type="application/json")
    yield "form", post_file(address, "/lift", "walk.json", large)
    yield "video", post_file(address, "/jobs", "a.mp4", b"\0\0\0\x18ftypmp42" + large)
    yield "motion", lift(long)
    ballast = []
    try:
        for number in itertools.count():
            (disk / f"{number}").touch()
            ballast.append(disk / f"{number}")
    except OSError:
        pass
    for number in range(3):
        yield f"folder {number}", lift(short)
        yield f"folder of a job {number}", post_file(address, "/jobs", "walk.npz", short)
    for path in ballast:
        path.unlink()
    yield "afterwards", lift(short)
    frame = {"keypoints": people(1).tolist(), "skeleton": "coco-17", "image_size": [640, 480]}
    yield "a frame afterwards", post_json(address, "/lift?raw=true", frame)


def main():
    disk = Path(sys.argv[1])
    mount("-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "tmpfs", disk)
    tempfile.tempdir = str(disk)
    settings = Settings(port=0, models=("open-small",), waiting=0)
    with serving(settings) as address:
        said = {what: (status, words) for what, status, words in answers(address, disk)}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
