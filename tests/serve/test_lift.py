"""POST /lift: any keypoint format in, any format of motion out; what is refused, and how."""

import asyncio
import gzip
import inspect
import io
import json
import socket
import threading
import zipfile
from contextlib import ExitStack
from typing import get_args
from urllib.parse import urlsplit

import numpy as np
import pytest
from helpers.served import ask, counted, people, plain, positions, post_file, post_json, until

from graphlift.cli.lift import lift as lift_command
from graphlift.formats import read_keypoints, read_poses
from graphlift.formats.write import WRITERS
from graphlift.motion import to_world
from graphlift.serve.options import MEDIA, Format, JobOptions, LiftOptions
from graphlift.serve.single import lift_single, may_be_short

ONE = plain(people(1)[:, 0])
CLOSE = 1e-5
"""m; a network depends by rounding on how many frames it is given, and JSON has six decimals."""


def npz(frames=6, **said):
    """The bytes of an .npz of people who walk."""
    file = io.BytesIO()
    facts = {"skeleton": "coco-17", "image_size": (640, 480), "fps": 30.0} | said
    np.savez(file, keypoints=people(frames, joints=17), **facts)
    return file.getvalue()


def poses_in(said, path):
    assert said.status == 200, said.body
    path.write_bytes(said.body)
    return read_poses(path)


def test_one_frame_is_what_the_lifter_says(address, lifter):
    said = post_json(address, "/lift?raw=true", ONE)

    direct = lifter(people(1)[:, 0], skeleton="coco-17", image_size=(640, 480), fps=30)
    (frame,) = said.json["frames"]
    np.testing.assert_allclose(positions(frame, 0), direct.positions[0], rtol=0, atol=CLOSE)
    assert frame["people"][0]["seen"] == direct.seen[0, 0].tolist()
    np.testing.assert_allclose(frame["people"][0]["sigma"], direct.sigma[0, 0], rtol=0, atol=CLOSE)
    assert set(direct.notes) <= set(said.json["notes"])
    assert (said.json["model"], said.json["axes"]["name"]) == (direct.model, "camera")


def test_a_clip_is_what_the_library_says(address, lifter, tmp_path):
    (tmp_path / "walk.npz").write_bytes(npz())

    said = post_file(address, "/lift?height=1.7&format=npz", "walk.npz", npz())

    direct = to_world(lifter(read_keypoints(tmp_path / "walk.npz")), height=1.7)
    ours = poses_in(said, tmp_path / "motion.npz")
    np.testing.assert_allclose(ours.positions, direct.positions, rtol=0, atol=1e-4)
    assert (ours.axes, ours.notes) == ("world", direct.notes)
    assert ours.keypoints.source.startswith("npz keypoints.npz")


@pytest.mark.parametrize("form", MEDIA)
def test_each_format_is_given_by_option_and_by_accept(address, form, tmp_path):
    by_option = post_json(address, f"/lift?raw=true&format={form}", plain(people(3)))
    by_accept = post_json(address, "/lift?raw=true", plain(people(3)), Accept=MEDIA[form])

    assert by_option.headers["Content-Type"].partition(";")[0] == MEDIA[form]
    assert by_accept.headers["Content-Type"] == by_option.headers["Content-Type"]
    ours = poses_in(by_option, tmp_path / f"motion.{form}")
    assert len(ours) == len(poses_in(by_accept, tmp_path / f"other.{form}")) == 3


@pytest.mark.parametrize("form", MEDIA)
def test_several_people_come_in_one_file_or_one_has_to_be_chosen(address, form, tmp_path):
    two = plain(people(3, 2)) | {"people": ["Ann", "Zoë B."]}

    said = post_json(address, f"/lift?raw=true&format={form}", two)

    if form in ("bvh", "trc"):
        assert said.status == 422
        assert f"a .{form} holds one person: choose one of Ann, Zoë B. (person=)" in said.error
        said = post_json(address, f"/lift?raw=true&format={form}&person=Zo%C3%AB%20B.", two)
        assert len(poses_in(said, tmp_path / f"motion.{form}").people) == 1
    else:
        assert len(poses_in(said, tmp_path / f"motion.{form}").people) == 2


def test_the_formats_are_those_that_are_written_to_one_file_without_an_extra():
    others = {".parquet", ".openpose"}

    assert {f".{form}" for form in MEDIA} == set(WRITERS) - others
    assert get_args(Format) == tuple(MEDIA)


def test_the_options_are_those_of_the_command():
    command = set(inspect.signature(lift_command).parameters)
    here = set(JobOptions.model_fields)

    paths_and_files = {"context", "source", "out", "camera", "keypoints", "again", "format_"}
    of_clusters = {"ray"}
    assert here - {"format"} == command - paths_and_files - of_clusters
    for name in here - {"format", "model"}:
        default = inspect.signature(lift_command).parameters[name].default
        assert JobOptions.model_fields[name].default == default, name


def test_options_may_be_fields_of_the_form(address):
    fields = {"raw": "true", "skeleton": "h36m-17"}

    said = post_file(address, "/lift", "a.npy", _npy(people(2)), fields=fields)
    assert said.status == 422
    assert "keypoints.npy" in said.error or "image" in said.error

    fields |= {"image_size": "640x480", "fps": "30"}
    said = post_file(address, "/lift", "a.npy", _npy(people(2)), fields=fields)
    assert (said.status, len(said.json["frames"])) == (200, 2)


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _bomb():
    """An .npz of 150 MB of zeros in a few hundred kilobytes."""
    file, frames = io.BytesIO(), 550_000
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("keypoints.npy", "w") as member,
    ):
        header = {"descr": "<f8", "fortran_order": False, "shape": (frames, 1, 17, 2)}
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(8):
            member.write(bytes(frames * 34))
    return file.getvalue()


FILES = {
    "cut": (422, "walk.npz", lambda: npz()[:-300], "keypoints.npz: cannot be read as an .npz"),
    "bomb": (422, "walk.npz", _bomb, "GB"),
    "json": (422, "walk.json", lambda: b'{"keypoints": [[', "keypoints.json: cannot be read"),
    "other": (422, "walk.json", lambda: b'{"a": 1}', "is JSON of no kind that is known"),
    "empty": (422, "walk.json", lambda: b"", "is empty"),
    "pickle": (415, "walk.pkl", lambda: b"cos\nsystem\n", "its ending is none of a kind"),
    "nothing": (415, "", lambda: b"x", "its ending is none of a kind"),
    "objects": (422, "a.npz", lambda: _objects(), "objects"),
}


def _objects():
    file = io.BytesIO()
    np.savez(file, keypoints=np.array([{}], dtype=object))
    return file.getvalue()


@pytest.mark.parametrize(("status", "name", "content", "words"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_is_refused_and_named(address, status, name, content, words):
    if not name:
        said = post_file(address, "/lift", "noending", content())
    else:
        said = post_file(address, "/lift", name, content())

    assert said.status == status, said.body
    assert words in said.error
    assert "\n" not in said.error
    assert "/tmp" not in said.error


WRONG = {
    "unknown skeleton": ("?raw=true", ONE | {"skeleton": "octopus-8"}, "octopus-8"),
    "no size": (
        "?raw=true",
        {k: v for k, v in ONE.items() if k != "image_size"},
        "the size of the image is not known, and without it a px means nothing",
    ),
    "unknown model": ("?model=../../etc/passwd", ONE, "is none of this server's: open-small"),
    "unknown option": ("?camera=/etc/passwd", ONE, "query.camera: no such option"),
    "bad height": ("?height=9", ONE, "query.height: 9: give metres between 0.4 and 2.8"),
    "height in cm": ("?height=180", ONE, "query.height: 180: give metres between 0.4 and 2.8"),
    "python's number": ("?fps=3_0", ONE, "query.fps"),
    "no number": ("?fps=abc", ONE, "query.fps"),
    "bad size": ("?image_size=big", ONE, "query.image_size"),
    "hypotheses of one": ("?hypotheses=true", ONE, "has no hypotheses"),
}


@pytest.mark.parametrize(("query", "data", "words"), WRONG.values(), ids=WRONG)
def test_an_option_that_cannot_be_is_named(address, query, data, words):
    said = post_json(address, f"/lift{query}", data)

    assert said.status == 422, said.body
    assert words in said.error
    assert "/tmp" not in said.error
    assert "Value error" not in said.error


def test_an_option_in_query_and_form_is_refused(address):
    said = post_file(address, "/lift?fps=30", "a.npz", npz(), fields={"fps": "25"})

    assert (said.status, said.error.split(":")[0]) == (
        422,
        "fps is both in the query and in the form",
    )


@pytest.mark.parametrize("route", ["/lift", "/jobs"])
def test_an_option_that_is_stated_twice_is_refused(address, route):
    query = post_json(address, f"{route}?height=1.7&raw=true&height=1.8", ONE)
    mark = "--m\r\nContent-Disposition: form-data; name="
    form = "".join(f'{mark}"fps"\r\n\r\n{fps}\r\n' for fps in (25, 30))
    form += f'{mark}"file"; filename="a.json"\r\n\r\n{json.dumps(ONE)}\r\n--m--\r\n'
    said = ask(address, "POST", route, form, Content_Type="multipart/form-data; boundary=m")

    assert (query.status, said.status) == (422, 422)
    assert query.error == "query: height is stated twice: leave one out"
    assert said.error == "form: fps is stated twice: leave one out"


def test_what_is_packed_is_not_taken_for_what_is_in_it(address):
    packed = gzip.compress(json.dumps(ONE).encode())
    kind = {"Content_Type": "application/json"}

    said = ask(address, "POST", "/lift", packed, Content_Encoding="gzip", **kind)
    plainly = ask(address, "POST", "/lift", json.dumps(ONE), Content_Encoding="identity", **kind)

    assert (said.status, plainly.status) == (415, 200)
    assert said.error.startswith("Content-Encoding: gzip: nothing is unpacked here")


def test_what_is_no_file_is_refused(address):
    assert ask(address, "POST", "/lift", b"x").status == 415
    assert ask(address, "POST", "/lift", b"x", Content_Type="application/x-tar").status == 415
    no_file = post_file(address, "/lift", "a.npz", npz(), part="other")
    assert (no_file.status, "no file in the part 'file'" in no_file.error) == (422, True)
    cut = ask(address, "POST", "/lift", b"--x\r\n", Content_Type="multipart/form-data")
    assert cut.status == 422
    assert (
        ask(address, "POST", "/lift?format=bvh", b"[", Content_Type="application/json").status
        == 422
    )
    assert post_json(address, "/lift", ONE, Accept="image/png").status == 406


@pytest.mark.parametrize(
    "name", ["../../../walk.npz", "/etc/passwd/../walk.npz", "C:\\walk.npz", "a\x00b.npz", "..npz"]
)
def test_a_name_that_looks_like_a_path_is_only_asked_for_its_ending(address, name):
    said = post_file(address, "/lift?raw=true", name, npz(2))

    assert (said.status, len(said.json["frames"])) == (200, 2)


def test_a_body_that_is_too_large_is_refused_before_and_while_it_comes(served):
    address = served(body_bytes=10_000)
    large = json.dumps(plain(people(100))).encode()

    stated = ask(address, "POST", "/lift", large, Content_Type="application/json")
    pieces = iter([large[:9_000], large[9_000:]])  # sent without a length
    in_pieces = ask(address, "POST", "/lift", pieces, Content_Type="application/json")

    for said in (stated, in_pieces):
        assert (said.status, "more than the 0.01 MB that are allowed" in said.error) == (413, True)


def test_too_many_frames_are_refused(address):
    said = post_file(address, "/lift?raw=true", "a.npz", npz(20_001))

    assert said.status == 422
    assert said.error.startswith("20,001 frames, more than the 20,000 that this server allows")


def test_what_takes_too_long_is_given_up(served):
    address = served(seconds=0.8)

    late = post_file(address, "/lift", "a.npz", npz(20_000))
    link = socket.create_connection((urlsplit(address).hostname, urlsplit(address).port))
    head = f"POST /lift HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n"
    link.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n[".encode())
    slow = link.makefile("rb").readline()
    link.close()

    assert late.status in (504, 408)
    assert slow.split()[1] == b"408"
    assert counted(address, 'graphlift_queue{of="clips"}') == 0


def test_clients_that_go_away_stop_their_work(served):
    address = served(seconds=120, waiting=1)
    where = urlsplit(address)
    body = npz(19_000)
    head = (
        f"POST /lift HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {len(body) + 93}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.npz"\r\n\r\n'
    )
    content = f"{head}".encode() + body + b"\r\n--b--\r\n"
    short = content.index(b"--b\r\n")
    length = len(content) - short
    content = content.replace(str(len(body) + 93).encode(), str(length).encode(), 1)
    with ExitStack() as stack:
        for _ in range(2):  # one is lifted, and one waits
            link = socket.create_connection((where.hostname, where.port))
            stack.enter_context(link).sendall(content)
        until(lambda: counted(address, 'graphlift_queue{of="clips"}') == 1)
        busy = post_file(address, "/lift", "a.npz", npz(2))

    assert (busy.status, busy.headers["Retry-After"]) == (429, "5")
    gone = 'graphlift_requests_total{route="/lift",status="499"}'
    until(lambda: counted(address, gone) == 2)
    assert post_file(address, "/lift", "a.npz", b"").status == 422  # not 429


def test_many_at_once_are_each_answered_as_if_alone(address, lifter):
    frames = people(24, seed=3)[:, 0]
    answers = {}

    def send(at):
        answers[at] = post_json(address, "/lift?raw=true", plain(frames[at : at + 1]))

    threads = [threading.Thread(target=send, args=(at,)) for at in range(len(frames))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    direct = lifter(frames, skeleton="coco-17", image_size=(640, 480), fps=30).positions
    for at, said in answers.items():
        ours = positions(said.json["frames"][0])
        np.testing.assert_allclose(ours, direct[at], rtol=0, atol=CLOSE)


def test_a_body_whose_length_is_not_stated_truly_is_not_read_on_the_spot():
    options, kind = LiftOptions(raw=True), {"content-type": "application/json"}

    assert may_be_short(options, kind | {"content-length": "900"})
    assert not may_be_short(options, kind)
    # h11 reads such a body by its pieces, however long it is said to be
    assert not may_be_short(
        options, kind | {"content-length": "900", "transfer-encoding": "chunked"}
    )


def test_only_our_own_layout_is_read_while_everybody_waits(address, tmp_path):
    joints = people(1, joints=18)[0, 0].ravel().tolist()
    frame = {"people": [{"pose_keypoints_2d": joints}]}
    far = [{"image_id": number, "keypoints": joints[:51]} for number in (0, 150_000)]
    for name, data in (("frame.json", frame), ("far.json", far)):
        (tmp_path / name).write_text(json.dumps(data))
        assert asyncio.run(lift_single(tmp_path, name, LiftOptions(raw=True), None)) is None

    said = post_json(address, "/lift?raw=true&image_size=640x480&fps=30", frame)

    assert (said.status, len(said.json["frames"])) == (200, 1)
