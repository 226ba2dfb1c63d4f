"""What options offer: names that are the library's, completed by shells; help in groups."""

import os
import subprocess
import sys

import pytest
import typer
from helpers.command import here

from graphlift.bench import engines, subjects
from graphlift.cli import bench, options
from graphlift.cli.outputs import PAGE
from graphlift.formats.write import WRITERS
from graphlift.lifting import SHIPPED
from graphlift.protocols.adaptations import ADAPTATIONS
from graphlift.protocols.named import PROTOCOLS
from graphlift.skeletons import SKELETONS
from graphlift.study import plan
from graphlift.video.detect import DETECTORS

CALL = "import sys; sys.argv[0] = 'graphlift'; from graphlift.cli import main; main()"
REPORT = (
    f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {CALL}"
)


def completing(*words):
    """The variables by which bash asks for completions of the last word."""
    return {
        "_GRAPHLIFT_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("graphlift", *words)),
        "COMP_CWORD": str(len(words)),
    }


@pytest.fixture
def script(monkeypatch):
    """Let the process be that of a script, of whose name the variables are, and not pytest's."""
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None)
    return monkeypatch


def test_the_names_that_are_offered_are_the_library_s():
    assert options.MODELS == SHIPPED
    assert options.DETECTORS == DETECTORS
    assert tuple(SKELETONS) == options.SKELETONS
    assert tuple(PROTOCOLS) == options.PROTOCOLS
    assert tuple(ADAPTATIONS) == options.ADAPTATIONS
    assert options.PLANS == plan.SHIPPED
    assert tuple(suffix for suffix in WRITERS if suffix != ".openpose") == options.MOTION_FILES
    assert PAGE not in options.MOTION_FILES
    assert tuple(subjects.GROUPS) == bench.GROUPS
    assert engines.ENGINES == bench.ENGINES


def test_help_names_what_may_be_given():
    assert ", ".join(plan.SHIPPED) in " ".join(here("study", "run", "--help").out.split())
    said = " ".join(here("lift", "--help").out.split())
    assert all(suffix in said for suffix in (*WRITERS, PAGE))


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("lift", "x.json", "--model", "open-"), ["open-base", "open-small"]),
        (("lift", "x.json", "--format", ".g"), [".glb"]),
        (("lift", "x.json", "--skeleton", "coco"), ["coco-17", "coco-23"]),
        (("lift", "x.json", "--smooth", "o"), ["one-euro"]),
        (("lift", "x.json", "--detector", "movenet"), ["movenet"]),
        (("lift", "sam"), ["sample"]),
        (("lift", "clips"), []),  # nothing of ours: the shell completes files
        (("study", "run", "o"), ["open"]),
        (("model", "get", "blazepose-"), ["blazepose-lite", "blazepose-heavy"]),
        (("score", "a.npz", "b.npz", "--protocol", "h36m-1"), ["h36m-17", "h36m-16"]),
        (("bench", "every"), ["everyone"]),
        (("bench", "--engine", "n"), ["numpy"]),
        (("li",), ["lift"]),
    ],
    ids=lambda part: " ".join(part),
)
def test_shells_complete_names(words, offered, script):
    for name, value in completing(*words).items():
        script.setenv(name, value)

    assert here().out.split() == offered


def test_completing_imports_nothing_heavy():
    run = subprocess.run(
        [sys.executable, "-c", REPORT],
        env={**os.environ, **completing("lift", "x.json", "--model", "open-")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.split() == ["open-base", "open-small"]
    assert "graphlift.cli" in run.stderr.split()
    assert not {"numpy", "torch", "scipy", "onnxruntime"} & set(run.stderr.split())


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(name, script):
    assert "--install-completion" in here("--help").out
    script.setenv("_GRAPHLIFT_COMPLETE", f"source_{name}")
    printed = here().out

    assert "_GRAPHLIFT_COMPLETE" in printed
    assert f"complete_{name}" in printed


@pytest.mark.parametrize(
    ("words", "address"),
    [
        (("--ray",), ""),
        (("--ray", "-o", "x"), ""),
        (("--ray", "clips.txt"), ""),
        (("--ray", "10.0.0.1:6379"), "10.0.0.1:6379"),
        (("--ray", "ray://head:10001"), "ray://head:10001"),
        (("--ray=auto",), "auto"),
        (("--ray", "local", "-o", "x"), "local"),
        ((), None),
    ],
)
def test_an_address_of_a_cluster_may_be_left_out(words, address):
    heard = []
    app = typer.Typer()

    @app.command(cls=options.RayCommand)
    def verb(word: str = typer.Argument(""), o: str = "", ray: options.OnRay = None):
        heard.append((ray, word))

    app([word.replace("-o", "--o") for word in words], standalone_mode=False)

    assert heard == [(address, "clips.txt" if "clips.txt" in words else "")]


def test_the_help_of_lift_groups_options_and_begins_with_what_is_set_first():
    lines = here("lift", "--help").out.splitlines()
    groups = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    flags = [line.split()[0].rstrip(",") for line in lines if line.startswith("  -")]

    assert groups == [
        *("Arguments:", "Options:", "People:", "Motion:", "Files of keypoints:", "Videos:"),
        *("Folders of clips:", "Several machines:"),
    ]
    assert flags[:4] == ["-o", "--model", "--fps", "--image-size"]
    assert len(flags) == len(set(flags)) == 27
