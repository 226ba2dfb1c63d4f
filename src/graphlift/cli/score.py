"""``graphlift score``: predictions of any model against the truth, without the model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphlift.cli.options import PROTOCOLS, Adaptations, Json, complete
from graphlift.words import counted

if TYPE_CHECKING:
    from graphlift.scoring import Score, Scores

_COLUMNS = {
    "mpjpe_mm": "MPJPE",
    "p_mpjpe_mm": "P-MPJPE",
    "n_mpjpe_mm": "N-MPJPE",
    "mpjve_mm": "MPJVE",
    "pck": "PCK",
    "auc": "AUC",
}


def score(
    predicted: Annotated[
        Path,
        typer.Argument(
            help="An .npz with `poses` (frame, joint, 3), metres, or one person in a file of "
            "`graphlift lift`: .json .csv .parquet .bvh .glb .c3d .trc."
        ),
    ],
    truth: Annotated[Path, typer.Argument(help="The same frames and joints, with the truth.")],
    protocol: Annotated[
        str,
        typer.Option(help=f"{', '.join(PROTOCOLS)}.", autocompletion=complete(*PROTOCOLS)),
    ],
    adapt: Adaptations = None,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Score what is predicted if some is not; how much is printed."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Score predictions against the truth, under a named protocol.

    Either file may also hold `activity` and `sequence` (frame,), and `valid` (frame,) or
    (frame, joint). Distances in mm, PCK at 150 mm and AUC in per cent. See docs/scoring.md.
    """
    from graphlift.protocols.named import protocol_named
    from graphlift.scoring import score_files

    scores = score_files(
        predicted,
        truth,
        protocol_named(protocol),
        adaptations=adapt or (),
        allow_missing=allow_missing,
    )
    if as_json:
        typer.echo(json.dumps(scores.as_json(), indent=2, allow_nan=False))
    else:
        typer.echo(_table(scores))


def _table(scores: "Scores") -> str:
    counts = scores.counts
    rows = {**scores.per_activity, **scores.per_group, "all": scores.overall}
    width = max(map(len, rows))
    head = "".join(f"{name:>9}" for name in _COLUMNS.values())
    left_out = {
        "excluded": counts.frames_excluded,
        "not valid": counts.frames_not_valid,
    }
    others = "".join(f", {count:,} {why}" for why, count in left_out.items() if count)
    if counts.joints_not_valid:
        others += f"; {counted(counts.joints_not_valid, 'joint')} not valid"
    lines = [
        scores.describe(),
        f"{counts.frames_scored:,} of {counted(counts.frames, 'frame')} scored{others}",
        "",
        f"{'':{width}}{'frames':>9}{head}",
        *(f"{name:{width}}{_row(row)}" for name, row in rows.items()),
    ]
    if scores.notes:
        lines += ["", *(f"Note: {note}." for note in scores.notes)]
    return "\n".join(lines)


def _row(row: "Score") -> str:
    values = [getattr(row, key) for key in _COLUMNS]
    cells = ("-" if value is None else f"{value:.2f}" for value in values)
    return f"{row.frames:>9,}" + "".join(f"{cell:>9}" for cell in cells)
