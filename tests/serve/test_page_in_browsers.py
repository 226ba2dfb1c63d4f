"""The page as people have it: real browsers, keys pressed, files given, pictures looked at."""

import json

import numpy as np
import pytest
from browsers import CHROMIUM, FIREFOX, browsing
from helpers.detectors import needs
from helpers.page import choose, click, download, given, keypoints_file, shows, stature, text
from helpers.served import until

from graphlift.formats import read_poses
from graphlift.serve.page.entry import Entry
from graphlift.serve.server import serving
from graphlift.serve.settings import Settings
from graphlift.view.palette import LEFT, RIGHT

cv2 = pytest.importorskip("cv2")
BROWSERS = {"chromium": CHROMIUM, "firefox": FIREFOX}
# Relative luminance and contrast: WCAG 2.1. What is behind words is what their elements paint.
CONTRAST = """(() => {
  const rgba = text => text.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0)
  const low = []
  for (const each of document.querySelectorAll('body *')) {
    const words = [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    if (!words || !each.checkVisibility() || each.matches(':disabled, option, noscript')) continue
    let ground = each
    while (rgba(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement
    const [a, b] = [getComputedStyle(each).color, getComputedStyle(ground).backgroundColor]
      .map(rgba).map(light).sort((x, y) => y - x)
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push(each.outerHTML.slice(0, 80))
  }
  return low
})()"""
NAMELESS = """[...document.querySelectorAll('button, input, select, canvas[tabindex], progress')]
  .filter(each => !(each.getAttribute('aria-label') || each.getAttribute('aria-labelledby')
    || each.labels?.length || each.textContent.trim())).map(each => each.outerHTML)"""


@pytest.fixture(scope="module")
def served():
    entry = Entry()
    settings = Settings(port=0, models=("open-small",), key=entry.key, entry=entry)
    with serving(settings) as address:
        yield address, entry


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request, served, tmp_path_factory):
    """A browser that is in; each test opens the page anew."""
    if BROWSERS[request.param] is None:
        pytest.skip(f"no {request.param}")
    address, entry = served
    with browsing(request.param, tmp_path_factory.mktemp("browser")) as browser:
        browser.resize(1280, 860)
        browser.open(address + entry.address)
        browser.home = address
        yield browser


@pytest.fixture
def page(browser):
    browser.resize(1280, 860)
    browser.open(f"{browser.home}/")
    browser.until("document.querySelector('#kinds').textContent")
    yield browser
    # A refusal by the server is in the console of Chromium, too.
    errors = [each for each in browser.complaints() if "server responded" not in each]
    browser.link.events.clear()
    assert errors == []


def seen(page, tmp_path):
    """The window as RGB, and where the figure is in it."""
    page.photograph(tmp_path / "shot.png")
    box = page.run("document.getElementById('figure').getBoundingClientRect().toJSON()")
    image = cv2.imread(str(tmp_path / "shot.png"))[..., ::-1].astype(int)
    x, y = round(box["x"]), round(box["y"])
    return image[y : y + round(box["height"]), x : x + round(box["width"])]


def of_colour(image, colour):
    return (np.abs(image - colour).max(axis=-1) < 30).sum()


def test_keypoints_become_a_person_who_is_moved_by_keys_alone(page, tmp_path):
    given(page, keypoints_file(tmp_path / "walk.npz"), dropped=True)

    assert text(page, "said") == "walk.npz: 40 frames, 1 person."
    if text(page, "play") == "Pause":  # Firefox here wants motion
        page.press("Space")
    page.run("document.activeElement.blur()")
    page.press("Home")
    assert text(page, "clock") == "frame 1 of 40, 0.00 s"
    image = seen(page, tmp_path)
    assert min(of_colour(image, LEFT), of_colour(image, RIGHT)) > 100
    for _ in range(3):
        page.press("ArrowRight")
    assert text(page, "clock") == "frame 4 of 40, 0.06 s"
    page.press("ArrowLeft")
    assert page.run("document.getElementById('at').value") == "2"
    page.press("End")
    assert text(page, "clock") == "frame 40 of 40, 0.78 s"
    page.press("Space")
    assert text(page, "play") == "Pause"
    page.until("document.getElementById('at').valueAsNumber < 39")  # from the start again
    page.press("Space")
    assert text(page, "play") == "Play"
    before = seen(page, tmp_path)
    page.run("document.getElementById('figure').focus()")
    for _ in range(4):
        page.press("ArrowRight")  # turns, and does not step
    frame = page.run("document.getElementById('at').value")
    assert (seen(page, tmp_path) != before).any()
    page.run("document.activeElement.blur()")
    assert page.run("document.getElementById('at').value") == frame


def test_the_tab_key_reaches_every_control_and_shows_where_it_is(page, tmp_path):
    given(page, keypoints_file(tmp_path / "walk.npz", 5))
    names = "webcam sample figure play back at on speed bvh glb trc csv people height again"
    controls = set(names.split())
    page.run("document.getElementById('choose').focus()")
    reached, unseen = set(), []

    while controls - reached and len(reached) < 30:
        page.press("Tab")
        name = page.run("document.activeElement.id || document.activeElement.dataset.format")
        if name and not page.run("getComputedStyle(document.activeElement).outlineWidth > '0'"):
            unseen.append(name)
        assert name not in reached
        reached |= {name or f"nameless {len(reached)}"}

    assert controls - reached == set()
    assert unseen == []


def test_the_sample_is_lifted_again_at_another_height(page):
    click(page, "#sample")
    page.until("document.getElementById('said').textContent.startsWith('sample.npz: ')")
    before = text(page, "list")

    page.run("document.getElementById('height').value = 150")
    click(page, "#again")
    page.until(f"document.getElementById('list').textContent !== {json.dumps(before)}")

    assert "1.5" in text(page, "list") or "150" in text(page, "list")
    assert not shows(page, "error")


def test_a_person_is_chosen_and_downloaded(page, tmp_path):
    name = "<img src=x onerror=alert(1)>"
    given(page, keypoints_file(tmp_path / "two.npz", 5, people=2, names=("anna", name)))

    click(page, "[data-format=bvh]")
    page.until("document.getElementById('error').checkVisibility()")
    assert "choose one of anna, <img" in text(page, "error")
    page.run("(document.getElementById('person').value = '1',"
             "document.getElementById('person').dispatchEvent(new Event('change')))")  # fmt: skip
    for form in ("bvh", "glb", "trc", "csv", "json", "npz"):
        click(page, f"[data-format={form}]")
        page.until(f"document.getElementById('said').textContent.startsWith('two.{form}: ')")
        until((page.downloads / f"two.{form}").exists)
    bvh = (page.downloads / "two.bvh").read_text()
    assert bvh.startswith("HIERARCHY")
    assert "Frames: 5" in bvh
    assert not shows(page, "error")
    assert page.run("document.querySelectorAll('main img').length") == 0
    assert page.run("[...document.getElementById('person').options].map(o => o.text)")[2] == name


def test_a_person_is_lifted_alone_at_their_height_and_another_after(page, tmp_path):
    given(page, keypoints_file(tmp_path / "pair.npz", 5, people=2, names=("anna", "bert")))
    both = read_poses(download(page, "pair.npz"))
    assert both.people == ("anna", "bert")

    choose(page, "bert")
    page.run("document.getElementById('height').value = 120")
    click(page, "#again")
    page.until("document.getElementById('said').textContent === 'pair.npz: 5 frames, 1 person.'")

    alone = download(page, "pair.npz")
    assert read_poses(alone).people == ("bert",)
    assert 0.9 < stature(alone) < 1.2  # no joint is at the soles or the crown
    names = "[...document.getElementById('person').options].map(option => option.text)"
    assert page.run(names) == ["everyone", "anna", "bert"]
    assert page.run("document.getElementById('person').selectedOptions[0].text") == "bert"

    choose(page, "anna")  # is lifted anew, and not at the height of the other
    page.until("document.getElementById('work').checkVisibility() === false &&"
               "document.getElementById('person').selectedOptions[0].text === 'anna'")  # fmt: skip
    other = download(page, "pair.npz")
    assert read_poses(other).people == ("anna",)
    assert stature(other) > 1.25

    choose(page, "everyone")
    page.until("document.getElementById('said').textContent === 'pair.npz: 5 frames, 2 people.'")
    assert read_poses(download(page, "pair.npz")).people == ("anna", "bert")
    assert not shows(page, "error")


def test_steps_are_chosen(page, tmp_path):
    given(page, keypoints_file(tmp_path / "steps.npz", 5))
    before = text(page, "list")
    for step in ("refine", "smooth", "sides", "bones", "trajectory", "feet"):
        page.run(f"document.getElementById('{step}').checked = false")
    click(page, "#again")
    page.until(f"document.getElementById('list').textContent !== {json.dumps(before)}")

    assert not shows(page, "error")
    poses = read_poses(download(page, "steps.npz"))
    root = poses.positions[:, 0, poses.skeleton.root, :2]
    np.testing.assert_allclose(root, np.broadcast_to(root[0], root.shape), atol=1e-6)  # in place


def test_what_the_server_refuses_is_said_in_its_words(page, tmp_path):
    (tmp_path / "bad.json").write_text('{"a": 1}')
    (tmp_path / "notes.txt").write_text("hello")

    given(page, tmp_path / "bad.json")
    assert text(page, "error").startswith("bad.json: is JSON of no kind")
    given(page, tmp_path / "notes.txt")
    assert text(page, "error").startswith("notes.txt: its ending is none of a kind that is read")
    assert page.run("document.getElementById('error').getAttribute('role')") == "alert"


def test_cancel_ends_the_job_on_the_server_too(page, tmp_path):
    page.give("#file", keypoints_file(tmp_path / "long.npz", 15_000))
    page.until("performance.getEntriesByType('resource').some(e => /jobs\\/[^?]/.test(e.name))")
    focused = page.run("document.activeElement.id")

    page.press("Enter")  # on what has the focus

    page.until(
        "document.getElementById('said').textContent === 'Cancelled. Nothing is kept of it.'"
    )
    job = page.run("performance.getEntriesByType('resource')"
                   ".map(e => e.name).findLast(name => /jobs\\/[^?]/.test(name))")  # fmt: skip
    assert focused == "cancel"
    assert page.run(f"fetch({json.dumps(job)}).then(answer => answer.status)") == 404
    assert not shows(page, "work")
    assert not shows(page, "error")


def test_it_fits_a_phone_and_everything_has_a_name_and_can_be_read(page, tmp_path):
    given(page, keypoints_file(tmp_path / "walk.npz", 5))

    for width, dark in ((360, False), (390, True), (1280, True)):
        more = {"dark": dark} if page.name == "chromium" else {}
        page.resize(width, 800, **more)
        wide = page.run("document.documentElement.scrollWidth")
        assert wide <= page.run("innerWidth"), width
        assert page.run(CONTRAST) == [], (width, dark)
    assert page.run(NAMELESS) == []
    sizes = page.run("[...document.querySelectorAll('button')].filter(b => b.checkVisibility())"
                     ".map(b => b.getBoundingClientRect().height)")  # fmt: skip
    assert min(sizes) >= 44  # px, for fingers


def test_nothing_is_loaded_from_elsewhere(page):
    click(page, "#sample")
    page.until("document.getElementById('said').textContent.startsWith('sample.npz: ')")

    names = page.run("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert len(names) > 8
    assert [name for name in names if not name.startswith(page.home)] == []


def test_a_film_without_a_detector_is_answered_with_the_command(page, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHLIFT_CACHE", str(tmp_path / "empty"))
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")

    given(page, tmp_path / "film.mp4")

    assert page.run("document.querySelector('#error code').textContent").endswith(
        "graphlift model get blazepose"
    )
    click(page, "#webcam")
    page.until("!!document.querySelector('#error code')")


def drawn_film(path, frames=12, others=()):
    """A film of somebody who walks to the right, and of others, (centre, scale), who stand."""
    from helpers.drawn_person import SIZE, draw_person, empty

    size = (SIZE[0] * (1 + len(others)), SIZE[1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 25, size)
    for step in range(frames):
        image = draw_person(empty(size), (200 + 6 * step, 320))
        for centre, scale in others:
            draw_person(image, centre, scale)
        writer.write(image[..., ::-1])
    writer.release()
    if not path.stat().st_size:
        pytest.skip("OpenCV writes no VP8 here")
    return path


@needs("blazepose")
def test_a_film_and_its_skeleton_share_one_time_bar(page, tmp_path):
    given(page, drawn_film(tmp_path / "film.webm"), dropped=True)

    assert text(page, "said") == "film.webm: 12 frames, 1 person."
    for frame in (7, 3):
        page.run(f"(document.getElementById('at').value = {frame},"
                 "document.getElementById('at').dispatchEvent(new Event('input')))")  # fmt: skip
        page.until("!document.getElementById('video').seeking")
        assert page.run("Math.floor(document.getElementById('video').currentTime * 25)") == frame
    # The keypoints lie on the film: the left ankle where it was drawn.
    page.run("document.getElementById('play').focus()")
    page.press("Space")
    page.until("document.getElementById('at').valueAsNumber > 8")
    page.press("Space")
    page.until("document.getElementById('play').textContent === 'Play'"
               " && !document.getElementById('video').seeking")  # fmt: skip
    at, time = page.run("[document.getElementById('at').valueAsNumber,"
                        "document.getElementById('video').currentTime]")  # fmt: skip
    assert at == int(time * 25)


@needs("blazepose")
@needs("movenet")
def test_of_a_film_of_several_one_is_chosen_without_looking_for_them_again(page, tmp_path):
    page.run("document.getElementById('people').value = 2")
    given(page, drawn_film(tmp_path / "two.webm", others=[((720, 330), 0.9)]))
    assert text(page, "said") == "two.webm: 12 frames, 2 people."
    names = page.run("[...document.getElementById('person').options].map(o => o.text)")
    assert len(names) == 3

    choose(page, names[2])
    page.run("document.getElementById('height').value = 160")
    click(page, "#again")
    page.until("document.getElementById('said').textContent === 'two.webm: 12 frames, 1 person.'")

    poses = read_poses(download(page, "two.npz"))
    assert poses.people == (names[2],)
    assert poses.keypoints.people == (names[2],)
    uploads = page.run("performance.getEntriesByType('resource').map(e => e.name)"
                       ".filter(name => name.endsWith('/keypoints')).length")  # fmt: skip
    assert uploads == 1


@needs("blazepose")
def test_a_webcam_is_looked_at_live(page):
    """The browsers' own stand-in for a webcam, which shows nobody."""
    click(page, "#webcam")
    page.until("document.getElementById('rate').textContent.includes('pictures a second')")
    assert shows(page, "video")
    assert not shows(page, "time")

    click(page, "#stop")

    assert not shows(page, "result")
    assert page.run("document.getElementById('video').srcObject") is None
