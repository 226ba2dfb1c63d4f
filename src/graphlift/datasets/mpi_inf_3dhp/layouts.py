"""Which of the layouts that MPI-INF-3DHP is passed around in lies in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from graphlift.datasets.mpi_inf_3dhp.facts import TEST, TRAIN, Part
from graphlift.errors import ConfigError, DatasetNotFoundError, FormatError
from graphlift.words import shown

LayoutName = Literal["original", "p-stmo", "mmpose"]

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
class PartFiles:
    """The files of a part of the data set.

    Args:
        layout: ``original`` (MATLAB files), ``p-stmo`` or ``mmpose`` (``.npz``).
        files: By the name of the sequence for ``original``; else ``data``, and for mmpose
            ``cameras``.
    """

    layout: LayoutName
    files: Mapping[str, Path]

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every file that is read, for a pack to name."""
        beside = [path.with_name("camera.calibration") for path in self.files.values()]
        return (*self.files.values(), *(path for path in beside if path.is_file()))


def find_layout(folder: Path, part: Part, *, layout: str | None = None) -> PartFiles:
    """Recognise the layout of a part by the names of files.

    Args:
        folder: Where the data lie.
        part: Which part.
        layout: A :data:`LayoutName`, if it is known; else a folder must have one only.

    Raises:
        ConfigError: If there is no such layout.
        DatasetNotFoundError: If there is none; the message lists what was looked for.
        FormatError: If there are two, or one in which nothing states which test frames are valid.
    """
    if layout not in (None, *get_args(LayoutName)):
        names = ", ".join(get_args(LayoutName))
        raise ConfigError(f"no layout {shown(layout)} of MPI-INF-3DHP: give one of {names}")
    if not folder.is_dir():
        raise DatasetNotFoundError(f"no folder {folder}: give the folder that holds MPI-INF-3DHP")
    pstmo = folder / f"data_{part}_3dhp.npz"
    near = (folder, folder / "annotations")
    mmpose = [
        {"data": base / name, "cameras": base / f"cameras_{part}.pkl"}
        for base in near
        for name in _MMPOSE[part]
        if (base / name).is_file()
    ]
    candidates = (
        PartFiles("original", _original(folder, part)),
        PartFiles("p-stmo", {"data": pstmo} if pstmo.is_file() else {}),
        PartFiles("mmpose", mmpose[0] if mmpose else {}),
    )
    found = [each for each in candidates if each.files and layout in (None, each.layout)]
    if len(found) > 1:
        names = " and ".join(f"{one.layout} ({next(iter(one.files.values()))})" for one in found)
        raise FormatError(
            f"{folder}: holds the {part} part twice, {names}: give the layout, or a folder with "
            "one of them"
        )
    if found:
        return found[0]
    if part == "test" and any((each / _WITHOUT_VALID).is_file() for each in near):
        raise FormatError(
            f"{folder}: {_WITHOUT_VALID} does not state which frames are valid: make "
            f"{_MMPOSE['test'][0]} with mmpose's converter"
        )
    original = "TS1/annot_data.mat" if part == "test" else "S1/Seq1/annot.mat"
    raise DatasetNotFoundError(
        f"no {part} part of MPI-INF-3DHP in {folder}: looked for {original}, {pstmo.name} "
        f"(P-STMO's) and {_MMPOSE[part][0]} (mmpose's)"
    )


def _original(folder: Path, part: Part) -> dict[str, Path]:
    names, file = (TEST, "annot_data.mat") if part == "test" else (TRAIN, "annot.mat")
    for below in _ORIGINAL[part]:
        paths = {name: (folder / below).joinpath(*name.split(), file) for name in names}
        if found := {name: path for name, path in paths.items() if path.is_file()}:
            return found
    return {}
