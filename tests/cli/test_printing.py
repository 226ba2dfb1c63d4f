"""What verbs print, where it cannot be printed."""

import errno
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from helpers.command import command, here

from graphlift.cli.printing import name_standard_output
from graphlift.formats.example import example_keypoints_path

FULL = Path("/dev/full")
VERBS = {
    "version": ("--version",),
    "help": ("lift", "--help"),
    "table": ("model", "list"),
    "JSON": ("model", "info", "open-small", "--json"),
    "lifted": ("lift", example_keypoints_path(), "--raw", "--model", "open-small", "-o", "x.npz"),
}
"""One of each way to print."""

needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")


@needs_full
@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_a_full_standard_output_is_named_with_the_way_out(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with FULL.open("w") as full:
        said = here(*words, out=full)

    assert said.status == 2
    assert said.err.splitlines()[-1] == (
        "graphlift: standard output: No space left on device: free some space, or send it "
        "elsewhere, and run the same command again"
    )


@needs_full
def test_a_process_that_cannot_print_ends_with_one_line():
    with FULL.open("w") as full:
        run = subprocess.run(
            [sys.executable, "-u", "-m", "graphlift", "--version"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert "standard output: No space left on device" in run.stderr


def test_what_is_printed_arrives_as_it_is(tmp_path):
    path = tmp_path / "out.txt"

    with path.open("w", encoding="utf-8") as file:
        said = here("model", "list", out=file)

    assert (said.status, said.err) == (0, "")
    assert path.read_text(encoding="utf-8") == command("model", "list").out


def test_a_reader_that_has_gone_is_another_error():
    start, end = os.pipe()
    os.close(start)
    with open(end, "w") as out, redirect_stdout(out):  # noqa: PTH123
        name_standard_output()
        with pytest.raises(BrokenPipeError) as gone:
            print("nobody reads this", flush=True)  # noqa: T201

    assert (gone.value.errno, gone.value.filename) == (errno.EPIPE, None)
