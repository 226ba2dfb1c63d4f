"""The pages: links lead somewhere, commands exist, code blocks are code."""

import hashlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from helpers.command import here

from graphlift.study.plan import planned_runs, read_plan
from graphlift.training.config import TrainConfig, read_config

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def exists(path):
    """Whether a page is here, or is made of a notebook when the site is built."""
    return path.exists() or path.with_suffix(".ipynb").exists()


def blocks(page, language):
    return [code for kind, code in FENCE.findall(page.read_text()) if kind == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(page):
    missing = [link for link in LINK.findall(page.read_text()) if not exists(page.parent / link)]

    assert not missing


def test_pages_of_the_site_link_to_nothing_outside_it():
    site = ROOT / "docs"
    outside = [
        (page.name, link)
        for page in site.glob("**/*.md")
        if page != site / "study" / "open" / "report.md"  # not in the site; its twin is
        for link in LINK.findall(page.read_text())
        if not (page.parent / link).resolve().is_relative_to(site)
    ]

    assert not outside


def test_the_first_page_has_a_picture_and_no_link_that_breaks_on_a_package_index():
    text = (ROOT / "README.md").read_text()
    hooks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"][
        "hooks"
    ]
    (change,) = hooks["fancy-pypi-readme"]["substitutions"]
    published = re.sub(change["pattern"], change["replacement"], text)

    assert LINK.findall(text) == ["docs/figures/app.png"]
    assert published == text.replace(re.search(r"^!\[.*\n\n", text, re.MULTILINE)[0], "")
    assert not LINK.findall(published)
    assert not re.findall(r"<(?:img|a|picture)\b|^\[[^]]+\]:", published, re.MULTILINE)


def test_each_equation_of_the_method_is_numbered_and_names_what_computes_it():
    text = (ROOT / "docs" / "method.md").read_text()
    parts = re.split(r"^\*\*\((\d+)\)\*\*", text, flags=re.MULTILINE)
    numbers, bodies = parts[1::2], parts[2::2]

    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    nameless = [n for n, body in zip(numbers, bodies, strict=True) if "`graphlift." not in body]
    assert nameless == ["7"]  # counted with (8), below it


def test_every_command_shown_is_a_verb_with_these_options():
    """Those that are run for themselves (test_blocks.py), too."""
    second = (
        "run|report|list|info|get|export|quantise|import|prepare mocap|prepare h36m|prepare 3dhp"
    )
    commands = [shlex.join(words) for words in shown()]
    verbs = {re.match(rf"graphlift ([a-z-]+(?: (?:{second}))?)", c)[1] for c in commands}

    for verb in verbs:
        said = here(*verb.split(), "--help")
        assert said.status == 0, verb
        options = {
            option
            for command in commands
            if command.startswith(f"graphlift {verb}")
            for option in re.findall(r" (--[a-z-]+)", command)
        }
        assert not {option for option in options if option not in said.out}, verb


def test_recipes_and_benchmarks_that_pages_name_exist():
    named = {
        name
        for page in PAGES
        for name in re.findall(r"\b((?:recipes|benchmarks)/\w+\.(?:py|toml))\b", page.read_text())
    }

    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def shown(verb=""):
    """Each line of the pages that starts with a verb, as its words; continued lines joined."""
    start = f"graphlift {verb} " if verb else "graphlift "
    lines = (
        line
        for page in PAGES
        for code in blocks(page, "sh")
        for line in code.replace("\\\n", " ").splitlines()
    )
    return [shlex.split(line, comments=True) for line in lines if line.startswith(start)]


def settings(words):
    return [words[n + 1] for n, word in enumerate(words) if word == "--set"]


def test_every_study_shown_is_a_plan_with_these_settings():
    studies = [words for words in shown("study run") if not words[3].isupper()]

    assert len(studies) >= 5
    for _, _, _, plan, *words in studies:
        name = str(ROOT / plan) if plan.endswith(".toml") else plan
        assert planned_runs(read_plan(name, settings(words)), data="packs"), (plan, words)


def test_every_run_shown_is_a_configuration_with_these_settings():
    runs = [words for words in shown("train") if (ROOT / words[2]).exists()]

    assert len(runs) >= 3
    for words in runs:
        assert isinstance(read_config(ROOT / words[2], settings(words)), TrainConfig), words


def test_the_page_of_provenance_has_every_fitted_file_with_its_digest():
    text = (ROOT / "docs" / "provenance.md").read_text()
    fitted = [
        path
        for folder in ("src/graphlift", "recipes")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".onnx", ".safetensors", ".npz", ".npy", ".bin"}
    ]

    assert len(fitted) >= 3
    for path in fitted:
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert f"`{path.relative_to(ROOT).as_posix()}`" in text
        assert f"{len(content):,} | `{digest}`" in text


def test_every_page_is_in_the_site_s_contents():
    site = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r": ([\w/.-]+\.(?:md|html))$", site, re.MULTILINE))
    pages = {
        path.relative_to(ROOT / "docs").with_suffix(".md").as_posix()
        for path in ROOT.glob("docs/**/*")
        if path.suffix in {".md", ".ipynb"}
    }

    assert pages - named == {"study/open/report.md"}  # its twin, report.html, is
    assert not [name for name in named if not exists(ROOT / "docs" / name)]


def test_paths_that_contributors_and_lawyers_are_shown_exist():
    for page in (ROOT / "CONTRIBUTING.md", ROOT / "docs" / "provenance.md"):
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        paths = re.findall(r"`([\w./-]+(?:/|\.(?:py|md|npz|onnx|toml|json|safetensors)))`", text)
        homes = (ROOT, ROOT / "src" / "graphlift")

        assert len(paths) >= 8
        assert not [path for path in paths if not any((home / path).exists() for home in homes)]


def test_the_tree_for_contributors_is_the_package():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    tree = re.search(r"^src/graphlift/\n((?:  .*\n)+)", text, re.MULTILINE)[1]
    named = {name for line in tree.splitlines() for name in line[:38].split()}
    package = ROOT / "src" / "graphlift"
    modules = {path.stem for path in package.glob("[a-z]*.py")}
    folders = {
        path.name
        for path in package.iterdir()
        if path.name[0] != "_" and any(path.glob("*.[jp][sy]*"))
    }

    assert {name.rstrip("/") for name in named if "/" not in name.rstrip("/")} == modules | folders
    assert all((package / name).is_dir() for name in named if name.endswith("/"))
