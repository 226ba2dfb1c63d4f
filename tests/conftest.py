"""Fixtures that more than one module needs."""

import gc
import os
import signal

import hypothesis
import numpy as np
import pytest
from helpers.tiny_pack import small, write_folder

from graphlift.samples.open_data import OpenData

# Speed is benchmarked, never asserted: a busy machine must not fail a property.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure():
    """Have what tests start hear Ctrl-C, which a shell's background ignores, and keep bytecode."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage while thousands of tests are read, nor among them afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def study_data():
    """People to train, validate, test and cross over to, small enough for a test."""
    return OpenData(
        "small",
        small("train"),
        small("validation"),
        small("test"),
        small("test", seed=7),
        stride=1,
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A folder of motion capture that a run takes its data from."""
    return write_folder(tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="module")
def plan(request, tmp_path_factory):
    """The file of the plan of a study that the module has as ``PLAN``."""
    path = tmp_path_factory.mktemp("plan") / "tiny.toml"
    path.write_text(request.module.PLAN)
    return path
