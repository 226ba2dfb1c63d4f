"""Publish a study: its result lines without motion capture, and its report.

    python recipes/publish_study.py STUDY OUT

OUT/results.jsonl gets the lines without the poses of their worst frames, so a report made from
them names those frames and does not draw them. Of the path of the data only the last folder is
kept. OUT/report.html, OUT/report.md and OUT/figures/*.svg are made from the full lines of STUDY,
with the drawings. Every file is written whole or not at all.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from graphlift.errors import GraphliftError
from graphlift.files import replacing
from graphlift.study.report import write_report
from graphlift.study.results import RESULTS, Result, append_result, read_results


def publish(study: Path, out: Path):
    results = [without_path(result) for result in read_results(study / RESULTS)]
    with tempfile.TemporaryDirectory() as folder:
        for result in results:
            append_result(Path(folder) / RESULTS, result)
        write_report(Path(folder), out)
    with replacing(out / RESULTS) as beside:
        for result in results:
            append_result(beside, without_poses(result))


def without_path(result: Result) -> Result:
    """Keep the last folder of the path of the data; the digest identifies them."""
    config = {**result.config, "data": Path(str(result.config["data"])).name}
    return replace(result, config=config)


def without_poses(result: Result) -> Result:
    """Keep which the worst frames were; their poses are motion capture, not ours to publish."""
    bare = [replace(f, keypoints=[], predicted=[], truth=[]) for f in result.failures]
    return replace(result, failures=bare)


def main(arguments: Sequence[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", type=Path, help="folder of a study, with its results.jsonl")
    parser.add_argument("out", type=Path, help="another folder, to be committed")
    paths = parser.parse_args(arguments)
    if paths.out.resolve() == paths.study.resolve():
        parser.error(f"OUT is {paths.study} itself: its full lines would be lost; give another")
    try:
        publish(paths.study, paths.out)
    except (GraphliftError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
