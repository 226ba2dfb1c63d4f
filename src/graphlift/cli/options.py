"""Options that several verbs have, in the same words, and what a shell completes their values to.

The names stand here once more so that completion and ``--help`` import nothing heavy; a test
holds them equal to the library's.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from graphlift.errors import ConfigError
from graphlift.numerals import decimal

SAMPLE = "sample"
MODELS = ("open-base", "open-small")
DETECTORS = ("blazepose", "blazepose-lite", "blazepose-heavy", "movenet")
SKELETONS = (
    *("h36m-16", "h36m-17", "coco-17", "mpi-inf-3dhp-17", "mpii-16", "openpose-body-25"),
    *("openpose-coco-18", "halpe-26", "mediapipe-33", "body-28", "coco-23"),
)
PLANS = ("quick", "open", "paper", "regime", "everyone", "best")
PROTOCOLS = (*("h36m-17", "h36m-16", "3dhp-14", "open-16", "cross-14", "unseen-17", "h36m-like"),)
ADAPTATIONS = ("hip-shift", "bone-length", "own-width", "root-in-place")
MOTION_FILES = (".bvh", ".glb", ".c3d", ".trc", ".npz", ".json", ".csv", ".parquet")


def complete(*words: str, empty: bool = True) -> Callable[[str], list[str]]:
    """Complete a value to one of some words; where none fits, shells complete names of files.

    Args:
        words: All of them.
        empty: Whether to offer them before anything is typed, in place of files.
    """

    def fitting(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete) and (incomplete or empty)]

    return fitting


def options_of(group: str | None) -> Callable[..., Any]:
    """Return what describes options of one group in the help: text, flags, words to complete."""

    def option(text: str, *flags: str, words: Sequence[str] = (), **more: Any) -> Any:  # noqa: ANN401
        completion = complete(*words) if words else None
        return typer.Option(
            *flags, help=text, rich_help_panel=group, autocompletion=completion, **more
        )

    return option


PosesFile = Annotated[Path, typer.Argument(help=f"Poses in 3D: {' '.join(MOTION_FILES)}.")]
Adaptations = Annotated[
    list[str] | None,
    typer.Option(
        "--adapt",
        metavar="NAME",
        help="A known deviation from a protocol (docs/scoring.md): hip-shift, bone-length, "
        "own-width (3dhp-14), root-in-place (h36m). Repeatable.",
        autocompletion=complete(*ADAPTATIONS),
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, with every number.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key, in TOML: --set 'model.channels = 64'. Repeatable.",
    ),
]
PlanOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of every run, or of the plan itself, in TOML: --set 'steps = 500', "
        "--set 'seeds = [0]'. Repeatable.",
    ),
]


OnRay = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[ADDRESS]",
        help="Work on the Ray cluster at this address, such as 10.0.0.1:6379; without, on that "
        "of RAY_ADDRESS, or that which runs here, or else on this machine.",
        rich_help_panel="Several machines",
    ),
]


def data_option(default: str) -> Any:  # noqa: ANN401
    """Describe ``--data``, of which verbs have different defaults."""
    return typer.Option(
        help="prior, a folder with cmu.npz, splits.json, or prepared packs.",
        show_default=default,
        autocompletion=complete("prior"),
    )


class SectionedCommand(TyperCommand):
    """A verb whose help groups its options by their ``rich_help_panel``, as plain text."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write a section for the arguments and one for every group of options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            other = "Arguments" if parameter.param_type_name == "argument" else "Options"
            title = getattr(parameter, "rich_help_panel", None) or other
            if record := parameter.get_help_record(ctx):
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class RayCommand(SectionedCommand):
    """A verb that takes ``--ray`` with or without an address."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Give a bare ``--ray`` the empty address: Typer has no options with a value or none."""
        for at, word in reversed(list(enumerate(args))):
            if word == "--ray" and not (at + 1 < len(args) and _ADDRESS.fullmatch(args[at + 1])):
                args = [*args[:at], "--ray=", *args[at + 1 :]]
        return super().parse_args(ctx, args)


_ADDRESS = re.compile(r"auto|local|ray://.+|[\w.\[\]:-]+:\d+")
"""What may follow ``--ray`` and is not a word of its own."""


def check_numbers(words: Sequence[str], app: typer.Typer) -> None:
    """Refuse values of numeric options that only Python takes for numbers, such as 1_0 for 10.

    Typer reads them by Python's ``int`` and ``float``; files are read by
    :mod:`graphlift.numerals`, and the command line is no different.

    Args:
        words: The words of the command line.
        app: Whose options they are.

    Raises:
        ConfigError: If a value is such a number; what is no number at all is left to Typer.
    """
    options = set(numeric_options(app))
    for option, value in pairwise(part for word in words for part in word.split("=", 1)):
        if option in options and _reads(float, value) and not _reads(decimal, value):
            raise ConfigError(f"{option} {value[:40]!r}: write the number in plain digits, as 10")


def _reads(read: Callable[[str], float], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def numeric_options(app: typer.Typer) -> Iterator[str]:
    """Name the options of all verbs whose values are numbers."""
    for verb in app.registered_commands:
        for name, hint in getattr(verb.callback, "__annotations__", {}).items():
            kind, *more = get_args(hint) or (hint,)
            if {int, float} & {kind, *get_args(kind)}:
                named = [flag for info in more for flag in getattr(info, "param_decls", ()) or ()]
                yield from named or [f"--{name.strip('_').replace('_', '-')}"]
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from numeric_options(group.typer_instance)
