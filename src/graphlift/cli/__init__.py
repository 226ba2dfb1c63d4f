"""The ``graphlift`` command: thin verbs over the library."""

import signal
import sys
from typing import Any, NoReturn

import typer

from graphlift.cli import app as page
from graphlift.cli import (
    bench,
    blender,
    convert,
    data,
    lift,
    model,
    score,
    serve,
    study,
    train,
    view,
)
from graphlift.cli.options import RayCommand, SectionedCommand, check_numbers
from graphlift.cli.printing import name_standard_output
from graphlift.errors import GraphliftError
from graphlift.words import one_line

EXTRAS = {
    **dict.fromkeys(("torch", "safetensors", "onnx", "onnxscript", "tensorboard"), "train"),
    **dict.fromkeys(("matplotlib", "jinja2"), "report"),
    **dict.fromkeys(("h5py", "pyarrow", "xarray"), "formats"),
    "viser": "viewer",
    "ray": "cluster",
    "cdflib": "h36m",
    **dict.fromkeys(("cv2", "tflite"), "video"),
    **dict.fromkeys(("fastapi", "starlette", "uvicorn", "prometheus_client"), "serve"),
    **dict.fromkeys(("websockets", "python_multipart"), "serve"),
}
"""Which extra brings a package that a verb may miss."""

INTERRUPTED = 130
RESUMING = (("train",), ("study", "run"))
"""Verbs that save when they are interrupted, and go on when they are called again."""

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's own, whichever Click it brings: an unknown verb or option, a value out of range."""

app = typer.Typer(
    name="graphlift",
    help="Lift 2D human keypoints to 3D poses, and compare the networks that do.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(cls=RayCommand)(lift.lift)
app.command()(convert.convert)
app.command()(train.train)
app.command()(train.evaluate)
app.command()(score.score)
app.command()(view.view)
app.command()(view.render)
app.command("blender-addon")(blender.blender_addon)
app.command(cls=SectionedCommand)(serve.serve)
app.command(cls=SectionedCommand)(page.app)
app.command(cls=SectionedCommand)(bench.bench)
app.add_typer(study.app, name="study")
app.add_typer(model.app, name="model")
app.add_typer(data.app, name="data")


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        import graphlift

        typer.echo(graphlift.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit status 2.

    SIGTERM is an interrupt like Ctrl-C: what runs saves its state first.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    name_standard_output()
    try:
        check_numbers(sys.argv[1:], app)
        # What a verb ends with by typer.Exit comes back as a number, and so does an interrupt.
        status = app(standalone_mode=False)
        if status == INTERRUPTED:
            _interrupted()
        sys.exit(status or 0)
    except (typer.Abort, KeyboardInterrupt):
        _interrupted()
    except _UsageError as error:
        _fail_usage(error)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        _fail(f"this verb needs {package}: pip install 'graphlift[{EXTRAS[package]}]'")
    except (GraphliftError, OSError) as error:
        _fail("\n".join([_one_line(error), *getattr(error, "__notes__", ())]))


def _interrupted() -> NoReturn:
    resumes = any(tuple(sys.argv[1 : 1 + len(verb)]) == verb for verb in RESUMING)
    way_on = "; run the same command again to go on" if resumes else ""
    typer.echo(f"graphlift: interrupted{way_on}", err=True)
    sys.exit(INTERRUPTED)


def _fail_usage(error: Any) -> NoReturn:  # noqa: ANN401
    """Say what is wrong with the words of a command; without any words, show the help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message(), err=True)
        sys.exit(2)
    command = error.ctx.command_path if error.ctx else "graphlift"
    # Typer checks values by pydantic, whose class of error tells users nothing.
    message = " ".join(error.format_message().split()).replace("Value error, ", "")
    _fail(f"{message.rstrip('.')}: see {command} --help")


def _one_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        text = f"{error.filename}: {error.strerror}"
    return one_line(text)


def _fail(message: str) -> NoReturn:
    typer.echo(f"graphlift: {message}", err=True)
    sys.exit(2)
