"""Which of the layouts that MPI-INF-3DHP is passed around in lies in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from graphlift.datasets.mpi_inf_3dhp.facts import TEST, TRAIN, Part
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.words import shown

Kind = Literal["original", "p-stmo", "mmpose"]

_ORIGINAL: Mapping[Part, tuple[str, ...]] = {
    "test": (
        *("", "test", "mpi_inf_3dhp_test_set", "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set"),
        "mpi_inf_3dhp/mpi_inf_3dhp_test_set",
    ),
    "train": ("", "train", "mpi_inf_3dhp"),
}
_MMPOSE: Mapping[Part, tuple[str, ...]] = {
    "test": ("mpi_inf_3dhp_test_valid.npz", "test_3dhp_test.npz"),
    "train": ("mpi_inf_3dhp_train.npz", "test_3dhp_train.npz"),
}
_WITHOUT_VALID = "mpi_inf_3dhp_test_all.npz"


@dataclass(frozen=True)
class Layout:
    """What lies in a folder.

    Args:
        kind: ``original`` (MATLAB files), ``p-stmo`` or ``mmpose`` (``.npz``).
        files: By the name of the sequence for ``original``; else ``data``, and for mmpose
            ``cameras``.
    """

    kind: Kind
    files: Mapping[str, Path]

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every file that is read, for a pack to name."""
        beside = [path.with_name("camera.calibration") for path in self.files.values()]
        return (*self.files.values(), *(path for path in beside if path.is_file()))


def find_layout(folder: Path, part: Part, *, kind: Kind | None = None) -> Layout:
    """Recognise the layout of a part by the names of files.

    Args:
        folder: Where the data lie.
        part: Which part.
        kind: The layout, if it is known; else a folder must have one only.

    Raises:
        ConfigError: If no layout is called so.
        DatasetNotFoundError: If there is none; the message lists what was looked for.
        FormatError: If there are two, or one in which nothing says which test frames count.
    """
    if kind not in (None, *get_args(Kind)):
        raise ConfigError(
            f"no layout {shown(kind)} of MPI-INF-3DHP: give one of {', '.join(get_args(Kind))}"
        )
    if not folder.is_dir():
        raise DatasetNotFoundError(f"no folder {folder}: give the folder that holds MPI-INF-3DHP")
    found = [
        layout
        for layout in (_original(folder, part), _pstmo(folder, part), _mmpose(folder, part))
        if layout.files and kind in (None, layout.kind)
    ]
    if len(found) > 1:
        kinds = " and ".join(f"{each.kind} ({next(iter(each.files.values()))})" for each in found)
        raise FormatError(
            f"{folder}: holds the {part} part twice, {kinds}: give the layout, or a folder with "
            "one of them"
        )
    if found:
        return found[0]
    if part == "test" and any((each / _WITHOUT_VALID).is_file() for each in _near(folder)):
        raise FormatError(
            f"{folder}: {_WITHOUT_VALID} does not say which frames count: make "
            f"{_MMPOSE['test'][0]} with mmpose's converter"
        )
    original = "TS1/annot_data.mat" if part == "test" else "S1/Seq1/annot.mat"
    raise DatasetNotFoundError(
        f"no {part} part of MPI-INF-3DHP in {folder}: looked for {original}, "
        f"data_{part}_3dhp.npz (P-STMO's) and {_MMPOSE[part][0]} (mmpose's)"
    )


def _original(folder: Path, part: Part) -> Layout:
    for below in _ORIGINAL[part]:
        base = folder / below
        if part == "test":
            files = {name: base / name / "annot_data.mat" for name in TEST}
        else:
            files = {name: base.joinpath(*name.split(), "annot.mat") for name in TRAIN}
        there = {name: path for name, path in files.items() if path.is_file()}
        if there:
            return Layout("original", there)
    return Layout("original", {})


def _pstmo(folder: Path, part: Part) -> Layout:
    path = folder / f"data_{part}_3dhp.npz"
    return Layout("p-stmo", {"data": path} if path.is_file() else {})


def _mmpose(folder: Path, part: Part) -> Layout:
    for base in _near(folder):
        for name in _MMPOSE[part]:
            if (base / name).is_file():
                cameras = base / f"cameras_{part}.pkl"
                return Layout("mmpose", {"data": base / name, "cameras": cameras})
    return Layout("mmpose", {})


def _near(folder: Path) -> tuple[Path, Path]:
    return folder, folder / "annotations"
