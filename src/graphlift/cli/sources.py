"""What ``graphlift lift`` was given: keypoints, a video, a folder of either, or something else."""

from collections.abc import Mapping
from pathlib import Path

from graphlift.cli.checks import Kind
from graphlift.cli.folders import holds_one_clip, keypoint_clips
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.numerals import is_whole

_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys((".html", ".htm"), "a page: open it in a browser"),
    **dict.fromkeys((".toml", ".yaml", ".yml"), "no keypoints: give a calibration to --camera"),
    **dict.fromkeys(
        (".onnx", ".safetensors", ".pth", ".pt"), "a model: give it to --model or --detector"
    ),
    **dict.fromkeys(
        (".fbx", ".gltf", ".usd", ".usda", ".usdc", ".usdz", ".blend", ".dae"),
        "a scene or motion in 3D of a kind that is not read: export .bvh or .glb",
    ),
    **dict.fromkeys(
        (".asf", ".amc"), "motion capture: prepare it with graphlift data prepare mocap"
    ),
}
"""What files are that are neither keypoints nor videos, by suffix, and where they belong."""


def kind_of(source: str) -> Kind:
    """Tell what a source is by its suffix or, for a folder, by what lies in it.

    Raises:
        DatasetNotFoundError: If there is nothing at that path.
        FormatError: If it is a file of another kind; the message says which verb takes it.
    """
    from graphlift.formats.read import SUFFIXES
    from graphlift.video.frames import IMAGES, VIDEOS

    path = Path(source)
    if not source or not path.exists():
        if is_whole(source):
            return "video"  # a webcam
        raise DatasetNotFoundError(
            f"nothing at {source or repr(source)}: give keypoints ({', '.join(SUFFIXES)}, or a "
            "folder of one file a frame), a video, a folder of images, of videos or of keypoints, "
            "or a webcam's number"
        )
    if not path.is_dir():
        return _kind_of_file(path)
    found = {each.suffix.lower() for each in path.iterdir()}
    if found & set(VIDEOS):
        return "videos"
    if found & set(IMAGES):
        return "video"
    return "clips" if not holds_one_clip(path) and keypoint_clips(path) else "keypoints"


def _kind_of_file(path: Path) -> Kind:
    from graphlift.formats.motion_files import ALWAYS_POSES, holds_poses
    from graphlift.formats.read import PICKLES, SUFFIXES
    from graphlift.video.frames import IMAGES, VIDEOS

    suffix = path.suffix.lower()
    if suffix in ALWAYS_POSES or (suffix in SUFFIXES and holds_poses(path)):
        kind = ALWAYS_POSES.get(suffix, suffix)
        raise FormatError(
            f"{path}: holds motion in 3D ({kind}), which is lifted already: look at it with "
            "graphlift view, turn it into another kind of file with graphlift convert"
        )
    if suffix in _ELSEWHERE:
        raise FormatError(f"{path}: is {_ELSEWHERE[suffix]}")
    if suffix in (*SUFFIXES, *PICKLES):
        return "keypoints"
    if suffix not in (*VIDEOS, *IMAGES):
        _check_video(path)
    return "video"


def _check_video(path: Path) -> None:
    """Let a file of any name pass that is a video.

    Raises:
        FormatError: If it is none; it may as well be meant as keypoints.
    """
    from graphlift.formats.read import SUFFIXES

    try:
        from graphlift.video.frames import open_video

        open_video(path)
    except (FormatError, ModuleNotFoundError) as error:
        missing = isinstance(error, ModuleNotFoundError)
        tried = "videos need pip install 'graphlift[video]'" if missing else "nor a video"
        raise FormatError(
            f"{path}: {path.suffix[:20] or 'a name without suffix'} is no kind of keypoints that "
            f"is known ({', '.join(SUFFIXES)}), {tried}: give one of those, or a video"
        ) from error
