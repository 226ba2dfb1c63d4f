"""The verb that fetches a detector's weights."""

import pytest
from helpers.command import assert_refused, command, here
from test_no_torch import COMMAND, bare

from graphlift.detector_weights.get import MODELS


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache, pip without an index, no npm."""
    monkeypatch.setenv("GRAPHLIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PATH", "")
    return tmp_path


def test_weights_that_cannot_be_fetched_name_the_package_and_the_way_out(offline):
    said = command("model", "get", "blazepose")

    assert said.status == 2
    fetching, also, refusal = said.err.splitlines()
    assert fetching == "fetching mediapipe==0.10.21 with pip"
    assert also == "fetching @mediapipe/pose@0.5.1675469404 with npm"
    assert refusal.startswith("graphlift: the weights of blazepose could not be fetched: pip ")
    assert refusal.endswith("run: graphlift model get blazepose --from FILE")


def test_a_file_that_is_not_the_package_is_refused(offline):
    (offline / "mediapipe.whl").write_bytes(b"PK\x03\x04 not really")

    said = here("model", "get", "blazepose", "--from", offline / "mediapipe.whl")

    assert_refused(said, offline / "mediapipe.whl", "not a package", "download it again")
    assert not (offline / "cache").exists()


def test_unknown_weights_are_refused_by_name(offline):
    assert_refused(here("model", "get", "hrnet"), "'hrnet'", *MODELS)


def test_the_missing_extra_is_named(offline):
    said = bare(COMMAND, "model", "get", "blazepose", banned={"tflite"})

    assert_refused(said, "this verb needs tflite: pip install 'graphlift[video]'")
