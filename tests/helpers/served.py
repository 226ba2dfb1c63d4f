"""A server that runs, and clients of it: real sockets on the loopback interface."""

import http.client
import json
import secrets
import socket
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
from websockets.sync.client import connect

OPENING = {"skeleton": "coco-17", "image_size": [640, 480], "fps": 30}


class Said(NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def ask(address, method, path, body=None, timeout=60, **headers):
    """Ask a server; underscores of header names are hyphens."""
    link = http.client.HTTPConnection(urlsplit(address).netloc, timeout=timeout)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    link.request(method, path, body, names)
    answer = link.getresponse()
    said = Said(answer.status, answer.headers, answer.read())
    link.close()
    return said


def post_json(address, path, data, **headers):
    return ask(address, "POST", path, json.dumps(data), Content_Type="application/json", **headers)


def post_file(address, path, name, content, *, fields=(), part="file", **headers):
    """Send a file in a form, as browsers and curl do."""
    mark = secrets.token_hex(8)
    quoted = name.replace('"', "%22")
    pieces = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in dict(fields).items()
    ]
    disposition = f'form-data; name="{part}"; filename="{quoted}"'
    head = f"--{mark}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
    body = b"".join([*pieces, head, content, f"\r\n--{mark}--\r\n".encode()])
    kind = f"multipart/form-data; boundary={mark}"
    return ask(address, "POST", path, body, Content_Type=kind, **headers)


def wire(address, receive=None):
    """A bare connection to a server, with so many bytes for what is not read yet."""
    link = socket.socket()
    if receive is not None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    link.settimeout(20)
    where = urlsplit(address)
    link.connect((where.hostname, where.port))
    return link


def head(address, method, path, *lines):
    """The bytes before a request's body."""
    first = (f"{method} {path} HTTP/1.1", f"Host: {urlsplit(address).netloc}")
    return "\r\n".join((*first, *lines, "", "")).encode()


def stream_to(address, **options):
    return connect(f"ws{address.removeprefix('http')}/stream", **options)


def opened(socket, **said):
    """Open a stream; what the server says of it."""
    socket.send(json.dumps(OPENING | said))
    return json.loads(socket.recv())


def people(frames, count=1, joints=17, seed=0):
    """(frame, person, joint, 3): people who walk to the right, again and again; px, confidence."""
    rng = np.random.default_rng(seed)
    body = rng.uniform(0, 120, (count, joints, 2))
    steps = np.stack([2.0 * np.arange(frames) % 200, np.zeros(frames)], axis=-1)[:, None, None]
    xy = 100 + 150 * np.arange(count)[:, None, None] % 400 + body + steps
    return np.round(np.concatenate([xy, np.full((*xy.shape[:3], 1), 0.9)], axis=-1), 3)


def plain(keypoints, **said):
    return {"keypoints": keypoints.tolist(), **OPENING, **said}


def positions(frame, number=None):
    """The positions of a frame of JSON, (person, joint, 3); null is NaN."""
    assert number is None or frame["frame"] == number
    known = [[at or [None] * 3 for at in person["positions"]] for person in frame["people"]]
    return np.array(known, dtype=float)


def counted(address, name):
    """A number of the server's metrics."""
    lines = ask(address, "GET", "/metrics").body.decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)


def until(true, seconds=60):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (said := true()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)
    return said
