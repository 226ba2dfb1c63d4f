"""``graphlift bench``: how near this machine comes to what it can do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphlift.cli.options import MODELS, complete, options_of
from graphlift.errors import ConfigError
from graphlift.numerals import decimal
from graphlift.words import counted

if TYPE_CHECKING:
    from graphlift.bench.measure import Options

_what, _how = map(options_of, ("What is measured", "How it is measured"))
GROUPS = ("paper", "everyone", "models")
ENGINES = ("numpy", "torch", "onnxruntime")
PUBLISHED = "published"
FULL = tuple(4**power for power in range(8))
"""Batches of ``--full``: 1 to 16,384."""


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Networks as `graphlift model list` and plans name them ('decoupled "
            "pre-aggregation'), open-base, open-small, an .onnx of graphlift's; or a group: "
            "paper, the study's eight; everyone, all networks; models, the two that ship.",
            show_default="paper models",
            autocompletion=complete(*GROUPS, *MODELS),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for report.md, bench.json and roofline.png. What is measured is kept "
            "there as it comes: interrupted, the same command goes on.",
            show_default="print alone",
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        _what(
            "Millions of parameters of the networks, such as 0.13, 0.5, 1.0; or published, the "
            "width of each as it was published. Repeatable.",
            show_default="4.2",
        ),
    ] = None,
    batch: Annotated[
        list[int] | None,
        _what("Poses at once. Repeatable.", min=1, max=10**7, show_default="1, 64, 256, 1024"),
    ] = None,
    training_batch: Annotated[
        list[int] | None,
        _what("Poses of a training step. Repeatable.", min=2, max=10**7, show_default="64, 256"),
    ] = None,
    engine: Annotated[
        list[str] | None,
        _what(
            "numpy, torch or onnxruntime; torch alone trains. Repeatable.",
            words=ENGINES,
            show_default="all that are installed",
        ),
    ] = None,
    quick: Annotated[
        bool,
        _what("Under 30 s: decoupled pre-aggregation and the models, few batches.", "--quick"),
    ] = False,
    full: Annotated[
        bool,
        _what("Half an hour or more: 0.13, 0.5, 1.0 and 4.2 million, batches to 16384.", "--full"),
    ] = False,
    threads: Annotated[
        int,
        _how(
            "To compute with. Where it is not 1, an engine waits until the threads of the one "
            "before sleep.",
            min=0,
            max=1024,
            show_default="0, one a processor",
        ),
    ] = 0,
    seconds: Annotated[
        float | None,
        _how(
            "s for each network at each batch, all engines in turns; where one turn takes "
            "longer, there are two, of which the second counts.",
            min=0.001,
            max=3600,
            show_default="2",
        ),
    ] = None,
    cpu_time: Annotated[
        bool,
        _how(
            "Count the time of the processor, not the clock's: for a machine that does other "
            "work. Needs --threads 1.",
            "--cpu-time",
        ),
    ] = False,
) -> None:
    """Measure inference and training on this machine, against what it can do.

    Under 30 s; a few minutes; all networks at two sizes, about 20 minutes on two cores:

    graphlift bench --quick

    graphlift bench -o bench

    graphlift bench everyone models --parameters published --parameters 4.2 --batch 1 --batch 64
    --batch 256 --batch 1024 --batch 16384 -o bench

    The limit of a network is the time of its matrix products alone, each by the engine that is
    fastest at its shape, measured in turns with the network: a share of 80 % means that a fifth of
    the time goes elsewhere. A training step's products are those forward and of both gradients.
    Run it while nothing else runs: a bar shows how many seconds of how many are done, or, where
    there is no terminal, a line a minute. What takes longer than 4 s a call, or half of the free
    memory, is left out and named at the end. See docs/performance.md.
    """
    if quick and full:
        raise ConfigError("--quick and --full exclude each other: give one of them")
    from graphlift.bench.threads import set_threads

    count = set_threads(threads)  # before NumPy is imported
    from graphlift.bench.measure import Options

    common = ("decoupled pre-aggregation",) if quick else ("paper",)
    batches = (1, 1024) if quick else FULL if full else (1, 64, 256, 1024)
    training = (256,) if quick else FULL[2:] if full else (64, 256)
    sizes = ("0.13", "0.5", "1.0", "4.2") if full else ("4.2",)
    _measure(
        Options(
            names=names or (*common, "models"),
            sizes=tuple(map(_millions, parameters or sizes)),
            batches=batch or batches,
            training_batches=training_batch or training,
            engines=engine or (),
            threads=count,
            seconds=seconds or (0.5 if quick else 2.0),
            cpu_time=cpu_time,
        ),
        out,
    )


def _measure(options: "Options", out: Path | None) -> None:
    """Measure, show, and write to a folder if there is one."""
    from graphlift.bench.measure import bench as measure
    from graphlift.bench.report import summary
    from graphlift.bench.unfinished import UNFINISHED
    from graphlift.bench.write import write_result
    from graphlift.cli.progress import bench_bar

    with bench_bar() as show:
        result = measure(options, show, out)
    typer.echo(summary(result))
    if out is not None:
        written, left_out = write_result(result, out)
        for path in written:
            typer.echo(path)
        for what in left_out:
            typer.echo(f"graphlift: {what}", err=True)
        if not result.missing:
            (out / UNFINISHED).unlink(missing_ok=True)
    if result.missing:
        missing = counted(result.missing, "measurement is", "measurements are")
        others = "the others are not kept, as they are with --out"
        if out is not None:
            others = f"{out / UNFINISHED} has the others: run the same command again to go on"
        typer.echo(f"graphlift: {missing} missing; {others}", err=True)
        raise KeyboardInterrupt


def _millions(text: str) -> float:
    """Read a size in millions; 0 stands for the published one."""
    if text == PUBLISHED:
        return 0.0
    try:
        size = decimal(text)
    except ValueError:
        size = 0.0
    if not 0.001 <= size <= 1000:
        raise ConfigError(
            f"--parameters {text[:40]!r}: write millions, from 0.001 to 1000, as 4.2; or published"
        )
    return size
