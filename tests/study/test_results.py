"""Result lines: what is written is read, and a broken file loses nothing."""

import json
from dataclasses import asdict

import pytest
from helpers.fake_results import fake_result, fake_results, write_results

from graphlift.errors import FormatError
from graphlift.study.results import RESULTS, append_result, read_results, set_aside_cut_line


def deep(levels):
    """A list within a list and so on."""
    value = []
    for _ in range(levels):
        value = [value]
    return value


def plain(result):
    return json.loads(json.dumps(asdict(result)))


def test_what_is_written_is_read(tmp_path):
    results = fake_results(seeds=(0, 1), detections=("gt", "hg-sim"), blocks=4)

    path = write_results(tmp_path, results) / RESULTS

    assert [plain(result) for result in read_results(path)] == [plain(r) for r in results]


def test_a_run_without_another_data_set_is_read(tmp_path):
    path = write_results(tmp_path, [fake_result(cross=False)]) / RESULTS

    (result,) = read_results(path)

    assert result.cross_pck is None
    assert result.cross_per_activity == {}


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_results(tmp_path / RESULTS)


def test_a_cut_line_is_named_with_its_number_and_the_way_out(tmp_path):
    path = (
        write_results(tmp_path, fake_results(seeds=(0,), detections=("gt",), blocks=4)) / RESULTS
    )
    data = path.read_bytes()
    path.write_bytes(data[:-200])

    with pytest.raises(FormatError, match=r"line 10: not a result.*graphlift study run"):
        read_results(path)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"mpjpe_mm": "far"}, "mpjpe_mm"),
        ({"surprise": 1}, "surprise"),
        ({"blocks": {"walk": {"frames": [1], "mpjpe_mm": [1.0]}}}, "blocks.walk.p_mpjpe_mm"),
    ],
)
def test_a_wrong_line_names_line_and_field(tmp_path, change, where):
    path = write_results(tmp_path, [fake_result()]) / RESULTS
    with path.open("a") as file:
        file.write(json.dumps({**plain(fake_result(seed=1)), **change}) + "\n")

    with pytest.raises(FormatError, match=rf"line 2: not a result .*\({where}"):
        read_results(path)


def test_a_line_of_another_version_that_is_not_understood_says_so(tmp_path):
    line = {**plain(fake_result()), "later": 1, "version": "99.0"}
    (tmp_path / RESULTS).write_text(json.dumps(line) + "\n")

    with pytest.raises(FormatError, match=r"later: .*it is of graphlift 99\.0, and this is .*"):
        read_results(tmp_path / RESULTS)


def test_garbage_is_no_result(tmp_path):
    path = tmp_path / RESULTS
    path.write_text("{}\n")
    with pytest.raises(FormatError, match="line 1"):
        read_results(path)
    path.write_text("hello\n")
    with pytest.raises(FormatError, match="line 1"):
        read_results(path)


@pytest.mark.parametrize("cut", [1, 7, 300])
def test_a_cut_line_is_set_aside_and_nothing_is_lost(tmp_path, cut):
    path = write_results(tmp_path, [fake_result(seed=s) for s in (0, 1)]) / RESULTS
    data = path.read_bytes()
    path.write_bytes(data[:-cut])

    moved = set_aside_cut_line(path)

    assert moved is not None
    aside = path.with_suffix(".jsonl.cut").read_bytes()
    assert path.read_bytes() + aside == data[:-cut] + b"\n"
    assert [result.seed for result in read_results(path)] == [0]


def test_cut_lines_gather_and_the_run_can_be_repeated(tmp_path):
    path = write_results(tmp_path, [fake_result(seed=0)]) / RESULTS
    for piece in (b'{"name": "a', b'{"name": "b'):
        with path.open("ab") as file:
            file.write(piece)
        assert set_aside_cut_line(path) == piece.decode()

    append_result(path, fake_result(seed=1))

    assert path.with_suffix(".jsonl.cut").read_bytes() == b'{"name": "a\n{"name": "b\n'
    assert [result.seed for result in read_results(path)] == [0, 1]


def test_a_first_line_that_is_cut_leaves_an_empty_file(tmp_path):
    path = tmp_path / RESULTS
    path.write_bytes(b'{"name": "\xc3')

    assert set_aside_cut_line(path) == '{"name": "\ufffd'
    assert path.read_bytes() == b""


def test_a_whole_or_absent_file_is_left_alone(tmp_path):
    assert set_aside_cut_line(tmp_path / RESULTS) is None
    path = write_results(tmp_path, [fake_result()]) / RESULTS
    data = path.read_bytes()

    assert set_aside_cut_line(path) is None
    assert path.read_bytes() == data
    assert not path.with_suffix(".jsonl.cut").exists()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"mpjpe_mm": float("nan")}, "mpjpe_mm: .*finite"),
        ({"cross_pck": float("inf")}, "cross_pck: .*finite"),
        ({"mpjpe_mm": -40.0}, "mpjpe_mm: .*0"),
        ({"steps": 0, "best_step": 0}, "steps: .*1"),
        ({"best_step": 10**9}, "best_step: 1000000000"),
        ({"parameters": -1}, "parameters: .*1"),
        ({"seconds": -1.0}, "seconds: .*0"),
        ({"cross_auc": 101.0}, "cross_auc.*: .*100"),
        ({"occluded_share": 1.5}, "occluded_share: .*1"),
        ({"per_joint_mm": {"Hip": -1.0}}, "per_joint_mm.Hip: .*0"),
        ({"config": {"clip": float("nan")}}, "config: nan"),
        ({"config": {"a": [[[]]] * 2, "b": deep(80)}}, "config: .*64 deep"),
        ({"config": {"model": 3}}, "config.model: is no table, but 3"),
        ({"config": {"supervision": ["critic"]}}, "config.supervision: is no table"),
        ({"config": {"model": {"joints": "16"}}}, "config.model.joints: is no whole number"),
        ({"config": {"model": {"joints": [16]}}}, "config.model.joints: is no whole number"),
        ({"config": {"evaluate_stride": None}}, "config.evaluate_stride: is no whole number"),
    ],
)
def test_a_line_that_no_run_leaves_is_named_with_its_number(tmp_path, change, where):
    path, results = tmp_path / RESULTS, fake_results(seeds=(0,), detections=("gt",))[:2]
    for result in results:
        append_result(path, result)
    assert read_results(path) == results
    line = json.dumps(asdict(results[1]) | change)
    path.write_text(path.read_text().splitlines()[0] + "\n" + line + "\n")

    with pytest.raises(FormatError, match=rf"results\.jsonl, line 2: not a result .*{where}.*del"):
        read_results(path)


@pytest.mark.parametrize("part", ["per_activity", "cross_per_activity", "blocks"])
def test_parts_that_no_run_leaves_are_named(tmp_path, part):
    result = asdict(fake_results(seeds=(0,), detections=("gt",))[0])
    name, each = next(iter(result[part].items()))
    wrong = each | ({"mpjpe_mm": each["mpjpe_mm"][1:]} if part == "blocks" else {"frames": 0})
    (tmp_path / RESULTS).write_text(json.dumps(result | {part: {name: wrong}}) + "\n")

    with pytest.raises(FormatError, match=rf"line 1: not a result .*{part}\.{name}"):
        read_results(tmp_path / RESULTS)
