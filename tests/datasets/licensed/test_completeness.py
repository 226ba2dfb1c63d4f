"""What a copy lacks is named by subject, activity and camera, and once for each part."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.tiny_packs import sequence

from graphlift.datasets.licensed.completeness import Published, check_complete, missing, present
from graphlift.errors import DatasetNotFoundError, FormatError
from graphlift.virtual_cameras import open_rig

TAKES = Published(
    "Made-up",
    "takes",
    {
        (who, what, camera): 2
        for who in ("S1", "S2")
        for what in ("Eating", "Photo", "Walking")
        for camera in "ab"
    },
    {"training": (("S1", "S2"), 1)},
)
FRAMES = Published("Made-up", "frames", {("TS1", "TS1", "0"): 3}, {"test": (("TS1",), 3)})


def test_nothing_is_missing():
    assert missing(TAKES, TAKES.counts) == []


def test_what_is_missing_is_named_by_subject():
    found = dict(TAKES.counts) | {("S1", "Photo", "a"): 1, ("S1", "Photo", "b"): 1}
    found |= {("S1", what, camera): 0 for what in ("Eating", "Walking") for camera in "ab"}
    found |= {
        ("S2", what, camera): 0 for what in ("Eating", "Photo", "Walking") for camera in "ab"
    }

    assert missing(TAKES, found) == [
        "S1 has no takes of Eating, of Walking and 1 of 2 takes of Photo",
        "S2 has nothing",
    ]


def test_a_camera_is_named_if_the_others_have_more():
    found = dict(TAKES.counts) | {("S2", "Photo", "b"): 1}

    assert missing(TAKES, found) == ["S2 has 1 of 2 takes of Photo by camera b"]


def clip(*valid):
    made = sequence("TS1", "TS1", "0", open_rig()[0], frames=len(valid), seed=0)
    return replace(made, valid=np.array(valid, dtype=bool))


def check(sequences, partial=False):
    notes = []
    read = check_complete(iter(sequences), FRAMES, notes, where="folder", partial=partial)
    return list(read), notes


def test_frames_that_are_not_valid_are_not_counted():
    read, notes = check([clip(1, 0, 1, 1)])

    assert len(read) == 1
    assert notes == ["the test part has 3 of 3 valid frames"]


def test_too_few_frames_are_refused_after_the_last_sequence_or_noted():
    with pytest.raises(FormatError, match=r"folder: Made-up .* TS1 has 2 of 3 frames.*--partial"):
        check([clip(1, 0, 1)])
    _, notes = check([clip(1, 0, 1)], partial=True)
    assert notes == [
        "the test part has 2 of 3 valid frames",
        "not complete: TS1 has 2 of 3 frames",
    ]


def test_sequences_that_are_present_keep_their_order():
    assert present(["b", "a"], {"a", "b", "c"}, "here", partial=False) == ["b", "a"]
    assert present(["b", "x"], {"a", "b"}, "here", partial=True) == ["b"]
    with pytest.raises(DatasetNotFoundError, match=r"here: x missing.*a, b"):
        present(["b", "x"], ["a", "b"], "here", partial=False)
    with pytest.raises(DatasetNotFoundError, match="here: x, y missing"):
        present(["x", "y"], ["a"], "here", partial=True)
