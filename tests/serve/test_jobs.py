"""Jobs: their course, their result, their end; which files are no videos."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.detectors import needs
from helpers.served import ask, counted, people, post_file, post_json, until

from graphlift.formats import read_poses
from graphlift.serve.jobs import Job
from graphlift.serve.options import ResultOptions
from graphlift.serve.refusals import Refusal
from graphlift.serve.results import keypoints_of, result_of


def npz(frames):
    file = io.BytesIO()
    np.savez(file, keypoints=people(frames), skeleton="coco-17", image_size=(640, 480), fps=30.0)
    return file.getvalue()


def ended(address, path):
    return until(
        lambda: (s := ask(address, "GET", path).json)["state"] in ("done", "failed") and s
    )


def test_a_long_clip_is_lifted_in_the_background(address, tmp_path):
    said = post_file(address, "/jobs?raw=true", "walk.npz", npz(40), fields={"format": "npz"})

    assert said.status == 202
    path = said.headers["Location"]
    assert path == f"/jobs/{said.json['id']}"
    assert len(said.json["id"]) >= 32
    state = ended(address, path)
    assert (state["state"], state["frames"], state["of"], state["error"]) == ("done", 40, 40, None)
    assert 500 < state["forgotten_in"] <= 600
    for _ in range(2):
        result = ask(address, "GET", f"{path}/result")
        assert result.headers["Content-Type"] == "application/x-npz"
    (tmp_path / "a.npz").write_bytes(result.body)
    assert len(read_poses(tmp_path / "a.npz")) == 40
    assert counted(address, 'graphlift_frames_total{how="job"}') >= 40
    assert ask(address, "DELETE", path).status == 204
    assert ask(address, "GET", path).status == ask(address, "DELETE", path).status == 404
    assert ask(address, "GET", f"{path}/result").status == 404


def test_jobs_wait_their_turn_can_be_ended_and_are_forgotten(served):
    address = served(waiting=1, keep_seconds=0.2)
    long, waiting = (
        post_file(address, "/jobs", "walk.npz", npz(count)).json for count in (19_000, 3)
    )
    full = post_file(address, "/jobs", "walk.npz", npz(3))
    early = ask(address, "GET", f"/jobs/{long['id']}/result")

    assert (full.status, early.status) == (429, 409)
    until(lambda: ask(address, "GET", f"/jobs/{long['id']}").json["state"] == "running")
    assert ask(address, "GET", f"/jobs/{waiting['id']}").json["state"] == "waiting"
    assert ask(address, "DELETE", f"/jobs/{long['id']}").status == 204
    until(lambda: counted(address, 'graphlift_frames_total{how="job"}') == 3)
    until(lambda: ask(address, "GET", f"/jobs/{waiting['id']}").status == 404)
    assert counted(address, 'graphlift_queue{of="jobs"}') == 0


def test_a_job_may_be_deleted_while_another_format_is_made_of_it(served):
    address = served()
    job = post_file(address, "/jobs?raw=true&format=npz", "walk.npz", npz(5)).json
    path = f"/jobs/{job['id']}"
    ended(address, path)
    with ThreadPoolExecutor() as threads:
        threads.submit(post_file, address, "/lift", "walk.npz", npz(1_500))
        until(lambda: counted(address, 'graphlift_connections{kind="requests"}') == 2)  # and ours
        converted = threads.submit(ask, address, "GET", f"{path}/result?format=csv")
        until(lambda: counted(address, 'graphlift_queue{of="clips"}') == 1)

        assert ask(address, "DELETE", path).status == 204
        assert ask(address, "GET", f"{path}/result?format=csv").status == 404
        said = converted.result()

    assert said.status == 200, said.body
    assert said.body.startswith(b"frame,")


def answered(response, meanwhile=lambda: None):
    """What an answer sends: its status and its content; something happens once it has begun."""
    sent = []

    async def send(message):
        sent.append(message)
        if len(sent) == 1:
            meanwhile()

    async def receive():
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "headers": [], "extensions": {}}
    asyncio.run(response(scope, receive, send))
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


@pytest.fixture
def done(tmp_path):
    """A job that is done, and the two answers that it has."""
    (tmp_path / "job").mkdir()
    for name in ("motion.csv", "detected.npz"):
        (tmp_path / "job" / name).write_bytes(name.encode() * 30_000)
    job = Job("id", tmp_path / "job", "csv", "done")
    return job, asyncio.run(result_of(None, job, ResultOptions())), keypoints_of(job)


def test_a_job_that_is_deleted_just_before_its_answer_is_not_found(done):
    job, *answers = done
    job.forget()

    assert not job.folder.exists()
    for each in answers:
        with pytest.raises(Refusal, match="no such job") as refused:
            answered(each)
        assert refused.value.status == 404


def test_a_job_that_is_deleted_while_it_is_sent_is_sent_to_its_end(done):
    job, motion, keypoints = done

    assert answered(keypoints) == (200, b"detected.npz" * 30_000)
    assert answered(motion, job.forget) == (200, b"motion.csv" * 30_000)
    assert not job.folder.exists()


@pytest.mark.parametrize("other", ["x", "..%2F..%2Fetc%2Fpasswd", "%00"])
def test_a_job_of_another_id_is_not_found(address, other):
    for method, path in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
        assert ask(address, method, f"/jobs/{other}{path}").status == 404


def test_a_failed_job_says_why(address):
    job = post_json(address, "/jobs", {"a": 1}).json
    state = ended(address, f"/jobs/{job['id']}")
    result = ask(address, "GET", f"/jobs/{job['id']}/result")

    assert (state["state"], "is JSON of no kind" in state["error"]) == ("failed", True)
    assert (result.status, result.error.startswith("the job failed: keypoints.json")) == (
        409,
        True,
    )


NO_VIDEOS = {
    "playlist": b"#EXTM3U\n/etc/passwd\n",
    "list of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "session": b"v=0\nc=IN IP4 192.0.2.1\nm=video 9 RTP/AVP 96\n",
    "begins like a stream": b"GET /\n#EXTM3U\n" + bytes(400),
    "text": b"hello",
}


@pytest.mark.parametrize("content", NO_VIDEOS.values(), ids=NO_VIDEOS)
def test_what_is_no_video_is_not_given_to_a_decoder(address, content):
    pytest.importorskip("cv2")
    in_form = post_file(address, "/jobs", "film.mp4", content)
    bare = ask(address, "POST", "/jobs", content, Content_Type="video/mp4")

    for said in (in_form, bare):
        assert (said.status, "no video" in said.error) == (422, True)


def test_a_broken_video_is_a_job_that_fails(address):
    pytest.importorskip("cv2")
    said = ask(
        address, "POST", "/jobs", bytes(4) + b"ftypisom" + bytes(500), Content_Type="video/mp4"
    )

    state = ended(address, said.headers["Location"])
    assert state["state"] == "failed"
    assert state["error"].startswith("video.mp4: no video that can be decoded")


@needs("blazepose")
def test_a_video_is_detected_and_lifted(address, tmp_path):
    from helpers.tiny_video import write_video

    film = write_video(tmp_path / "film.mp4", 4).read_bytes()
    said = post_file(address, "/jobs?raw=true", "film.mp4", film)

    state = ended(address, said.headers["Location"])
    assert (state["frames"], state["of"]) == (4, 4) or "no person" in state["error"]
