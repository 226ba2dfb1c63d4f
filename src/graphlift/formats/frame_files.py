"""A folder with one file a frame: OpenPose's, AlphaPose's, MMPose's and ultralytics'.

The content of the files shows which tool wrote them; the number at the end of each name is the
frame. A number without a file is a frame without people.

* *OpenPose*, also as Pose2Sim's RTMLib writes it, and AlphaPose's ``open``:
  :mod:`graphlift.formats.openpose`.
* *AlphaPose* ``cmu``: :mod:`graphlift.formats.alphapose`.
* *MMPose's inferencer on images*: ``NAME.json`` with the instances of the image ``NAME.jpg``,
  ``[]`` for no person: :mod:`graphlift.formats.mmpose`.
* *ultralytics* ``to_json``, and ``save_txt`` (in the folder or in ``labels`` below it):
  :mod:`graphlift.formats.ultralytics`.

Source: as in the modules named.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.formats import alphapose, mmpose, openpose, ultralytics
from graphlift.formats.assembly import Detection, alike, assemble
from graphlift.formats.frame_numbers import frames_noted, numbered, span_of
from graphlift.formats.json_files import read_json
from graphlift.formats.keypoint_source import MAX_BYTES, KeypointSource
from graphlift.sequences import Keypoints
from graphlift.skeletons import Skeleton

_LOOKED_AT = 100
"""Files without people, which may be of any kind, that are tried before a folder is refused."""


class _Kind(NamedTuple):
    """A tool, and how it writes a frame."""

    name: str
    what: str
    """What is missing from a file that is of another kind."""
    holds: Callable[[Any], bool]
    people: Callable[[Any, str, int], Iterator[Detection]]
    usual: tuple[Skeleton, ...]


_KINDS = (
    _Kind("OpenPose", 'there is no "people"', openpose.is_frame, openpose.people_in,
          openpose.USUAL),
    _Kind("AlphaPose", 'there is no "bodies"', alphapose.is_frame, alphapose.people_in,
          alphapose.USUAL),
    _Kind("MMPose", 'there is no "keypoint_scores"', mmpose.is_image, mmpose.people_in_image,
          mmpose.USUAL),
    _Kind("ultralytics", "there are no keypoints of x and y", ultralytics.is_frame,
          ultralytics.people_in, ultralytics.USUAL),
)  # fmt: skip


def holds_one_clip(folder: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Say whether the files of a folder are the frames of one clip, by what is in them.

    Raises:
        FormatError: If a file that is looked at is damaged.
    """
    if files := _listed(folder):
        return _kind_of(files, max_bytes) is not None
    return bool(ultralytics.label_files(folder))


def read_folder(folder: Path, source: KeypointSource) -> Keypoints:
    """Read a folder of one file a frame.

    Raises:
        DatasetNotFoundError: If there is no such file in it.
        FormatError: If a file is not as its tool writes it, files are of two tools, two clips or
            two skeletons, a name has no frame number, or no person is in any.
    """
    paths = _listed(folder)
    if not paths and ultralytics.label_files(folder):
        return ultralytics.read_labels(folder, source)
    if not paths:
        raise DatasetNotFoundError(
            f"no keypoints in {folder}: a folder should hold OpenPose's files, one a frame, such "
            "as walk_000000000000_keypoints.json, or those of MMPose, AlphaPose or ultralytics"
        )
    files = numbered(paths, folder)
    kind = _kind_of([files[frame] for frame in sorted(files)], source.max_bytes) or _KINDS[0]
    source = source.of(f"{kind.name} JSON", usual=kind.usual)
    frames = span_of(files, source)
    source = source.noting(*frames_noted(frames, len(files)))
    people = (
        person
        for frame, path in sorted(files.items())
        for person in _people(kind, read_json(path, source.max_bytes), str(path), frame)
    )
    seen = alike(people, source)
    if kind.name == "OpenPose":
        source = openpose.assuming(source, seen)
    return assemble(seen, source, frames=frames)


def _listed(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.json"))
    return [path for path in files if path.stem.endswith("_keypoints")] or files


def _kind_of(files: Sequence[Path], max_bytes: int) -> _Kind | None:
    """Find which tool wrote the files; None if the first with people is of no known kind."""
    for path in files[:_LOOKED_AT]:
        data = read_json(path, max_bytes)
        if data != []:
            return next((kind for kind in _KINDS if kind.holds(data)), None)
    return None


def _people(kind: _Kind, data: Any, where: str, frame: int) -> Iterator[Detection]:  # noqa: ANN401
    if data == []:
        return
    if not kind.holds(data):
        raise FormatError(
            f"{where}: is not as {kind.name} writes it: {kind.what}; take other files out of the "
            "folder"
        )
    yield from kind.people(data, where, frame)
