"""OpenPose's JSON: one file a frame, in a folder, or one file alone.

Layout: ``write_json`` of OpenPose 1.0 to 1.7, ``{"version": 1.3, "people": [{"person_id": [-1],
"pose_keypoints_2d": [x, y, c, ...]}]}`` in files named ``NAME_000000000012_keypoints.json``
(``pose_keypoints`` before 1.2). Px, as ``--keypoint_scale 0`` writes them. A missing joint is
0, 0, 0. Ids are there only if ``person_id`` is not -1.

Source: OpenPose's documentation of its output (``doc/02_output.md``).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats.assembly import Detection, Origin, assemble, identity, span_of
from graphlift.formats.json_files import entries, read_json, triples
from graphlift.formats.request import Request
from graphlift.sequences import Keypoints
from graphlift.skeletons import OPENPOSE_BODY_25, OPENPOSE_COCO_18
from graphlift.words import listed

_NUMBERED = re.compile(r"^(?P<clip>.*?)(?P<frame>\d{1,15})(?:_keypoints)?\.json$")


def read_folder(folder: Path, request: Request) -> Keypoints:
    """Read a folder of one file a frame. A number without a file is a frame with nobody.

    Raises:
        DatasetNotFoundError: If there is no JSON file in it.
        FormatError: If a file is not as above, files are of two clips or two skeletons, a name
            has no frame number, or nobody is in any.
    """
    files = _numbered(folder)
    frames = span_of(files, str(folder), request)
    gaps = len(frames) - len(files)
    origin = _origin(str(folder)).noting(
        f"{len(frames)} frames, {frames[0]} to {frames[-1]}",
        f"{gaps} without a file taken as nobody" if gaps else "",
    )
    seen = (
        person
        for frame, path in sorted(files.items())
        for person in _people(read_json(path, request.max_bytes), path, frame)
    )
    return assemble(seen, origin, request, frames=frames)


def from_frame(data: Any, path: Path, request: Request) -> Keypoints:  # noqa: ANN401
    """Make keypoints of one file's content: a single frame."""
    return assemble(_people(data, path, 0), _origin(str(path)), request, frames=range(1))


def _origin(where: str) -> Origin:
    return Origin("OpenPose JSON", where, usual=(OPENPOSE_BODY_25, OPENPOSE_COCO_18))


def _numbered(folder: Path) -> dict[int, Path]:
    """List a folder's files by frame number."""
    files = sorted(folder.glob("*.json"))
    files = [path for path in files if path.stem.endswith("_keypoints")] or files
    if not files:
        raise DatasetNotFoundError(
            f"no keypoints in {folder}: a folder should hold OpenPose's files, one a frame, such "
            "as walk_000000000000_keypoints.json"
        )
    if len(files) == 1:
        return {0: files[0]}
    clips: dict[str, dict[int, Path]] = {}
    for path in files:
        match = _NUMBERED.match(path.name)
        if match is None:
            raise FormatError(
                f"{path}: has no frame number in its name: name it as OpenPose does, such as "
                f"{path.stem.removesuffix('_keypoints')}_000000000012_keypoints.json"
            )
        frames = clips.setdefault(match["clip"], {})
        if int(match["frame"]) in frames:
            raise FormatError(
                f"{path}: is frame {int(match['frame'])}, as {frames[int(match['frame'])].name} "
                "is: keep one of them"
            )
        frames[int(match["frame"])] = path
    if len(clips) > 1:
        raise FormatError(
            f"{folder}: holds {len(clips)} clips ({listed(sorted(clips), 5)}): put each into "
            "a folder of its own"
        )
    return next(iter(clips.values()))


def _people(data: Any, path: Path, frame: int) -> Iterator[Detection]:  # noqa: ANN401
    if not isinstance(data, dict) or "people" not in data:
        raise FormatError(
            f'{path}: is not as OpenPose writes it: there is no "people"; take other files out '
            "of the folder"
        )
    for number, person in enumerate(entries(data["people"], f"{path}: people")):
        flat = person.get("pose_keypoints_2d", person.get("pose_keypoints"))
        if flat:  # a face or a hand alone has no body
            where = f"{path}: pose_keypoints_2d of person {number}"
            yield Detection(frame, triples(flat, where), identity(person.get("person_id")))
