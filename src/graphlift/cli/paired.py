"""Packs of 3D and 2D, made of a licensed data set: ``graphlift data prepare h36m``."""

from pathlib import Path

import typer

from graphlift.cli.progress import with_bar


def is_data_set(word: Path) -> bool:
    """Say whether a word is the name of a data set, and no folder's."""
    from graphlift.datasets.licensed.prepare import READERS

    return str(word) in READERS and not word.exists()


def prepare_licensed(
    words: list[Path],
    out: Path,
    *,
    partial: bool,
    joints: int,
    layout: str | None,
    annotation: str | None = None,
) -> None:
    """Turn a data set's folder into a pack, and say what was done."""
    from graphlift.datasets.licensed import prepare as packs
    from graphlift.datasets.licensed.reading import Choices

    if len(words) != 2 or str(words[0]) not in packs.READERS:
        raise typer.BadParameter(
            f"give one folder of motion capture, or {' or '.join(packs.READERS)} and the folder "
            f"of your copy, not {' '.join(map(str, words))}"
        )
    choices = Choices(partial, joints, layout, _scratch(out), annotation)
    pack = packs.prepare_licensed(str(words[0]), words[1], out, choices, watch=with_bar)
    for note in pack.index.notes:
        typer.echo(f"graphlift: {note}", err=True)
    typer.echo(
        f"{len(pack):,} sequences, {pack.frames:,} poses of {len(pack.index.counts)} subjects, "
        f"2D: {', '.join(pack.kinds)} -> {out}"
    )


def _scratch(out: Path) -> Path | None:
    """Where the pack has room, temporary files have it too."""
    return out.parent if out.parent.is_dir() else None


def tell(folder: Path, as_json: bool) -> None:
    """Print what a pack of 3D and 2D holds, once its numbers are those that were written."""
    import json

    from graphlift.datasets.licensed.pack import open_sequences, verify_sequences

    pack = open_sequences(folder)
    verify_sequences(pack)
    facts = {
        "name": pack.index.name,
        "sequences": len(pack),
        "poses": pack.frames,
        "skeleton": pack.skeleton.name,
        "2D": list(pack.kinds),
        "fps": sorted({entry.fps for entry in pack.index.sequences}),
        "subjects": pack.index.counts,
        "options": pack.index.options,
        "sources": len(pack.index.sources),
        "digest": pack.digest,
    }
    if as_json:
        typer.echo(json.dumps({**facts, "notes": pack.index.notes}, indent=2))
        return
    for key, value in facts.items():
        typer.echo(f"{key:<9} {_told(value)}")
    for note in pack.index.notes:
        typer.echo(f"note      {note}")


def _told(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_told(each)}" for key, each in value.items()) or "-"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
