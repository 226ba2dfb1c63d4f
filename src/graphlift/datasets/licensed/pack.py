"""Packs of keypoints and poses: what licensed data become, and what training maps.

A pack is a folder: ``positions.npy`` float32 (frame, joint, 3), ``keypoints-KIND.npy`` float32
(frame, joint, 2) for each kind of keypoints, ``valid.npy`` bool (frame,), the frames of all
sequences one after the other, and ``index.json`` (:mod:`graphlift.datasets.licensed.index`), which
says which frames belong to which sequence. A pack is written one sequence at a time and read by
mapping: neither needs the whole in memory.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool, Float, Int

from graphlift.datasets.licensed.index import (
    INDEX,
    KIND,
    PackIndex,
    SequenceEntry,
    SkeletonEntry,
    SourceFile,
    build_skeleton,
    describe_sequence,
    read_index,
    write_index,
)
from graphlift.datasets.licensed.reading import CameraSequence as CameraSequence
from graphlift.errors import DatasetNotFoundError, FormatError, ShapeError
from graphlift.files import replacing_folder
from graphlift.formats.npz_members import map_npy
from graphlift.skeletons import Skeleton
from graphlift.words import shown

_HEADER = 128
"""Bytes of the header of each array: room for any number of frames."""

_BLOCK = 1 << 20
"""Bytes that are hashed at once."""


@dataclass(frozen=True, eq=False)
class SequencePack:
    """An open pack; its arrays are mapped and cannot be written to.

    Args:
        folder: Where it is.
        index: Which frames belong to which sequence, and what they were made from.
        skeleton: Joint order of all arrays.
        positions: m, camera axes, all sequences one after the other.
        keypoints: px, by kind (``gt``, ``cpn``, ...); NaN where a kind has no such joint.
        valid: Whether a frame counts in training and in scores.
    """

    folder: Path
    index: PackIndex
    skeleton: Skeleton
    positions: Float[np.ndarray, "frame joint 3"]
    keypoints: Mapping[str, Float[np.ndarray, "frame joint 2"]]
    valid: Bool[np.ndarray, " frame"]

    def __len__(self) -> int:
        return len(self.index.sequences)

    def __iter__(self) -> Iterator[CameraSequence]:
        return map(self.sequence, range(len(self)))

    @property
    def frames(self) -> int:
        """Poses of all sequences, valid or not."""
        return self.index.frames

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of keypoints that every sequence has."""
        return tuple(self.index.kinds)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the arrays, the skeleton and the list of sequences, as the index has them."""
        index = asdict(self.index)
        about = [index[key] for key in ("arrays", "skeleton", "sequences")]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _images(self) -> tuple[np.ndarray, Float[np.ndarray, "sequence 2"]]:
        """First row of each sequence, and the size of its images, px."""
        entries = self.index.sequences
        starts = np.array([entry.first for entry in entries])
        return starts, np.array([entry.lens.size for entry in entries], dtype=np.float32)

    def image_sizes(self, rows: Int[np.ndarray, " frame"]) -> Float[np.ndarray, "frame 2"]:
        """Find the size of the image of each of some frames, px."""
        starts, sizes = self._images
        return np.asarray(sizes[np.searchsorted(starts, rows, side="right") - 1])

    def sequence(self, number: int) -> CameraSequence:
        """Return one sequence; its arrays are views of the mapped ones."""
        entry = self.index.sequences[number]
        frames = slice(entry.first, entry.first + entry.frames)
        return CameraSequence(
            subject=entry.subject,
            activity=entry.activity,
            clip=entry.clip,
            camera=entry.camera,
            lens=entry.lens.camera,
            positions=self.positions[frames],
            keypoints={kind: array[frames] for kind, array in self.keypoints.items()},
            valid=self.valid[frames],
            fps=entry.fps,
            skeleton=self.skeleton,
        )


def write_sequences(
    folder: Path,
    sequences: Iterable[CameraSequence],
    *,
    name: str = "",
    sources: Iterable[SourceFile] = (),
    options: Mapping[str, str | int | float | bool] | None = None,
    notes: Iterable[str] = (),
) -> SequencePack:
    """Write a pack, whole or not at all, holding one sequence at a time.

    Args:
        folder: The pack to write; one that exists is replaced.
        sequences: Read once. All have the same skeleton and kinds of keypoints.
        name: What the data is called; the folder's name if left out.
        sources: The files that it is made from; read after the last sequence.
        options: The options that were given, and what was found out.
        notes: What was done and left out, one sentence each; read after the last sequence.

    Returns:
        The pack, open.

    Raises:
        FormatError: If ``folder`` exists and is no pack, there is no sequence, two have the same
            name, or a position of a valid frame is not finite.
        ShapeError: If arrays of a sequence do not fit each other, or those of the first.
    """
    _check_target(folder)
    with replacing_folder(folder) as beside:
        first, entries, digests = _write_arrays(beside, sequences)
        counts: Counter[str] = Counter()
        for entry in entries:
            counts[entry.subject] += entry.frames
        index = PackIndex(
            format="graphlift-paired",
            version=1,
            name=name or folder.name,
            skeleton=SkeletonEntry(**asdict(first.skeleton)),
            frames=counts.total(),
            kinds=list(first.keypoints),
            sequences=entries,
            sources=list(sources),
            options=dict(options or {}),
            counts=dict(counts),
            notes=list(notes),
            arrays=digests,
        )
        write_index(beside / INDEX, index)
    return open_sequences(folder)


def _write_arrays(
    folder: Path, sequences: Iterable[CameraSequence]
) -> tuple[CameraSequence, list[SequenceEntry], dict[str, str]]:
    """Write every array; return the first sequence, all entries and the SHA-256 of each array."""
    arrays: dict[str, _GrowingArray] = {}
    entries: list[SequenceEntry] = []
    first: CameraSequence | None = None
    end = 0
    with ExitStack() as files:
        for sequence in sequences:
            first = first or sequence
            _check_sequence(sequence, first)
            entries.append(describe_sequence(sequence, end))
            end += len(sequence.positions)
            for file, array in _arrays_of(sequence).items():
                if file not in arrays:
                    stream = files.enter_context((folder / file).open("wb"))
                    arrays[file] = _GrowingArray(stream, array)
                arrays[file].append(array)
        if first is None:
            raise FormatError("nothing to write: no sequence was read")
        return first, entries, {file: array.finish() for file, array in arrays.items()}


def open_sequences(folder: Path) -> SequencePack:
    """Open a pack by mapping its arrays.

    Returns:
        The pack; m and px, camera axes. :func:`verify_sequences` checks its numbers.

    Raises:
        DatasetNotFoundError: If there is no such folder, or no index in it.
        FormatError: If the index is damaged, or an array is missing, cut short, of another shape
            or type than the index says, or holds objects; the message names the file.
    """
    if not (folder / INDEX).is_file():
        raise DatasetNotFoundError(
            f"no pack at {folder}: give the folder that `graphlift data prepare h36m` or "
            f"`graphlift data prepare 3dhp` wrote, which holds {INDEX}"
        )
    index = read_index(folder / INDEX)
    skeleton = build_skeleton(index, str(folder / INDEX))
    frames, joints = index.frames, len(skeleton)
    if set(index.arrays) != (expected := set(_array_names(index.kinds))):
        raise FormatError(
            f"{folder / INDEX}: lists the arrays {', '.join(sorted(index.arrays))}, but should "
            f"list {', '.join(sorted(expected))}: prepare the pack again"
        )
    return SequencePack(
        folder=folder,
        index=index,
        skeleton=skeleton,
        positions=_map(folder / "positions.npy", "<f4", (frames, joints, 3)),
        keypoints={
            kind: _map(folder / f"keypoints-{kind}.npy", "<f4", (frames, joints, 2))
            for kind in index.kinds
        },
        valid=_map(folder / "valid.npy", "|b1", (frames,)),
    )


def verify_sequences(pack: SequencePack) -> None:
    """Read every array and compare its SHA-256 with the index's.

    Raises:
        FormatError: If one differs: its file was changed or damaged after it was written.
    """
    arrays = [pack.positions, *pack.keypoints.values(), pack.valid]
    for file, array in zip(_array_names(pack.kinds), arrays, strict=True):
        state, digest = hashlib.sha256(), pack.index.arrays[file]
        with (pack.folder / file).open("rb") as stream:
            stream.seek(-array.nbytes, os.SEEK_END)
            while block := stream.read(_BLOCK):
                state.update(block)
        if state.hexdigest() != digest:
            raise FormatError(
                f"{pack.folder / file}: its numbers are not those that were written (SHA-256 "
                f"{state.hexdigest()[:12]}, the index says {digest[:12]}): prepare the pack again"
            )


def digest_file(path: Path, root: Path) -> SourceFile:
    """Describe a file of a data set: its name below ``root``, size and SHA-256."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            state.update(block)
    relative = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return SourceFile(name=relative, bytes=path.stat().st_size, sha256=state.hexdigest())


def _array_names(kinds: Iterable[str]) -> list[str]:
    return ["positions.npy", *(f"keypoints-{kind}.npy" for kind in kinds), "valid.npy"]


def _arrays_of(sequence: CameraSequence) -> dict[str, np.ndarray]:
    return {
        "positions.npy": np.asarray(sequence.positions, "<f4"),
        **{f"keypoints-{k}.npy": np.asarray(a, "<f4") for k, a in sequence.keypoints.items()},
        "valid.npy": np.asarray(sequence.valid, "|b1"),
    }


class _GrowingArray:
    """An ``.npy`` file that gets longer along its first axis."""

    def __init__(self, file: BinaryIO, like: np.ndarray) -> None:
        self._file = file
        self._file.write(bytes(_HEADER))
        self._shape, self._dtype = like.shape[1:], like.dtype
        self._rows, self._state = 0, hashlib.sha256()

    def append(self, rows: np.ndarray) -> None:
        data = np.ascontiguousarray(rows).data
        self._file.write(data)
        self._state.update(data)
        self._rows += len(rows)

    def finish(self) -> str:
        """Write the header now that the length is known; return the SHA-256 of the numbers."""
        shape = (self._rows, *self._shape)
        about = f"{{'descr': '{self._dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
        start = np.lib.format.magic(1, 0) + (_HEADER - 10).to_bytes(2, "little")
        self._file.seek(0)
        self._file.write(start + about.ljust(_HEADER - 11).encode("ascii") + b"\n")
        return self._state.hexdigest()


def _map(path: Path, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if not path.is_file():
        raise FormatError(f"{path}: is missing from the pack: copy or prepare it again")
    array = map_npy(path)
    if not array.flags.c_contiguous or array.dtype.str != dtype or array.shape != shape:
        raise FormatError(
            f"{path}: is {array.dtype} {array.shape}, but by the index should be "
            f"{np.dtype(dtype)} {shape}: the pack is mixed with another; prepare it again"
        )
    return np.asarray(array)


def _check_target(folder: Path) -> None:
    ours = folder.is_dir() and all(
        path.name == INDEX or path.suffix == ".npy" for path in folder.iterdir()
    )
    if folder.exists() and not ours:
        raise FormatError(
            f"{folder}: exists and is no pack, so it is not replaced: give another name"
        )


def _check_sequence(sequence: CameraSequence, first: CameraSequence) -> None:
    where = sequence.where
    frames, joints = len(sequence.positions), len(sequence.skeleton)
    if sequence.skeleton != first.skeleton or list(sequence.keypoints) != list(first.keypoints):
        raise ShapeError(
            f"{where}: has {sequence.skeleton.name} and {', '.join(sequence.keypoints)}, but the "
            f"first sequence {first.skeleton.name} and {', '.join(first.keypoints)}: a pack has "
            "one skeleton and the same kinds of keypoints throughout"
        )
    shapes = {
        "positions": (sequence.positions, (frames, joints, 3)),
        "valid": (sequence.valid, (frames,)),
        **{kind: (array, (frames, joints, 2)) for kind, array in sequence.keypoints.items()},
    }
    for what, (array, shape) in shapes.items():
        if array.shape != shape or not frames:
            raise ShapeError(
                f"{where}: {what} is {array.shape} but should be {shape}, with at least one frame"
            )
    for kind in sequence.keypoints:
        if not KIND.fullmatch(kind):
            raise ShapeError(f"{where}: a kind of keypoints is a short word, not {shown(kind)}")
    usable = np.isfinite(sequence.positions).all(axis=(1, 2)) | ~sequence.valid
    if not usable.all():
        raise FormatError(
            f"{where}: frame {int(np.argmin(usable))} has a position that is not finite: mark it "
            "as not valid, or leave it out"
        )
