"""A server that is killed while requests, a job and a stream are under way, and started again."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from helpers.served import ask, opened, people, plain, post_json, stream_to, until

from killing.trials import NEVER, Moment, Tally, Workload, contents, fresh, kill, said, start

AT_ONCE = 2.5
"""Seconds, at most, between the first request and the kill."""
PATIENCE = 60.0
"""Seconds that processes may outlive the server, or a request may take, before it is a fault."""
GONE = (OSError, http.client.HTTPException, json.JSONDecodeError)
"""What a client meets whose server is killed."""


@dataclass(frozen=True)
class Answers:
    """What a server answers: each to the bit the same whenever it is asked."""

    lifted: bytes
    done: bytes


def serving(port):
    """The command; the port is the same at every start."""
    words = ("serve", "--port", str(port), "--model", "open-small", "--workers", "2")
    return Workload(name="server", command=("-m", "graphlift", *words))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def lift(address):
    return post_json(address, "/lift?format=bvh", plain(people(40, count=1)))


def job(address):
    """Have a longer clip lifted as a job; its result."""
    began = post_json(address, "/jobs?format=npz", plain(people(400, count=2)))
    place = f"/jobs/{began.json['id']}"
    until(lambda: ask(address, "GET", place).json["state"] in ("done", "failed"), PATIENCE)
    return ask(address, "GET", f"{place}/result")


def stream(address):
    """Send frames as long as the server lives."""
    frames = people(200)[:, 0]
    with stream_to(address) as link:
        opened(link)
        while True:
            for frame in frames:
                link.send(json.dumps(frame.tolist()))
                link.recv()


def right(said_by, expected):
    """Check an answer; ``expected`` is None where it is the first."""
    assert said_by.status == 200, said_by.body[:300]
    assert expected in (None, said_by.body), "another answer than without any kill"
    return said_by.body


class Client(threading.Thread):
    """Asks the same again and again until the server is gone; keeps what went wrong."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.fault = work, None

    def run(self):
        from websockets.exceptions import WebSocketException

        try:
            while True:
                self.work()
        except (*GONE, WebSocketException):
            pass
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def running(workload, folder, moment=NEVER):
    """Start the server; yield its process and address; whatever is left is killed."""
    process = start(workload, folder, moment)
    try:
        address = process.stdout.readline().decode().split(" ")[0]
        yield process, address
    finally:
        kill_if(process)
        process.communicate()


def living(folder):
    """Processes of a trial, by their environment."""
    mark = f"KILLS_UNDER={folder}".encode()
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ended = (each / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            if not ended and mark in (each / "environ").read_bytes().split(b"\0"):
                found.append(int(each.name))
    return found


def ask_all(address, known=None):
    """Ask for each kind of answer once."""
    lifted = right(lift(address), known and known.lifted)
    return Answers(lifted, right(job(address), known and known.done))


def end(process, folder):
    """End a server in order."""
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        status = "none"
    assert status == 0, f"status {status} after SIGTERM: {said(folder)}"


def undisturbed(workload, folder):
    """What it answers, and how many operations on files that takes."""
    fresh(workload, folder)
    with running(workload, folder) as (process, address):
        answers = ask_all(address)
        end(process, folder)
    return answers, folder.with_name(f"{folder.name}.count").stat().st_size


def disturb(workload, folder, known, moment):
    """Start it, ask it several things at once, and kill it; return whether it was killed."""
    with running(workload, folder, moment) as (process, address):
        if not address:  # it was killed before it listened
            return process.wait(PATIENCE) == -signal.SIGKILL
        clients = [
            Client(lambda: right(lift(address), known.lifted)),
            Client(lambda: right(job(address), known.done)),
            Client(lambda: stream(address)),
        ]
        for client in clients:
            client.start()
        if moment.seconds is not None:
            time.sleep(moment.seconds)
            kill(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        killed = process.poll() == -signal.SIGKILL
        kill_if(process)
        for client in clients:
            client.join(PATIENCE)
            assert client.fault is None, client.fault
            assert not client.is_alive(), "a client waits for a server that is gone"
    return killed


def kill_if(process):
    """Kill a process that lives: the number of one that has ended may be another's by now."""
    if process.poll() is None:
        kill(process)


def outlived(folder):
    """Wait until no process of a killed server lives."""
    limit = time.monotonic() + PATIENCE
    while alive := living(folder):
        if time.monotonic() > limit:
            for each in alive:
                os.kill(each, signal.SIGKILL)
            raise AssertionError(f"{len(alive)} processes outlive the server by {PATIENCE:g} s")
        time.sleep(0.05)


def ours(folder):
    """Temporary folders of servers."""
    return [name for name in contents(folder)[1] if ".graphlift-" in name]


def trial(workload, folder, known, events, rng, tally, most):
    """Kill a server a few times; then it must answer, end in order, and leave nothing."""
    moments = []
    try:
        fresh(workload, folder)
        for _ in range(rng.randint(1, min(3, most))):
            later = rng.choice([0.0, rng.uniform(0, 0.05)])
            inside = Moment(event=rng.randint(1, events), later=later)
            outside = Moment(seconds=rng.uniform(0, AT_ONCE))
            moments.append(rng.choice([inside, outside]))
            if disturb(workload, folder, known, moments[-1]):
                tally.count(moments[-1])
            outlived(folder)
            tally.left = max(tally.left, len(ours(folder)))
        with running(workload, folder) as (process, address):
            assert address, f"it does not start again: {said(folder)}"
            assert len(ours(folder)) == 1, f"folders of killed servers: {ours(folder)}"
            ask_all(address, known)
            end(process, folder)
        assert not ours(folder), f"left behind: {ours(folder)}"
        tally.trials += 1
    except (AssertionError, *GONE) as error:
        tally.faults.append(f"{workload.name}: {error!r}; killed at {moments}")


def attack(base, kills, seed, show=lambda _: None):
    """Kill a server so many times; as :func:`killing.trials.attack`."""
    workload, folder = serving(free_port()), base / "server"
    tally = Tally(workload.name)
    known, events = undisturbed(workload, folder)
    rng = random.Random(f"{seed} server")
    while tally.kills < kills and len(tally.faults) < 10:
        trial(workload, folder, known, events, rng, tally, kills - tally.kills)
        show(tally)
    return tally
