"""The public surface: each package says what is public, and the API reference has all of it."""

import ast
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import graphlift

API = Path(__file__).parents[2] / "docs" / "api"
PACKAGES = [
    *("graphlift", "graphlift.datasets", "graphlift.formats", "graphlift.lifting"),
    *("graphlift.metrics", "graphlift.motion", "graphlift.nn"),
]
DIRECTIVE = re.compile(r"^::: ([\w.]+)\n(?:    options: \{members: \[([^]]*)\]\})?", re.MULTILINE)


def public():
    for package in PACKAGES:
        try:
            module = import_module(package)
        except ModuleNotFoundError:  # networks need torch
            continue
        for name in module.__all__:
            if not name.startswith("_"):
                yield package, name, getattr(module, name)


def in_reference(name, value, pages):
    """Whether a page names the object, or a module that lists it or defines it."""
    for path, members in DIRECTIVE.findall(pages):
        found = pkgutil.resolve_name(path)
        if found is value:
            return True
        if getattr(found, name, None) is value:
            listed = re.findall(r"\w+", members) or getattr(found, "__all__", [])
            if name in listed or (not members and path == getattr(value, "__module__", path)):
                return True
    return False


def test_every_public_name_is_in_the_reference():
    pages = "\n".join(page.read_text() for page in sorted(API.glob("*.md")))

    missing = [
        f"{package}.{name}"
        for package, name, value in public()
        if not in_reference(name, value, pages)
    ]

    assert not missing


def explanation(value):
    """The docstring of a function or class, with those that it refers to for its arguments."""
    text = inspect.getdoc(value) or ""
    home = import_module(value.__module__)
    others = [getattr(home, name, None) for name in re.findall(r":(?:func|class):`(\w+)`", text)]
    return "\n".join([text, *(inspect.getdoc(other) or "" for other in others if other)])


def test_every_public_function_and_class_explains_its_parameters():
    unexplained = []
    for package, name, value in public():
        if not callable(value):
            continue
        text = explanation(value)
        if not re.match(r"[A-Z0-9].*\.$", text, re.MULTILINE):
            unexplained.append(f"{package}.{name}: no summary")
        unexplained += [
            f"{package}.{name}: {parameter}"
            for parameter in inspect.signature(value).parameters
            if not re.search(rf"\b{parameter}\b", text)
        ]

    assert not unexplained


def test_type_checkers_see_the_names_that_are_imported_on_first_use():
    tree = ast.parse(Path(graphlift.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.asname: f"{statement.module}.{alias.name}"
        for statement in block.body
        for alias in statement.names
    }

    assert sorted([*typed, "__version__"]) == sorted(graphlift.__all__) == dir(graphlift)
    for name, path in typed.items():
        module, _, attribute = path.rpartition(".")
        value = getattr(import_module(module), attribute, None) or import_module(path)
        assert getattr(graphlift, name) is value


def test_a_name_that_is_not_public_is_refused():
    with pytest.raises(AttributeError, match="'nonsense'"):
        graphlift.nonsense  # noqa: B018
