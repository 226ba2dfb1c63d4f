"""The page's own routes: who gets in, what is sent, and what comes out of a job for it."""

import json
import re
from importlib.resources import files

import numpy as np
import pytest
from helpers.detectors import needs
from helpers.moving import poses_of, standing
from helpers.served import OPENING, ask, people, plain, post_file, post_json, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from graphlift.formats import read_keypoints, read_poses
from graphlift.formats.arrays import write_keypoints
from graphlift.serve.page.entry import Entry
from graphlift.serve.page.scenes import pack, scene_of
from graphlift.serve.page.wanted import wanted_commands
from graphlift.serve.server import serving
from graphlift.serve.settings import Settings
from graphlift.skeletons import H36M_17

STATIC = files("graphlift.serve.page") / "static"


class Page:
    """A server with a page, and a browser that is in."""

    def __init__(self, address, entry, announced):
        self.address, self.entry, self.announced = address, entry, announced
        self.first = entry.address
        self.entered = ask(self.address, "GET", self.first)
        self.cookie = self.entered.headers["Set-Cookie"].partition(";")[0]

    def get(self, path):
        return ask(self.address, "GET", path, Cookie=self.cookie)

    def connect(self, route):
        headers = {"Cookie": self.cookie}
        return connect(f"ws{self.address[4:]}/{route}", additional_headers=headers)


@pytest.fixture(scope="module")
def page():
    announced = []
    entry = Entry(announced.append)
    settings = Settings(port=0, models=("open-small",), key=entry.key, entry=entry)
    with serving(settings) as address:
        yield Page(address, entry, announced)


def scene_in(content):
    """Head, joints and keypoints of a scene, read by its description."""
    length = int.from_bytes(content[:4], "little")
    head = json.loads(content[4 : 4 + length])
    numbers = np.frombuffer(content[4 + length :], "<f4")
    shape = (head["frames"], len(head["people"]), len(head["joints"]), 3)
    joints = numbers[: np.prod(shape)].reshape(shape)
    rest = numbers[np.prod(shape) :]
    return head, joints, rest.reshape(*shape[:2], -1, 2) if len(rest) else None


def done(page, path, *args, **more):
    """A job of a file, once it is done."""
    job = post_file(page.address, path, *args, Cookie=page.cookie, **more).json
    until(lambda: page.get(f"/jobs/{job['id']}").json["state"] == "done")
    return f"/jobs/{job['id']}"


def npz(path, keypoints):
    write_keypoints(path, keypoints)
    return path.read_bytes()


def test_an_address_lets_one_browser_in_and_the_next_is_announced(page):
    cookie = page.entered.headers["Set-Cookie"]
    again = ask(page.address, "GET", page.first)
    (following,) = page.announced
    last = ask(page.address, "GET", following)

    assert (page.entered.status, page.entered.headers["Refresh"]) == (200, "0; url=/")
    assert re.fullmatch(r"graphlift-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=/", cookie)
    assert (again.status, b"newest address" in again.body) == (403, True)
    assert (last.status, last.headers["Set-Cookie"]) == (200, cookie)
    assert page.announced == [following, page.entry.address]
    assert page.get("/").body == (STATIC / "index.html").read_bytes()


@pytest.mark.parametrize("path", ["/", "/?ticket=", "/?ticket=é", f"/?ticket={'a' * 43}"])
def test_without_cookie_or_ticket_there_is_no_page(page, path):
    said = ask(page.address, "GET", path.replace("é", "%C3%A9"))

    assert (said.status, said.headers["Set-Cookie"]) == (403, None)
    assert page.announced[-1] == page.entry.address  # nothing was used


@pytest.mark.parametrize(
    "others",
    ['%s; theme={"dark": true}', 'theme={"dark": true}; %s', "a[b]=1;%s", 'x="y; %s', "ü=1; %s"],
)
def test_cookies_of_other_servers_on_this_machine_do_not_lock_out(page, others):
    lines = {"Cookie": (others % page.cookie).encode("latin-1")}

    assert ask(page.address, "GET", "/page/about", **lines).status == 200
    others = others.replace("%s", f"x{page.cookie}")
    assert ask(page.address, "GET", "/page/about", Cookie=others.encode("latin-1")).status == 401


@pytest.mark.parametrize("route", ["/page/app.js", "/page/about", "/metrics", "/jobs/x/scene"])
def test_everything_else_needs_the_cookie(page, route):
    key = page.cookie.partition("=")[2]
    wrong = {"Cookie": page.cookie + "x"}, {"Cookie": f"other={key}"}, {"Cookie": key}, {}

    for headers in wrong:
        assert ask(page.address, "GET", route, **headers).status == 401
    assert page.get(route).status != 401
    assert ask(page.address, "GET", route, Authorization=f"Bearer {key}").status != 401


def test_the_cookie_does_not_help_another_page_or_host(page):
    for header in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        said = ask(page.address, "GET", "/", Cookie=page.cookie, **header)
        assert (said.status, b"<script" in said.body) == (403, False)


@pytest.mark.parametrize("route", ["stream", "webcam"])
def test_websockets_need_the_cookie_too(page, route):
    with pytest.raises(InvalidStatus) as refused, connect(f"ws{page.address[4:]}/{route}"):
        pass
    with page.connect(route) as link:
        link.send(json.dumps(OPENING) if route == "stream" else '{"model": 3}')
        said = json.loads(link.recv())

    assert refused.value.response.status_code == 401
    assert ("axes" if route == "stream" else "error") in said


def test_a_server_for_programs_has_no_page(address):
    assert [ask(address, "GET", each).status for each in ("/", "/page/app.js")] == [404, 404]


def test_the_page_runs_and_loads_nothing_but_its_own_files(page):
    html = page.get("/").body.decode()
    names = re.findall(r'(?:src|href)="([^"]*)"', html)
    policy = page.get("/").headers["Content-Security-Policy"]

    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)|javascript:", html)
    assert set(names) <= {f"/page/{path.name}" for path in STATIC.iterdir()}
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for path in STATIC.iterdir():
        said = page.get("/" if path.name == "index.html" else f"/page/{path.name}")
        assert said.body == path.read_bytes()
        outside = re.findall(rb"\w+://[^\s'\"]+|\beval\(|innerHTML|insertAdjacent", said.body)
        assert [each for each in outside if each != b"http://www.w3.org/2000/svg"] == []
        for script in re.findall(rb"from '\./([\w.]+)'", said.body):
            assert (STATIC / script.decode()).is_file()


@pytest.mark.parametrize("name", ["index.html", "..%2Froutes.py", "%2Fetc%2Fpasswd", "app.js%00"])
def test_no_other_file_is_sent(page, name):
    assert page.get(f"/page/{name}").status == 404


def test_a_scene_is_the_motion_as_it_was_and_the_colours_of_both_sides():
    joints = standing(3, people=2)
    joints[1, 0] = np.nan
    poses = poses_of(joints)

    head, drawn, keypoints = scene_in(pack(*scene_of(poses)))

    np.testing.assert_allclose(drawn, joints, atol=1e-6)
    np.testing.assert_allclose(keypoints, poses.keypoints.positions, rtol=1e-6)
    sides = {H36M_17.joints[child][0]: colour for (_, child), colour in
             zip(head["bones"], head["colours"][1], strict=True)}  # fmt: skip
    assert (sides["L"], sides["R"]) == (head["sides"]["left"], head["sides"]["right"])
    assert (head["people"], head["fps"]) == (["p0", "p1"], 50.0)
    assert head["keypoints"]["size"] == [960, 640]


def test_the_scene_of_a_job_is_what_it_lifted(page, tmp_path):
    keypoints = poses_of(standing(6)).keypoints
    job = done(page, "/jobs?format=npz", "a.npz", npz(tmp_path / "a.npz", keypoints))

    head, joints, pixels = scene_in(page.get(f"{job}/scene").body)

    (tmp_path / "m.npz").write_bytes(page.get(f"{job}/result").body)
    poses = read_poses(tmp_path / "m.npz")
    np.testing.assert_allclose(joints, poses.positions, atol=1e-6)
    np.testing.assert_allclose(pixels, keypoints.positions, rtol=1e-6)
    assert set(poses.notes) <= set(head["notes"])


def test_a_job_gives_its_motion_in_other_formats_and_of_one_person(page, tmp_path):
    keypoints = poses_of(standing(6, people=2)).keypoints
    job = done(page, "/jobs?format=npz", "a.npz", npz(tmp_path / "a.npz", keypoints))

    both, one = (page.get(f"{job}/result?format=csv{who}") for who in ("", "&person=p1"))
    bvh = page.get(f"{job}/result?format=bvh&person=p1")
    several = page.get(f"{job}/result?format=bvh")
    nobody = page.get(f"{job}/result?format=csv&person=ben")

    assert bvh.body.startswith(b"HIERARCHY")
    assert bvh.headers["Content-Type"] == "application/x-bvh"
    for said, names in ((both, {"p0", "p1"}), (one, {"p1"})):
        assert {line.split(",")[2] for line in said.body.decode().splitlines()[1:]} == names
    assert (several.status, "choose one of p0, p1" in several.error) == (422, True)
    assert (nobody.status, "there is no person" in nobody.error) == (422, True)
    assert page.get(f"{job}/result?format=exe").status == 422
    assert page.get(f"{job}/keypoints").error.startswith("this job was given keypoints")


def test_a_job_of_another_format_says_how_to_get_more(page):
    body = post_json(page.address, "/jobs?format=bvh", plain(people(4)), Cookie=page.cookie).json
    path = f"/jobs/{body['id']}"
    until(lambda: page.get(path).json["state"] == "done")

    for more in ("/result?format=trc", "/scene"):
        said = page.get(path + more)
        assert (said.status, "format=npz" in said.error) == (409, True)
    assert page.get(f"{path}/result?format=bvh").body.startswith(b"HIERARCHY")


def test_what_is_missing_is_named_with_the_command_that_gets_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHLIFT_CACHE", str(tmp_path))

    wanted = wanted_commands()

    assert wanted["one"].endswith("graphlift model get blazepose")
    assert wanted["several"] == f"{wanted['one']} && graphlift model get movenet"


def test_a_webcam_without_a_detector_is_told_the_command(page, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHLIFT_CACHE", str(tmp_path))

    with page.connect("webcam") as link:
        link.send("{}")
        said = json.loads(link.recv())

    assert "graphlift model get blazepose" in said["error"]


@needs("blazepose")
def test_a_webcam_gives_a_scene_for_each_picture(page):
    cv2 = pytest.importorskip("cv2")
    from helpers.drawn_person import draw_person, empty

    pictures = [
        cv2.imencode(".jpg", each)[1].tobytes() for each in (empty(), draw_person(empty()))
    ]
    with connect(
        f"ws{page.address[4:]}/webcam", additional_headers={"Cookie": page.cookie}
    ) as link:
        link.send("{}")
        link.send(pictures[0])
        nobody = json.loads(link.recv())
        link.send(pictures[1])
        head = json.loads(link.recv())["scene"]
        _, joints, keypoints = scene_in(pack(head, link.recv()))
        link.send(b"no picture")
        bad = json.loads(link.recv())

    assert nobody == {"nobody": True}
    assert joints.shape[:2] == (1, 1)
    assert joints[0, 0, :, 2].min() == pytest.approx(0, abs=1e-5)  # on the floor
    assert 1.2 < joints[0, 0, :, 2].max() < 2.2
    assert keypoints.shape == (1, 1, 33, 2)
    assert "cannot be read" in bad["error"]


@needs("blazepose")
def test_a_film_is_detected_once_and_its_keypoints_are_lifted_again(page, tmp_path):
    cv2 = pytest.importorskip("cv2")
    from helpers.drawn_person import SIZE, draw_person, empty

    writer = cv2.VideoWriter(str(tmp_path / "f.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, SIZE)
    for step in range(6):
        writer.write(draw_person(empty(), (240 + step, 320))[..., ::-1])
    writer.release()
    job = done(page, "/jobs?format=npz", "f.mp4", (tmp_path / "f.mp4").read_bytes())

    found = page.get(f"{job}/keypoints")
    (tmp_path / "k.npz").write_bytes(found.body)
    again = done(page, "/jobs?format=npz&height=1.5", "k.npz", found.body)
    joints = [scene_in(page.get(f"{each}/scene").body)[1] for each in (job, again)]

    assert read_keypoints(tmp_path / "k.npz").fps == 25
    assert np.nanmax(joints[1][..., 2]) < np.nanmax(joints[0][..., 2])
