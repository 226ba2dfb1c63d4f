"""What a part of MPI-INF-3DHP should hold, and what is missing of it."""

from collections.abc import Iterable, Mapping

from graphlift.datasets.mpi_inf_3dhp.facts import TEST, TRAIN, VNECT_CAMERAS, Part

Key = tuple[str, str, str]
"""Subject, clip and camera, as in :class:`graphlift.datasets.licensed.pack.CameraSequence`."""


def expected_frames(part: Part, *, cameras: Iterable[int] = VNECT_CAMERAS) -> dict[Key, int]:
    """List the sequences of a part with the published number of frames that count."""
    if part == "test":
        return {(name, name, "0"): frames for name, frames in TEST.items()}
    seen = sorted(cameras)
    return {
        (*_split(name), str(camera)): frames
        for name, (frames, _) in TRAIN.items()
        for camera in seen
    }


def shortfall(
    part: Part, counts: Mapping[Key, int], *, cameras: Iterable[int] = VNECT_CAMERAS
) -> tuple[str, ...]:
    """Compare what was read with what is published.

    Args:
        part: Which part was read.
        counts: Frames that count (:attr:`CameraSequence.valid`) of each sequence.
        cameras: Which cameras of the training set were asked for.

    Returns:
        A sentence for each sequence that is missing or of another length, with its cameras, and
        at the end one on the whole; none if everything is there.
    """
    expected = expected_frames(part, cameras=cameras)
    alike: dict[tuple[str, str, str], list[str]] = {}
    for (subject, clip, camera), frames in expected.items():
        found = counts.get((subject, clip, camera))
        if found is None:
            alike.setdefault((subject, clip, f"is missing ({frames:,} frames)"), []).append(camera)
        elif found != frames:
            told = f"has {found:,} frames that count, not {frames:,}"
            alike.setdefault((subject, clip, told), []).append(camera)
    lines = [
        f"{subject} {told}."
        if part == "test"
        else f"{subject} {clip} camera {', '.join(seen)} {told}{' each' * (len(seen) > 1)}."
        for (subject, clip, told), seen in alike.items()
    ]
    if lines:
        whole, found = sum(expected.values()), sum(counts.values())
        lines.append(f"{found:,} of {whole:,} frames of the {part} part are there.")
    return tuple(lines)


def _split(name: str) -> tuple[str, str]:
    subject, _, clip = name.partition(" ")
    return subject, clip
