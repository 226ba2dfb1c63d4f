"""``graphlift serve`` from outside: it starts, ends in order, and says what it lacks."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.command import assert_refused, here
from helpers.served import ask, opened, people, plain, post_json, stream_to, until
from test_no_torch import COMMAND, bare
from websockets.exceptions import ConnectionClosed

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"


@contextmanager
def running(*args):
    """The command, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "graphlift", "serve", "--port", "0", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, process.stdout.readline().split()[0]
    finally:
        process.kill()
        process.communicate()


def test_sigterm_ends_it_once_it_has_answered_what_it_accepted():
    frames = people(60)[:, 0]
    later = {}

    with running("--model", "open-small") as (process, address), stream_to(address) as link:
        opened(link)
        thread = threading.Thread(
            target=lambda: later.update(said=post_json(address, "/lift", plain(people(5))))
        )
        thread.start()
        until(lambda: 'kind="requests"} 2.0' in ask(address, "GET", "/metrics").body.decode())
        for frame in frames:
            link.send(json.dumps(frame.tolist()))
        process.send_signal(signal.SIGTERM)
        said = [json.loads(link.recv())["frame"] for _ in frames]
        assert json.loads(link.recv())["error"].startswith("this server is ending")
        with pytest.raises(ConnectionClosed) as end:
            link.recv()
        thread.join()
        out, err = process.communicate(timeout=30)

    assert said == list(range(60))
    assert (end.value.rcvd.code, end.value.rcvd.reason[:21]) == (1001, "this server is ending")
    assert (later["said"].status, len(later["said"].json["frames"])) == (200, 5)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_page_says_what_works_and_which_limits_there_are(address, tmp_path):
    """Every line of curl on the page but those that need a detector."""
    text = PAGE.read_text()
    lines = [line for line in text.splitlines() if line.startswith("curl ")]
    options = set(re.findall(r"`(--[a-z-]+)", text))
    shown = set(re.findall(r" (--[a-z-]+)", here("serve", "--help").out))

    assert len(lines) >= 3
    assert options <= shown
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "walk.json").write_text(json.dumps(plain(people(5))))
    for line in lines:
        command = line.replace("http://127.0.0.1:8321", address).partition("  #")[0]
        if "ID" in command or ".mp4" in command:
            continue
        done = subprocess.run(
            f"{command} --fail --silent --show-error", shell=True, cwd=tmp_path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}{done.stdout}"
    assert (tmp_path / "walk.bvh").read_text().startswith("HIERARCHY")


def test_what_cannot_be_is_refused_before_it_starts(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = here("serve", "--port", port, "--model", "open-small")
        assert_refused(said, port, "give another --port")
    assert_refused(here("serve", "--model", "open-bass"), "no model 'open-bass'")
    assert_refused(here("serve", "--host", "0.0.0.0"), "GRAPHLIFT_API_KEY")
    assert_refused(here("serve", "--key-file", tmp_path / "none"), "none", "No such file")


def test_without_its_extra_it_says_how_to_get_it():
    said = bare(COMMAND, "serve", banned={"fastapi", "starlette", "uvicorn", "prometheus_client"})

    assert_refused(said, "pip install 'graphlift[serve]'")
