"""Every block of Python and of shell on the pages runs as it is written, page by page.

The blocks of a page run in their order, in one namespace and one folder. The folder is empty but
for what a clone of the repository has and the page names (``CLONE``). A block that cannot run here
has a comment above it that no reader sees, with one of the ``REASONS``.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from helpers.command import here
from helpers.tiny_3dhp import takes_of_test, write_test_set
from helpers.tiny_pack import PARTS
from helpers.tiny_packs import write_h36m

from graphlift.datasets.mocap.prior import sample_prior
from graphlift.samples import data_sets
from graphlift.samples.open_data import OpenData

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES.remove(ROOT / "docs/study/open/report.md")  # `graphlift study report` writes it
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<kind>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
REASONS = {
    "needs a network",
    "needs data that are not ours to give",
    "needs a camera or a browser",
    "needs minutes",
    "needs a Ray cluster",  # tests/cli/test_cluster.py has one
    "needs a server",  # the lines are run by tests/serve/test_command.py
    "serves until it is interrupted",
}
CLONE = ("recipes", "benchmarks", "docs/study")
KINDS = {"python", "sh", "toml"}


def take_of_cmu(folder):
    shutil.copytree(ROOT / "tests" / "data" / "mocap" / "01", folder / "subjects" / "01")
    (folder / "activities.csv").write_text("clip,activity\n01_01,walk\n")


def checkpoint_of_others(folder):
    import torch

    torch.save({"epoch": 1, "state_dict": {"w": torch.ones(3)}}, folder / "ckpt_best.pth.tar")


MADE_UP = {
    "checkpoints.md": checkpoint_of_others,
    "data.md": take_of_cmu,
    "human36m.md": lambda folder: write_h36m(folder / "packs" / "h36m"),
    "mpi-inf-3dhp.md": lambda folder: write_test_set(
        folder / "mpi_inf_3dhp_test_set", takes_of_test()
    ),
}
"""Stand-ins for a reader's licensed copy."""
NOT_RUN = 60
"""As many blocks as may be left out."""


def blocks(page):
    """Each block with the line it begins in, its kind, its code and why it is not run."""
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code"))
        yield line, found["kind"], found["code"], found["reason"]


def commands(code):
    """The lines of a block of shell as words; continued lines joined."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@cache
def prior():
    """People as they are made up when no data are given; fewer, and once for all pages."""
    parts = (sample_prior(part, people=5, poses=500) for part in PARTS)
    return OpenData("prior", *parts, sample_prior("test", seed=1, people=5, poses=500), stride=1)


def read_prior(source):
    return prior() if source == "prior" else None


def run_command(words, where):
    """Run ``graphlift`` in this process, and a script in one of its own; ``> FILE`` may end it."""
    if words[0] == "graphlift":
        words, file = (words[:-2], words[-1]) if words[-2:-1] == [">"] else (words, "")
        done = here(*words[1:])
        assert done.status == 0, f"{where}: {shlex.join(words)}\n{done.out}{done.err}"
        if file:
            Path(file).write_text(done.out, encoding="utf-8")
        return
    assert words[0] == "python", f"{where}: mark the block as not run: {shlex.join(words)}"
    subprocess.run([sys.executable, *words[1:]], check=True, env=os.environ)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_blocks_run_as_written(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    readers = (read_prior, *data_sets.TRAINING_DATA_READERS)
    monkeypatch.setattr(data_sets, "TRAINING_DATA_READERS", readers)
    for name in CLONE:
        if any(name in code for _, _, code, reason in blocks(page) if not reason):
            shutil.copytree(ROOT / name, tmp_path / name)
    if page.name in MADE_UP:
        MADE_UP[page.name](tmp_path)
    namespace = {"__name__": "__main__"}

    for line, kind, code, reason in blocks(page):
        where = f"{page.name}:{line}"
        if kind == "toml":
            tomllib.loads(code)
        elif kind == "python":
            compiled = compile("\n" * line + code, str(page), "exec")
            if not reason:
                exec(compiled, namespace)
        elif not reason:
            for words in commands(code):
                run_command(words, where)


def test_blocks_are_of_known_kinds_and_few_are_left_out_for_a_known_reason():
    found = [(page.name, *block) for page in PAGES for block in blocks(page)]
    opened = sum(len(re.findall(r"^ *```\w", p.read_text(encoding="utf-8"), re.M)) for p in PAGES)
    marks = sum(p.read_text(encoding="utf-8").count("<!-- not run") for p in PAGES)
    left_out = [reason for *_, reason in found if reason]

    assert len(found) == opened, "a block is indented, or of a language with a sign in its name"
    assert len(left_out) == marks, "a mark stands on the line above its block, and on no other"
    assert {kind for _, _, kind, _, _ in found} <= KINDS
    assert set(left_out) <= REASONS
    assert len(left_out) <= NOT_RUN
