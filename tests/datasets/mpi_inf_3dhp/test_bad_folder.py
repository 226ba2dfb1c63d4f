"""Folders of MPI-INF-3DHP that lack files or mix them, and choices that no folder has."""

import pytest
from helpers import tiny_3dhp as tiny
from helpers.hostile_3dhp import refused

from graphlift.datasets.mpi_inf_3dhp import read_3dhp
from graphlift.errors import ConfigError, DatasetNotFoundError


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    refused(
        "no test part.*annot_data.mat.*data_test_3dhp.npz.*mpi_inf_3dhp_test_valid.npz",
        tmp_path,
        error=DatasetNotFoundError,
    )
    refused("S1/Seq1/annot.mat.*P-STMO", tmp_path, "train", DatasetNotFoundError)
    refused("no folder .*nowhere: give", tmp_path / "nowhere", error=DatasetNotFoundError)


def test_missing_sequences_are_named_with_those_that_are_there(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test(("TS1", "TS4")))

    refused(
        r"the test part: TS2, TS3, TS5, TS6 missing.*\(TS1, TS4 are present\).*--partial",
        tmp_path,
        error=DatasetNotFoundError,
    )
    assert len(list(read_3dhp(tmp_path, "test", sequences=["TS4", "TS1"]))) == 2


@pytest.mark.parametrize("write", ["write_test_set", "write_pstmo_test", "write_mmpose_test"])
def test_missing_sequences_can_be_done_without(tmp_path, write):
    getattr(tiny, write)(tmp_path, tiny.takes_of_test(("TS2", "TS5")))

    assert [each.clip for each in read_3dhp(tmp_path, "test", partial=True)] == ["TS2", "TS5"]
    for partial in (False, True):
        refused(
            "TS1, TS6",
            tmp_path,
            error=DatasetNotFoundError,
            partial=partial,
            sequences=["TS1", "TS6"],
        )


def test_missing_sequences_are_said_at_the_call_and_not_at_the_first_frame(tmp_path):
    tiny.write_test_set(tmp_path, tiny.takes_of_test(("TS1",)))

    with pytest.raises(DatasetNotFoundError):
        read_3dhp(tmp_path, "test")


def test_two_layouts_in_one_folder_are_both_named(tmp_path):
    takes = tiny.takes_of_test(("TS1",))
    tiny.write_test_set(tmp_path, takes)
    tiny.write_pstmo_test(tmp_path, takes)

    refused("twice, original .*TS1.* and p-stmo .*data_test_3dhp.npz.*give the layout", tmp_path)
    for layout in ("original", "p-stmo"):
        assert len(list(read_3dhp(tmp_path, "test", layout=layout, sequences=["TS1"]))) == 1
    refused("no test part", tmp_path, error=DatasetNotFoundError, layout="mmpose")
    refused("no layout 'cdf'.*original, p-stmo, mmpose", tmp_path, error=ConfigError, layout="cdf")


def test_wrong_choices_are_refused(tmp_path):
    refused("no part 'val'.*train or test", tmp_path, "val", ConfigError)
    refused("no sequence 'TS7'.*TS1, TS2", tmp_path, error=ConfigError, sequences=["TS7"])
    refused("no camera 14.*0 to 13", tmp_path, "train", ConfigError, cameras=[0, 14])
    tiny.write_mmpose_test(tmp_path, tiny.takes_of_test())
    refused("annot3 only", tmp_path, error=ConfigError, annotation="univ_annot3")
    refused("no annotation 'annot2'", tmp_path, error=ConfigError, annotation="annot2")
