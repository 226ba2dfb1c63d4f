"""Names of the package in pages, notebooks and docstrings: each is there, and so is each path."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "graphlift"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/**/*.ipynb")])
SOURCES = sorted(path for folder in ("src", "recipes", "benchmarks", "tests")
                 for path in ROOT.glob(f"{folder}/**/*.py"))  # fmt: skip
DOTTED = re.compile(r"(?<![\w/.-])graphlift(?:\.[A-Za-z_]\w*)+")
FILES = {"graphlift.md"}
"""Names of files, which look like names of the package."""
REFERENCE = re.compile(r":(?:func|class|data|mod|meth|attr|exc):`~?([\w.]+)`")
TREE = re.compile(r"(?<![\w/.-])(?:src|tests|recipes|benchmarks)/[\w./-]*\w")
MODULE = re.compile(r"`((?:[\w-]+/)+[\w-]+\.py)`")
ENTRY = re.compile(r"`([A-Za-z_]\w*)` in\s+`([\w/]+\.py)`")


def exists(name: str, home: object = None) -> bool:
    """Whether a dotted name leads somewhere: from the top, or from a module."""
    try:
        if home is None:
            pkgutil.resolve_name(name)
        else:
            for part in name.split("."):
                home = getattr(home, part)
    except (AttributeError, ModuleNotFoundError):
        return False
    return True


@cache
def prose(path: Path) -> list[str]:
    """The docstrings of a module, and its comments; all of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [text]
    strings = [n.value for n in statements(ast.parse(text)) if isinstance(n, ast.Expr)]
    return [
        *(n.value for n in strings if isinstance(n, ast.Constant) and isinstance(n.value, str)),
        *re.findall(r"#.*", text),
    ]


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """What stands within a module, class or function, however deep; not what expressions hold."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for each in getattr(node, name, ()):
            yield each
            yield from statements(each)


@pytest.mark.parametrize("folder", ["pages", "src", "recipes", "benchmarks", "tests"])
def test_dotted_names_are_in_the_package(folder):
    paths = PAGES if folder == "pages" else [p for p in SOURCES if (ROOT / folder) in p.parents]
    named = {
        (name, str(path.relative_to(ROOT)))
        for path in paths
        for text in prose(path)
        for name in DOTTED.findall(text)
    }

    assert [(name, where) for name, where in sorted(named) if name not in FILES
            and not exists(name)] == []  # fmt: skip


def test_references_of_docstrings_are_in_their_module_or_a_class_of_it():
    found, missing = 0, []
    for path in PACKAGE.glob("**/*.py"):
        names = [name for text in prose(path) for name in REFERENCE.findall(text)]
        if not names or path.stem == "__main__":
            continue
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        home = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        homes = [home, *(v for v in vars(home).values() if inspect.isclass(v))]
        found += len(names)
        missing += [
            f"{'/'.join(parts)}: {name}"
            for name in names
            if not (exists(name) if name.startswith("graphlift.") else
                    any(exists(name, home) for home in homes))
        ]  # fmt: skip

    assert found > 200
    assert missing == []


@pytest.mark.parametrize("paths", [PAGES, SOURCES], ids=["pages", "sources"])
def test_paths_of_the_repository_exist(paths):
    named = {
        (name, str(path.relative_to(ROOT)))
        for path in paths
        for text in prose(path)
        for name in TREE.findall(text)
    }

    assert len(named) > 10
    assert [(name, where) for name, where in sorted(named) if not (ROOT / name).exists()] == []


def test_modules_that_pages_name_exist_and_hold_what_is_said_to_be_in_them():
    pages = [
        path for path in PAGES if path.name != "CHANGELOG.md"
    ]  # it tells of modules that were
    texts = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages}
    modules = {(name, page) for page, text in texts.items() for name in MODULE.findall(text)}
    entries = {(*entry, page) for page, text in texts.items() for entry in ENTRY.findall(text)}

    def source(module: str) -> str:
        homes = [home / module for home in (ROOT, PACKAGE) if (home / module).exists()]
        return homes[0].read_text(encoding="utf-8") if homes else ""

    assert len(modules) > 20
    assert [(module, page) for module, page in sorted(modules) if not source(module)] == []
    assert len(entries) > 5
    assert [
        (name, module, page)
        for name, module, page in sorted(entries)
        if not re.search(rf"\b{name}\b", source(module))
    ] == []
