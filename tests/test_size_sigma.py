"""How sure people's sizes are: by the model's card, with its people, into files and back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.command import here
from helpers.made_lifter import export_28
from helpers.readback import moving
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.card import ModelCard, read_card
from graphlift.errors import FormatError, ShapeError
from graphlift.formats import read_poses, write_poses
from graphlift.formats.to_xarray import to_xarray
from graphlift.geometry import align_scale, best_scale
from graphlift.lifting import Lifter
from graphlift.motion.bones import SIZES
from graphlift.scoring.sigma import size_spread
from graphlift.skeletons import COCO_17

WEIGHTS = Path(__file__).parents[1] / "recipes" / "weights"


def sized(*shares, **fields):
    people = tuple(f"p{k}" for k in range(len(shares)))
    return replace(moving(6, people=people), size_sigma=np.array(shares), **fields)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (np.array([0.1]), r"size_sigma \(1,\) should be one value a person, \(2,\)"),
        (np.full((6, 2), 0.1), r"size_sigma \(6, 2\) should be"),
        (np.array([0.1, -0.1]), "size_sigma of person p1 is -0.1: it is a share, such as 0.07"),
        (np.array([np.inf, 0.1]), "size_sigma of person p0 is inf"),
    ],
)
def test_what_is_no_share_a_person_is_refused(shares, message):
    with pytest.raises(ShapeError, match=message):
        replace(sized(0.1, 0.2), size_sigma=shares)


def test_it_stays_with_its_person():
    poses = sized(0.05, np.nan, 0.15)
    absent = poses.positions.copy()
    absent[:, 0] = np.nan

    np.testing.assert_array_equal(poses.of_people([2, 1]).size_sigma, [0.15, np.nan])
    left = replace(poses, positions=absent).without_absent()
    np.testing.assert_array_equal(left.size_sigma, [np.nan, 0.15])
    assert moving(3).of_people([0]).size_sigma is None


@pytest.mark.parametrize("suffix", [".npz", ".json", ".parquet"])
@settings(max_examples=30)  # of up to three numbers each, in files that are written and read
@given(st.lists(st.one_of(st.just(np.nan), st.floats(0, 1)), min_size=1, max_size=3))
def test_files_of_ours_keep_every_bit(tmp_path_factory, suffix, shares):
    path = tmp_path_factory.mktemp("sizes") / f"x{suffix}"

    write_poses(path, sized(*shares))

    np.testing.assert_array_equal(read_poses(path).size_sigma, shares)


@pytest.mark.parametrize("suffix", [".npz", ".json", ".parquet", ".csv"])
def test_files_without_it_read_as_unknown(tmp_path, suffix):
    write_poses(tmp_path / f"x{suffix}", moving(3))

    assert read_poses(tmp_path / f"x{suffix}").size_sigma is None


@pytest.mark.parametrize("wrong", ['"much"', "[true]", '["0.1"]', "[[0.1]]", "[-1]", "[0.1, 0.2]"])
def test_a_file_that_was_changed_is_refused(tmp_path, wrong):
    write_poses(tmp_path / "x.json", sized(0.125))
    text = (tmp_path / "x.json").read_text()
    assert '"size_sigma": [0.125]' in text
    (tmp_path / "x.json").write_text(text.replace("[0.125]", wrong, 1))

    with pytest.raises(FormatError, match=r"x\.json"):
        read_poses(tmp_path / "x.json")


def test_the_summary_of_json_names_it_and_null_is_unknown(tmp_path):
    write_poses(tmp_path / "x.json", sized(0.07, np.nan))

    assert json.loads((tmp_path / "x.json").read_text())["size_sigma"] == [0.07, None]


def test_xarray_has_it_by_person(tmp_path):
    data = to_xarray(sized(0.05, np.nan))

    assert data["size_sigma"].dims == ("individuals",)
    np.testing.assert_array_equal(data["size_sigma"], [0.05, np.nan])
    data.to_netcdf(tmp_path / "x.nc", engine="scipy")
    assert "size_sigma" not in to_xarray(moving(2))


# The model


def test_a_lifter_says_of_everybody_what_its_card_states(tmp_path, rng):
    lifter = Lifter.load(export_28(tmp_path / "made.onnx", size_sigma=0.11), threads=1)
    px = rng.uniform(200, 600, (4, 3, 17, 2))

    whole = lifter(px, skeleton=COCO_17, image_size=(1280, 720))
    one = lifter.stream(skeleton=COCO_17, image_size=(1280, 720))(px[0])

    np.testing.assert_array_equal(whole.size_sigma, [0.11] * 3)
    np.testing.assert_array_equal(one.size_sigma, [0.11] * 3)


def test_cards_that_do_not_state_it_are_of_models_for_adults():
    old = json.loads(_card().to_json())
    del old["size_sigma"]

    assert read_card(json.dumps(old), "m.onnx").size_sigma == SIZES
    earlier = WEIGHTS / "open-small-1.onnx"
    assert Lifter.load(earlier, threads=1).card.size_sigma == SIZES
    assert "- **sizes**: uncertain by 12 % (standard deviation)" in _card(0.12).to_text()


@pytest.mark.parametrize("share", [-0.1, 0.0, 1.5])
def test_a_card_with_an_impossible_share_is_refused(share):
    with pytest.raises(FormatError, match=r"m\.onnx: its model card states a size_sigma of"):
        read_card(_card(share).to_json(), "m.onnx")


def _card(share=SIZES):
    return ModelCard(
        name="m", skeleton="h36m-17", inputs="canonical", method="x", parameters=1,
        size_sigma=share,
    )  # fmt: skip


# How it is fitted


def test_drawn_sizes_are_found_again(rng):
    """Whatever the poses: true people are larger than predicted by factors of a known spread."""
    predicted = rng.normal(size=(4000, 17, 3))
    larger = np.exp(0.11 * rng.standard_normal(4000))

    assert size_spread(predicted, predicted * larger[:, None, None]) == pytest.approx(
        0.11, rel=0.05
    )


def test_what_all_are_too_small_by_counts_and_a_few_failures_do_not(rng):
    predicted = rng.normal(size=(1000, 17, 3))
    upside_down = np.where(np.arange(1000)[:, None, None] < 20, -predicted, 1.1 * predicted)

    # All 10 % too small: half width of 80 % over 1.2816.
    assert size_spread(predicted, upside_down) == pytest.approx(np.log(1.1) / 1.2816, rel=1e-3)


def test_the_scale_is_the_one_of_least_squares(rng):
    points, onto = rng.normal(size=(2, 5, 17, 3))

    scale = best_scale(points, onto)

    np.testing.assert_allclose(points * scale[:, None, None], align_scale(points, onto))
    for s in (scale - 1e-3, scale + 1e-3):
        worse = ((points * s[:, None, None] - onto) ** 2).sum(axis=(1, 2))
        assert (worse > ((align_scale(points, onto) - onto) ** 2).sum(axis=(1, 2))).all()
    assert best_scale(np.zeros((1, 17, 3)), onto[:1]) == 1


# The command


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            (),
            "are the model's own and uncertain by {:.2g} % (standard deviation); a stated height",
        ),
        (("--raw",), "are the model's own and uncertain by {:.2g} %"),
        (("--height", "1.7"), "follow from the stated height and are uncertain by 4 %"),
    ],
)
def test_lift_says_it_once_and_writes_it(tmp_path, flags, words):
    said = here("lift", "sample", "--model", "open-small", *flags, "-o", tmp_path / "x.json")

    assert said.status == 0, said.err
    own = Lifter.load("open-small", threads=1).card.size_sigma
    lines = [line for line in said.err.splitlines() if "People's sizes" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"graphlift: People's sizes {words.format(100 * own)}")
    shares = json.loads((tmp_path / "x.json").read_text())["size_sigma"]
    assert shares == [0.04 if flags == ("--height", "1.7") else pytest.approx(own)]
