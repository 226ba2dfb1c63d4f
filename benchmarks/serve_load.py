"""What the server bears: many live streams of single poses, every answer checked.

    python benchmarks/serve_load.py [--encoding float32 json] [--rate 2000] [--seconds 600 40]
                                    [--docs docs/serve.md] [-o load.json]

Starts ``graphlift serve`` anew for each encoding and asks it over so many websockets from a second
process, on the same cores; rates and seconds are one for all or one for each. With --rate, frames
are sent at their times whether the last was answered or not; without it (0), each stream sends the
next frame once the last was answered. Latency is from the moment when a frame was due to the
moment when its answer was read. Every answer is compared with ``lifter.stream`` in the process
that asks. CPU time and resident memory are the server's alone, from /proc (Linux).
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pages

from graphlift.lifting import Lifter
from graphlift.stream import Stream

SKELETON, SIZE, FPS = "coco-17", (640, 480), 30
FRAMES = 30
"""Different ones of each stream, sent again and again."""
WRONG = 1e-4
"""m and rad; single precision, the batch that a frame is lifted in, and six decimals leave a tenth
of this open."""
TICK = os.sysconf("SC_CLK_TCK")


def frames_of(stream):
    """Keypoints of one person who moves, (frame, joint, 3)."""
    rng = np.random.default_rng(stream)
    body = rng.uniform(150, 350, (17, 2)) + np.cumsum(rng.normal(0, 2, (FRAMES, 1, 2)), axis=0)
    return np.concatenate([body, rng.uniform(0.3, 1, (FRAMES, 17, 1))], axis=-1).round(2)


def expected_of(stream: Stream, frames):
    """Columns of each answer: positions, seen, sigma, fronts and front_sigma, flat."""
    said = [stream(frame) for frame in frames]
    return np.array(
        [
            np.concatenate(
                [
                    np.ravel(array[0, 0])
                    for array in (p.positions, p.seen, p.sigma, p.fronts, p.front_sigma)
                    if array is not None
                ]
            )
            for p in said
        ]
    )


def flat(message):
    """The same of a message, and the number of its frame."""
    if isinstance(message, bytes):
        number, people = np.frombuffer(message, "<u4", 2)
        assert people == 1, "there should be one person"
        return number, np.frombuffer(message, "<f4", offset=8)
    said = json.loads(message)
    (person,) = said["people"]
    return said["frame"], np.concatenate([np.ravel(column) for column in person.values()])


class Client:
    """One stream: sends frames, checks answers, keeps latencies."""

    def __init__(self, number, encoding, expected):
        frames = frames_of(number)
        self.number, self.encoding, self.expected = number, encoding, expected
        if encoding == "json":
            self.messages = [json.dumps(frame.tolist()).encode() for frame in frames]
        else:
            self.messages = [frame.astype("<f4").tobytes() for frame in frames]
        self.framed = [wire_frame(each, text=encoding == "json") for each in self.messages]
        self.due, self.latencies, self.sent, self.answered, self.wrong = [], [], 0, 0, 0
        self.right, self.error = [set() for _ in frames], 0.0
        self.done = asyncio.Event()
        self.answer = asyncio.Event()

    async def open(self, host, port):
        self.reader, self.writer = await asyncio.open_connection(host, port, limit=1 << 20)
        lines = (
            *("GET /stream HTTP/1.1", f"Host: {host}:{port}", "Connection: Upgrade"),
            *("Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            *("Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", ""),
        )
        self.writer.write("\r\n".join(lines).encode())
        assert b" 101 " in await self.reader.readuntil(b"\r\n\r\n")
        opening = {"skeleton": SKELETON, "image_size": SIZE, "fps": FPS}
        more = {} if self.encoding == "json" else {"encoding": self.encoding}
        self.writer.write(wire_frame(json.dumps(opening | more).encode(), text=True))
        kind, head = await self.read()
        assert kind == 1, head

    async def read(self):
        """The next message but pings, which are answered."""
        while True:
            first, second = await self.reader.readexactly(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
            content = await self.reader.readexactly(size) if size else b""
            kind = first & 15
            if kind == 9:
                self.writer.write(bytes((0x8A, 0x80 | size)) + bytes(4) + content)
                continue
            if kind == 8:
                raise ConnectionError(f"stream {self.number} was closed: {content[2:]!r}")
            return kind, content

    async def send(self, rate, until):
        """Send at a rate, each stream at other moments; or after each answer."""
        began = time.perf_counter() + (self.number / 50 / rate if rate else 0)
        while time.perf_counter() < until:
            due = time.perf_counter()
            if rate:
                due = began + self.sent / rate
                await asyncio.sleep(max(due - time.perf_counter(), 0))
            self.due.append(due)
            self.writer.write(self.framed[self.sent % FRAMES])
            self.sent += 1
            if rate:
                await self.writer.drain()
            else:
                self.answer.clear()
                await self.answer.wait()
        self.done.set()
        if self.answered == self.sent:
            self.writer.close()

    async def receive(self):
        try:
            while not (self.done.is_set() and self.answered == self.sent):
                _, content = await self.read()
                self.latencies.append(time.perf_counter() - self.due[self.answered])
                self.check(content)
                self.answered += 1
                self.answer.set()
        except asyncio.IncompleteReadError:
            if not self.done.is_set():
                raise

    def check(self, content):
        """Compare an answer; one that has been seen is compared by its bytes."""
        at = self.answered % FRAMES
        start = 8 if self.encoding == "float32" else content.index(b",")
        known = content[start:]
        named = self.answered.to_bytes(4, "little") if start == 8 else b"%d" % self.answered
        numbered = content[:4] == named if start == 8 else content[:start].endswith(b":" + named)
        if numbered and known in self.right[at]:
            return
        number, values = flat(content if start == 8 else content.decode())
        error = np.abs(values - self.expected[at]).max()
        self.error = max(self.error, error)
        if number != self.answered or not error < WRONG:
            self.wrong += 1
        elif len(self.right[at]) < 64:
            self.right[at].add(known)


def wire_frame(content, *, text):
    """A message as a client sends it, masked with zeros."""
    size = len(content)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2)
    return bytes((0x81 if text else 0x82,)) + length + bytes(4) + content


def seconds_of(pid):
    """CPU time of a process, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(pid):
    """Resident memory of a process, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))


async def load(arguments, pid, host, port, expected):
    """Ask for poses as one run says, and give the figures."""
    clients = [
        Client(number, arguments.encoding, expected[number]) for number in range(arguments.streams)
    ]
    for client in clients:
        await client.open(host, port)
    rate = arguments.rate / arguments.streams
    began, cpu, own = time.perf_counter(), seconds_of(pid), time.process_time()
    until = began + arguments.seconds
    memory = []

    async def watch():
        while time.perf_counter() < until:
            memory.append((round(time.perf_counter() - began, 1), round(resident(pid), 1)))
            await asyncio.sleep(arguments.seconds / 60)

    tasks = [
        asyncio.create_task(task) for c in clients for task in (c.send(rate, until), c.receive())
    ]
    tasks.append(asyncio.create_task(watch()))
    await asyncio.wait_for(asyncio.gather(*tasks), arguments.seconds + 60)
    took = time.perf_counter() - began
    answered = sum(client.answered for client in clients)
    latencies = 1000 * np.concatenate([client.latencies for client in clients])
    later = [mb for second, mb in memory if second > arguments.seconds / 6] or [memory[-1][1]]
    return {
        "streams": arguments.streams,
        "encoding": arguments.encoding,
        "model": arguments.model,
        "rate": arguments.rate,
        "seconds": round(took, 1),
        "asked": sum(client.sent for client in clients),
        "answered": answered,
        "wrong": sum(client.wrong for client in clients),
        "largest_difference": float(f"{max(client.error for client in clients):.2g}"),
        "poses_per_second": round(answered / took),
        "p50_ms": round(float(np.percentile(latencies, 50)), 2),
        "p99_ms": round(float(np.percentile(latencies, 99)), 2),
        "max_ms": round(float(latencies.max()), 2),
        "server_cpu_us_per_pose": round(1e6 * (seconds_of(pid) - cpu) / answered),
        "client_cpu_us_per_pose": round(1e6 * (time.process_time() - own) / answered),
        "resident_mb": {"first": memory[0][1], "from": min(later), "to": max(later)},
        "memory": memory,
    }


def measure(arguments, expected):
    """Start a server, load it as one run says, and end it."""
    command = ["serve", "--port", "0", "--model", arguments.model]
    command += ["--connections", str(arguments.streams + 8)]
    server = subprocess.Popen(
        [sys.executable, "-m", "graphlift", *command], stdout=subprocess.PIPE, text=True
    )
    try:
        host, _, port = server.stdout.readline().split()[0].removeprefix("http://").partition(":")
        said = asyncio.run(load(arguments, server.pid, host, int(port), expected))
        server.terminate()
        said["status"] = server.wait(60)
    finally:
        server.kill()
        server.wait()
    shown = {name: value for name, value in said.items() if name != "memory"}
    print("\n".join(f"| {name} | {value} |" for name, value in shown.items()), flush=True)
    return said


def tables(runs):
    """What was measured, as Markdown."""
    head = ("encoding", "asked for, poses/s", "s", "answered, poses/s", "wrong", "p50, ms")
    head += ("p99, ms", "longest, ms", "server's CPU, s a thousand poses")
    asked = [f"{run['rate']:,.0f}" if run["rate"] else "as fast as it answers" for run in runs]
    streams = [
        (
            *(run["encoding"], at, f"{run['seconds']:.0f}", f"{run['poses_per_second']:,}"),
            *(str(run[name]) for name in ("wrong", "p50_ms", "p99_ms", "max_ms")),
            f"{run['server_cpu_us_per_pose'] / 1000:.2f}",
        )
        for run, at in zip(runs, asked, strict=True)
    ]
    shares = (0, 0.2, 0.4, 0.6, 0.8, 1)
    memory = [
        (
            *(run["encoding"], at, f"{run['seconds']:.0f}"),
            *(f"{run['memory'][round(s * (len(run['memory']) - 1))][1]:.1f}" for s in shares),
        )
        for run, at in zip(runs, asked, strict=True)
    ]
    over = ("encoding", "asked for, poses/s", "s", *(f"MB after {100 * s:.0f} %" for s in shares))
    return {
        "Streams": pages.table(head, streams, words=1),
        "Memory": pages.table(over, memory, words=1),
    }


def each(values, count, name):
    """One value for each run, of one for all or of one for each."""
    if len(values) not in (1, count):
        sys.exit(f"--{name}: give one value, or {count}: one for each --encoding")
    return values * count if len(values) == 1 else values


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument(
        "--rate", type=float, nargs="+", default=[2_000], help="poses/s in all; 0: as they come"
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[600])
    parser.add_argument("--encoding", choices=("json", "float32"), nargs="+", default=["json"])
    parser.add_argument("--model", default="open-base")
    parser.add_argument("-o", "--out", type=Path, help="also write the figures as JSON")
    pages.add_docs(parser)
    arguments = parser.parse_args()
    count = len(arguments.encoding)
    rates = each(arguments.rate, count, "rate")
    seconds = each(arguments.seconds, count, "seconds")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    lifter = Lifter.load(arguments.model, threads=1)
    expected = [
        expected_of(lifter.stream(skeleton=SKELETON, image_size=SIZE, fps=FPS), frames_of(number))
        for number in range(arguments.streams)
    ]
    runs = []
    for encoding, rate, lasts in zip(arguments.encoding, rates, seconds, strict=True):
        one = {"encoding": encoding, "rate": rate, "seconds": lasts}
        runs.append(measure(argparse.Namespace(**vars(arguments) | one), expected))
    if arguments.out:
        arguments.out.write_text(json.dumps(runs, indent=1) + "\n")
    if any(run["wrong"] or run["answered"] != run["asked"] or run["status"] for run in runs):
        sys.exit("not every frame had its own right answer")
    pages.show(tables(runs), arguments.docs)


if __name__ == "__main__":
    main()
