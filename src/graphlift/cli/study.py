"""``graphlift study``: the paper's comparison."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from graphlift.cli.options import PLANS, OnRay, PlanOverrides, RayCommand, complete, data_option
from graphlift.errors import ConfigError

app = typer.Typer(
    help="Train every method under the same conditions, and report which is better.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(cls=RayCommand)
def run(
    plan: Annotated[
        str,
        typer.Argument(
            help=f"{', '.join(PLANS)}, or a TOML file.",
            autocompletion=complete(*PLANS),
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the study.", show_default="studies/PLAN"),
    ] = None,
    data: Annotated[str, data_option("prior")] = "prior",
    at_once: Annotated[
        int, typer.Option(help="Runs at once.", min=0, show_default="0, one a processor")
    ] = 0,
    overrides: PlanOverrides = None,
    ray: OnRay = None,
) -> None:
    """Train what a plan lacks; finished runs are skipped, interrupted ones go on.

    Each finished run adds a line to results.jsonl. Ctrl-C saves first. On a Ray cluster, a run
    whose machine is lost goes on on another, if all of them see the folder (docs/scale.md).
    """
    from contextlib import closing

    from graphlift.cli.progress import study_bars
    from graphlift.processors import processors
    from graphlift.study.cluster import run_study_on_cluster
    from graphlift.study.plan import read_plan, unused_notes
    from graphlift.study.runner import missing_runs, other_results, run_study

    # Only the workers load torch: without it, fail before they start.
    if ray is None and importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    if ray is not None and at_once:
        raise ConfigError("--at-once is for this machine, and --ray has its own: leave one out")
    folder = out or Path("studies") / Path(plan).stem
    read = read_plan(plan, overrides or ())
    runs, cut = missing_runs(read, folder, data=data)
    if cut is not None:
        typer.echo(f"{folder}: set aside a line that was cut short; its run is repeated", err=True)
    for note in (*unused_notes(read), *other_results(read, folder, data=data)):
        typer.echo(note, err=True)
    if ray is not None:
        study = run_study_on_cluster(runs, folder, address=ray)
    else:
        study = run_study(runs, folder, at_once=at_once or processors())
    with study_bars(len(runs)) as show, closing(study) as events:
        for event in events:
            show(event)
    typer.echo(folder)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder with results.jsonl.")],
    table: Annotated[bool, typer.Option("--table", help="Print the first table too.")] = False,
) -> None:
    """Write report.html and report.md from the result lines alone; no torch needed."""
    from graphlift.study.report import headline, write_report

    if table:
        typer.echo(headline(folder) + "\n")
    written = write_report(folder)
    typer.echo(written.html)
    typer.echo(written.md)
