"""Servers for the tests of a folder: started once, in threads of this process."""

from contextlib import ExitStack

import pytest

pytest.importorskip("fastapi")

from graphlift.lifting import Lifter
from graphlift.serve.server import serving
from graphlift.serve.settings import Settings


@pytest.fixture(scope="session")
def address():
    """A server with the limits that it has by default."""
    with serving(Settings(port=0, models=("open-small", "open-base"))) as address:
        yield address


@pytest.fixture(scope="session")
def lifter():
    return Lifter.load("open-small")


@pytest.fixture
def served():
    """Start a server with other settings; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            serving(Settings(port=0, models=("open-small",), **settings))
        )
