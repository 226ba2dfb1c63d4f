"""What is published is small, and needs nothing that only the repository has."""

import io
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEGABYTE = 1_000_000


def test_a_wheel_has_at_most_12_megabytes():
    package = ROOT / "src" / "graphlift"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in package.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                wheel.write(path, path.relative_to(package.parent))

    assert content.tell() <= 12 * MEGABYTE


def test_what_is_published_is_made_of_the_package_alone():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    sdist = build["targets"]["sdist"]["only-include"]

    assert build["targets"]["wheel"]["packages"] == ["src/graphlift"]
    assert {"src/graphlift", "CHANGELOG.md", "CITATION.cff"} == set(sdist)
    assert all((ROOT / path).exists() for path in sdist)


def test_figures_of_the_documentation_are_small():
    figures = list((ROOT / "docs" / "figures").iterdir())

    assert figures
    assert not [figure.name for figure in figures if figure.stat().st_size > MEGABYTE / 10]
