"""Result lines in, one HTML page and one Markdown page out; nothing else is read.

:mod:`~graphlift.study.report.contents` gathers numbers, tables and figures; the templates hold
the words. Both pages come of the same words: ``report.j2`` and ``sections.j2`` call the parts of
a page, which ``html.j2`` and ``markdown.j2`` write each in its language. The HTML page needs no
network and no script. Strings of result files are hostile until shown: the template engine
escapes them for HTML, :func:`escape` for Markdown, and figures draw letters as paths.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from graphlift.errors import FormatError, GraphliftError
from graphlift.files import write_text
from graphlift.study.grid import Study, by_size, detections_label
from graphlift.study.report import formatting
from graphlift.study.results import RESULTS, read_results

if TYPE_CHECKING:
    import jinja2

TITLE = "Weight sharing in graph networks for 3D human pose"


@dataclass(frozen=True)
class ReportPaths:
    """Where a report was written."""

    html: Path
    md: Path


def write_report(folder: Path, out: Path | None = None) -> ReportPaths:
    """Make ``report.html``, ``report.md`` and ``figures/*.svg`` from a study's result lines.

    The same lines give the same bytes. Each file is written whole or not at all.

    Args:
        folder: Of the result lines.
        out: Where the report goes; beside the lines if not given.

    Raises:
        FileNotFoundError: If the folder has no result file.
        FormatError: If it has no results yet, or a line is none.
        GraphliftError: If the extra ``report`` is not installed.
        OSError: If the folder cannot be written to.
    """
    study = _read(folder)
    with _report_extra():
        from graphlift.study.report.contents import contents

        values = contents(study)
        html, markdown = render("page.html.j2", "html", values), render("report.j2", "md", values)
    out = folder if out is None else out
    paths = ReportPaths(out / "report.html", out / "report.md")
    for name, svg in values["figures"].items():
        if svg is not None:
            write_text(out / "figures" / f"{name}.svg", svg)
    write_text(paths.html, html)
    write_text(paths.md, markdown)
    return paths


def headline(folder: Path) -> str:
    """Give the report's table of errors as Markdown, which a terminal shows well enough.

    Of a study of several sizes it is of the largest, and says so.

    Raises:
        FileNotFoundError: If the folder has no result file.
        FormatError: If it has no results yet, or a line is none.
        GraphliftError: If the extra ``report`` is not installed.
    """
    study = _read(folder)
    with _report_extra():
        from graphlift.study.report.contents import facts

        parts = by_size(study)
        table = render("accuracy.j2", "md", facts(parts[-1])).rstrip("\n")
    if len(parts) == 1:
        return table
    return f"{table} These are the largest networks of {len(parts)} sizes: the report has all."


def _read(folder: Path) -> Study:
    path = folder / RESULTS
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder}: has no {RESULTS}: give the folder of a study, which `graphlift study run` "
            "prints at its end"
        )
    study = Study(read_results(path))
    if not study.results:
        raise FormatError(f"{path} holds no results yet: run `graphlift study run` first")
    return study


@contextmanager
def _report_extra() -> Iterator[None]:
    """Say which extra is missing where an import fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise GraphliftError(
            f"the report needs {error.name}: pip install 'graphlift[report]'"
        ) from error


@dataclass(frozen=True)
class Outline:
    """The sections of a page, and its tables and figures numbered, as its templates meet them.

    Args:
        sections: Anchors that links lead to, by title.
        counts: How many tables and figures there were.
    """

    sections: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def section(self, title: str) -> str:
        """Note a section; returns its anchor."""
        anchor = "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")
        return self.sections.setdefault(title, anchor)

    def label(self, kind: str) -> str:
        """Number a table or figure: Table 1."""
        self.counts[kind] += 1
        return f"{kind} {self.counts[kind]}"


def render(template: str, language: str, values: Mapping[str, Any]) -> str:
    """Fill a template in.

    Args:
        template: Its file.
        language: Of the page: ``html`` or ``md``.
        values: See :func:`graphlift.study.report.contents.contents`.
    """
    environment = _environment(html=language == "html")
    page = "html.j2" if language == "html" else "markdown.j2"
    of_this_page = {"outline": Outline()}
    parts = environment.get_template(page, globals=of_this_page).make_module()
    filled = environment.get_template(template, globals=of_this_page)
    text = filled.render(values, page=parts, title=TITLE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache
def _environment(*, html: bool) -> "jinja2.Environment":
    """What templates are compiled by, once: that takes longer than to fill them in."""
    import jinja2

    environment = jinja2.Environment(  # Markdown has an escape of its own, below  # nosec B701
        loader=jinja2.PackageLoader("graphlift.study.report"),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable if html else None,
    )
    written = ("count", "number", "one_of", "signed", "size", "sizes")
    environment.filters |= {name: getattr(formatting, name) for name in written}
    environment.filters |= {
        "base64": lambda text: base64.b64encode(text.encode()).decode(),
        "escaped": escape,
        "label": detections_label,
        "line": one_line,
    }
    return environment


Text = TypeVar("Text", bound=str)


def one_line(text: Text) -> Text:
    """Put text of a template on one line; escaped text stays escaped."""
    return type(text)(" ").join(text.split())  # type: ignore[return-value]


def escape(text: object) -> str:
    """Make any text harmless on a line or in a table cell of Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|~#&$])", r"\\\1", one_line(str(_printable(text))))


def _printable(value: object) -> object:
    """Blank control characters, which could turn a line of text round or break the page."""
    if hasattr(value, "__html__"):
        return value
    text = str(value)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)
