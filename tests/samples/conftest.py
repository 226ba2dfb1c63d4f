"""Packs of licensed data sets to train on."""

import pytest
from helpers.tiny_packs import write_3dhp, write_h36m


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs")
    write_h36m(folder / "h36m", noise={"cpn": 5.0})
    write_3dhp(folder / "3dhp")
    return folder
