"""A benchmark that is interrupted: nothing that it measured is lost, and nothing is mixed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.command import here

from graphlift.bench.measure import Options, bench
from graphlift.bench.report import report
from graphlift.bench.results import read_result
from graphlift.bench.unfinished import UNFINISHED
from graphlift.errors import ConfigError, FormatError
from graphlift.files import alone
from graphlift.words import counted

TESTS = Path(__file__).parents[1]

OPTIONS = Options(
    names=("full-sharing", "open-small"),
    sizes=(0.002,),
    batches=(1, 3),
    training_batches=(4,),
    seconds=0.001,
)
CELLS = 5
"""Two batches of each, and a training step."""
PATIENCE = 600.0  # seconds until a test gives up; none depends on speed


def interrupting(cell):
    """Progress that interrupts, as Ctrl-C does, before so many networks at a batch are done."""
    told = []

    def show(done, of, what):
        told.append(what)
        if len(told) == cell + 2:  # the first is of memory
            os.kill(os.getpid(), signal.SIGINT)

    return show


def without_progress(err):
    """What was said beside a line a minute, of which a slow machine says some."""
    said = r"graphlift: \d+ of about \d+ min are measured; next: [^\n]*\n"
    return re.sub(said, "", err)


def timed(result):
    return {(row.name, row.mode, row.batch, row.engine): row.seconds for row in result.rows}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """What a whole benchmark keeps."""
    folder = tmp_path_factory.mktemp("whole")
    bench(OPTIONS, folder=folder)
    return (folder / UNFINISHED).read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("done", [0, 2, 4])
def test_an_interrupted_benchmark_goes_on_with_what_it_measured(tmp_path, done):
    first = bench(OPTIONS, interrupting(done), tmp_path)
    kept = (tmp_path / UNFINISHED).read_bytes()

    assert first.missing == CELLS - done
    assert kept.count(b"\n") == 1 + done
    assert f"An interrupt left {counted(first.missing, 'measurement')} out." in report(first)

    second = bench(OPTIONS, folder=tmp_path)

    assert second.missing == 0
    assert "interrupt" not in report(second)
    assert (tmp_path / UNFINISHED).read_bytes().startswith(kept)
    assert (second.memory, second.square) == (first.memory, first.square)
    assert timed(first).items() <= timed(second).items()  # the same times, to the last digit
    assert second.seconds > first.seconds
    whole = bench(OPTIONS, folder=tmp_path)
    assert (whole.rows, whole.products) == (second.rows, second.products)
    assert whole.seconds == pytest.approx(second.seconds)


def test_without_a_folder_an_interrupted_benchmark_gives_what_it_has():
    result = bench(OPTIONS, interrupting(1))

    assert result.missing == CELLS - 1
    assert {row.batch for row in result.rows} == {1}


def test_networks_and_batches_that_are_added_are_measured_beside_those_that_are_kept(
    tmp_path, lines
):
    (tmp_path / UNFINISHED).write_bytes(b"".join(lines))
    before = timed(bench(OPTIONS, folder=tmp_path))

    more = Options(**vars(OPTIONS) | {"batches": (1, 2, 3), "training_batches": ()})
    now = timed(bench(more, folder=tmp_path))

    assert {batch for _, _, batch, _ in now} == {1, 2, 3}
    assert {key: now[key] for key in now if key in before} == {
        key: seconds for key, seconds in before.items() if key[1] != "training"
    }


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"threads": 2}, r"other threads \(there 1, here 2\)"),
        ({"seconds": 0.002}, r"other seconds \(there 0.001, here 0.002\)"),
        ({"cpu_time": True}, r"other cpu-time \(there False, here True\)"),
        (
            {"engines": ("numpy",)},
            r"other engines \(there numpy, torch, onnxruntime, here numpy\)",
        ),
    ],
    ids=str,
)
def test_what_was_measured_under_other_conditions_is_not_mixed_in(tmp_path, lines, changed, told):
    (tmp_path / UNFINISHED).write_bytes(lines[0])

    with pytest.raises(ConfigError, match=told):
        bench(Options(**vars(OPTIONS) | changed), folder=tmp_path)

    assert (tmp_path / UNFINISHED).read_bytes() == lines[0]


def test_neither_is_what_another_machine_or_version_measured(tmp_path, lines):
    start = json.loads(lines[0])
    assert start["conditions"].keys() > {"processor", "instructions", "cores", "ONNX Runtime"}
    start["conditions"] |= {"processor": "Another", "torch": "0.1"}
    (tmp_path / UNFINISHED).write_text(json.dumps(start) + "\n")

    with pytest.raises(ConfigError, match=r"processor \(there Another, .* torch \(there 0.1, "):
        bench(OPTIONS, folder=tmp_path)


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_line_that_was_cut_short_is_measured_again(tmp_path, lines, left):
    cut = lines[left][:-20]
    (tmp_path / UNFINISHED).write_bytes(b"".join(lines[:left]) + cut)

    result = bench(OPTIONS, folder=tmp_path)

    assert len(timed(result)) == len(result.rows)
    now = (tmp_path / UNFINISHED).read_bytes()
    assert now.startswith(b"".join(lines[:left]))
    assert now.count(b"\n") == len(lines)
    assert (tmp_path / f"{UNFINISHED}.cut").read_bytes() == cut + b"\n"


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("line", [b"{}", b"[", b"\xff", b'{"seconds": NaN}', b"[" * 10_000])
def test_a_damaged_line_is_refused_by_its_number(tmp_path, lines, number, line):
    (tmp_path / UNFINISHED).write_bytes(b"".join(lines[: number - 1]) + line + b"\n")

    with pytest.raises(FormatError, match=f"{UNFINISHED}, line {number}: no measurement"):
        bench(OPTIONS, folder=tmp_path)


def test_a_second_benchmark_in_a_folder_is_refused(tmp_path):
    pytest.importorskip("fcntl")

    with (
        alone(tmp_path, "benchmark"),
        pytest.raises(BlockingIOError, match="another benchmark runs in"),
    ):
        bench(OPTIONS, folder=tmp_path)


def test_an_interrupted_command_writes_what_there_is_and_says_how_to_go_on(tmp_path):
    file = tmp_path / UNFINISHED
    words = ["bench", "open-small", "--engine", "onnxruntime", "--seconds", 0.001]
    words += ["--threads", 1, "-o", tmp_path]
    words += [word for batch in range(1, 13) for word in ("--batch", batch)]
    process = subprocess.Popen(
        [sys.executable, "-m", "helpers.small_limits", *map(str, words)],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + PATIENCE
    while not (file.exists() and file.read_bytes().count(b"\n") > 1):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)

    result = read_result(tmp_path / "bench.json")
    assert process.returncode == 130, err
    assert without_progress(err) == (
        f"graphlift: {counted(result.missing, 'measurement is', 'measurements are')} missing; "
        f"{file} has the others: run the same command again to go on\ngraphlift: interrupted\n"
    )
    assert 0 < result.missing < 12
    assert file.read_bytes().count(b"\n") == 1 + 12 - result.missing
    assert str(tmp_path / "report.md") in out

    again = here(*words)

    assert (again.status, without_progress(again.err)) == (0, "")
    whole = read_result(tmp_path / "bench.json")
    assert (whole.missing, len({row.batch for row in whole.rows})) == (0, 12)
    assert timed(result).items() <= timed(whole).items()
    assert not file.exists()
