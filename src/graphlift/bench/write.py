"""A benchmark's files: its report, all its numbers, its picture."""

import json
from pathlib import Path

from graphlift.bench.engines import installed
from graphlift.bench.report import report
from graphlift.bench.results import Result
from graphlift.files import replacing, write_text

REPORT, NUMBERS, PICTURE = "report.md", "bench.json", "roofline.png"


def write_result(result: Result, folder: Path) -> tuple[list[Path], list[str]]:
    """Write what was found to a folder, each file whole or not at all.

    Returns:
        The files, and what was left out and why.

    Raises:
        OSError: If the folder cannot be written to.
    """
    write_text(folder / NUMBERS, json.dumps(result.to_json(), indent=1, allow_nan=False) + "\n")
    write_text(folder / REPORT, report(result))
    written = [folder / REPORT, folder / NUMBERS]
    if not result.rows:
        return written, [f"no {PICTURE}: nothing was measured"]
    if not installed("matplotlib"):
        return written, [f"no {PICTURE}: it needs matplotlib: pip install 'graphlift[report]'"]
    from graphlift.bench.roofline import draw_roofline

    with replacing(folder / PICTURE) as beside:
        draw_roofline(result, beside)
    return [*written, folder / PICTURE], []
