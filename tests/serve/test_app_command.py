"""``graphlift app`` from outside."""

import re
import signal
import subprocess
import sys

from helpers.command import assert_refused, here
from helpers.served import ask
from test_no_torch import COMMAND, bare


def test_it_prints_an_address_that_opens_the_page_once_and_then_the_next():
    process = subprocess.Popen(
        [sys.executable, "-m", "graphlift", "app", "--no-browser", "--model", "open-small"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.stdout.readline()
        address, path = re.match(
            r"(http://127\.0\.0\.1:\d+)(/\?ticket=[\w-]{43}) \(Ctrl", said
        ).groups()
        entered = ask(address, "GET", path)
        following = process.stdout.readline().split()[-1]
        cookie = entered.headers["Set-Cookie"].partition(";")[0]
        assert (entered.status, ask(address, "GET", path).status) == (200, 403)
        assert ask(address, "GET", "/health", Cookie=cookie).json["models"] == ["open-small"]
        assert ask(address, "GET", following.removeprefix(address)).status == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()

    assert (process.returncode, err) == (0, "")


def test_its_help_says_what_to_install_and_that_nothing_leaves_the_machine():
    text = " ".join(here("app", "--help").out.split())

    assert "pip install 'graphlift[serve,video]' && graphlift model get blazepose" in text
    assert "Everything stays on this machine" in text
    assert "--no-browser" in text


def test_without_its_extra_it_says_how_to_get_it():
    said = bare(COMMAND, "app", "--no-browser", banned={"fastapi", "starlette", "uvicorn"})

    assert_refused(said, "pip install 'graphlift[serve]'")
