import subprocess
import sys

import numpy as np
import pytest
from helpers.command import Said, assert_refused, here
from helpers.moving import CAMERA, poses_of, standing

pytest.importorskip("graphlift.formats")
pytest.importorskip("viser")
cv2 = pytest.importorskip("cv2")

WITHOUT = """
import sys
class Ban:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"viser", "cv2", "torch"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Ban())
from graphlift.cli import main
main()
"""


@pytest.fixture
def motion(tmp_path):
    from graphlift.formats import write_poses

    write_poses(tmp_path / "motion.npz", poses_of(standing(6, people=2), fps=30.0))
    return tmp_path / "motion.npz"


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, CAMERA.size)
    for _ in range(6):
        writer.write(np.full((*CAMERA.size[::-1], 3), 90, np.uint8))
    writer.release()
    return path


def test_a_motion_becomes_a_page_that_bears_its_name(motion, tmp_path):
    said = here("view", motion, "-o", tmp_path / "page.html")

    assert (said.status, said.err) == (0, "")
    assert said.out == f"6 frames, 0.8 MB -> {tmp_path / 'page.html'}\n"
    assert "<title>motion.npz</title>" in (tmp_path / "page.html").read_text()


def test_a_motion_is_drawn_over_its_video(motion, video, tmp_path):
    said = here("render", video, motion, "-o", tmp_path / "out.mp4", "--sigma")

    assert said.status == 0, said.err
    assert said.out in {f"6 frames, {c} -> {tmp_path / 'out.mp4'}\n" for c in ("avc1", "mp4v")}
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 6


def test_a_users_mistake_is_one_line(motion, video, tmp_path):
    page, drawn = tmp_path / "page.mp4", tmp_path / "drawn.avi"

    assert_refused(here("view", motion, "-o", page), page, "a page is an .html file: give it")
    assert_refused(here("render", video, motion, "-o", drawn), drawn, "is an .mp4 file: give it")


@pytest.mark.parametrize(
    ("verb", "package", "extra"), [("view", "viser", "viewer"), ("render", "cv2", "video")]
)
def test_a_verb_without_its_extra_says_how_to_get_it(
    motion, video, tmp_path, verb, package, extra
):
    out = tmp_path / ("out.html" if verb == "view" else "out.mp4")
    files = [motion] if verb == "view" else [video, motion]

    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, verb, *map(str, files), "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )

    said = Said(run.returncode, run.stdout, run.stderr)
    assert_refused(said, f"this verb needs {package}: pip install 'graphlift[{extra}]'")
    assert not out.exists()
