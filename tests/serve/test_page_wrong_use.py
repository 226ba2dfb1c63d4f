"""What people do to the page that it is not made for: in real browsers, and what it says then."""

import base64
import contextlib

import pytest
from helpers.page import click, given, keypoints_file, shows, text
from helpers.served import until
from serve.test_page_in_browsers import browser, cv2, drawn_film, page, served  # noqa: F401

DROP = """(() => {
  const dataTransfer = new DataTransfer()
  for (const name of %s) dataTransfer.items.add(new File(['{}'], name))
  document.body.dispatchEvent(
    new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))
})()"""
PLAYER = """(async () => {
  const { makePlayer } = await import('/page/player.js')
  const make = (name, more) => Object.assign(document.createElement(name), more)
  const video = document.getElementById('video')
  const film = Uint8Array.from(atob('%s'), letter => letter.charCodeAt(0))
  video.src = URL.createObjectURL(new Blob([film]))
  await new Promise(done => { video.onloadeddata = done })
  const at = make('input', { type: 'range' })
  const speed = make('select')
  speed.append(new Option('1', '1'))
  const [play, back, on] = Array.from({ length: 3 }, () => make('button'))
  const player = makePlayer({ video, at, play, back, on, clock: make('output'), speed, draw() {} })
  player.load(12, %d, true, %s)
  at.value = 6
  at.dispatchEvent(new Event('input'))
  while (video.seeking) await new Promise(done => setTimeout(done, 20))
  const time = video.currentTime
  player.clear()
  video.removeAttribute('src')
  return time
})()"""


def test_a_field_that_is_folded_away_is_shown_if_it_cannot_be_read(page, tmp_path):  # noqa: F811
    given(page, keypoints_file(tmp_path / "walk.npz", 5))
    folded = "document.getElementById('size').closest('details').open"
    assert not page.run(folded)

    page.run("document.getElementById('size').value = 'big'")
    click(page, "#again")

    page.until("document.activeElement.id === 'size'")
    assert page.run(folded)
    assert not shows(page, "work")
    page.run("document.getElementById('size').value = ''")
    before = page.run("performance.getEntriesByType('resource').length")
    click(page, "#again")
    page.until(f"performance.getEntriesByType('resource').length > {before} &&"
               "!document.getElementById('work').checkVisibility()")  # fmt: skip
    assert not shows(page, "error")


def test_several_files_are_not_taken_for_the_first_of_them(page, tmp_path):  # noqa: F811
    page.run(DROP % '["a.json", "b.json"]')
    assert text(page, "error") == "Those are 2 files: give one at a time."
    assert not shows(page, "work")

    page.give("#file", keypoints_file(tmp_path / "long.npz", 8_000))
    page.until("performance.getEntriesByType('resource').some(e => /jobs\\/[^?]/.test(e.name))")
    page.run(DROP % '["a.json"]')
    assert text(page, "said").startswith("Wait until this is done, or cancel it")
    click(page, "#cancel")
    page.until(
        "document.getElementById('said').textContent === 'Cancelled. Nothing is kept of it.'"
    )


def test_only_kinds_that_are_read_are_named(page):  # noqa: F811
    kinds = {kind.rstrip(".") for kind in text(page, "kinds").split()}

    assert {".npz", ".json", ".mp4"} <= kinds
    assert ".slp" not in kinds


def test_the_time_is_read_aloud_while_it_stands_and_not_at_every_frame(page, tmp_path):  # noqa: F811
    given(page, keypoints_file(tmp_path / "walk.npz", 40))
    live = "document.getElementById('clock').getAttribute('aria-live')"
    if text(page, "play") == "Pause":
        click(page, "#play")

    assert page.run(live) != "off"
    click(page, "#play")
    assert page.run(live) == "off"
    click(page, "#play")
    assert page.run(live) == "polite"


@pytest.mark.parametrize(("rate", "stated"), [(25, "false"), (100, "true")])
def test_a_film_keeps_its_pace_where_the_rate_is_stated(page, tmp_path, rate, stated):  # noqa: F811
    film = base64.b64encode(drawn_film(tmp_path / "film.webm").read_bytes()).decode()

    time = page.run(PLAYER % (film, rate, stated))

    assert int(time * 25) == 6  # of slow motion, too, which was taken at 100 frames a second


def test_a_link_on_another_page_opens_it(page, served):  # noqa: F811
    address, entry = served
    link = f"<a id='link' href='{address}{entry.address}'>graphlift</a>"
    page.open(f"data:text/html,<title>a terminal in a browser</title>{link}")

    def opened():
        with contextlib.suppress(AssertionError):  # while one page follows another
            return page.run("!!document.querySelector('#kinds')?.textContent && location.href")

    page.run("setTimeout(() => document.getElementById('link').click()) > 0")
    assert until(opened) == f"{address}/"


def test_what_has_the_focus_is_not_behind_the_time_bar(page, tmp_path):  # noqa: F811
    page.resize(640, 420)
    given(page, keypoints_file(tmp_path / "walk.npz", 5))
    page.run("document.getElementById('figure').focus({ preventScroll: true })")
    page.run("scrollTo(0, 0)")
    low = "document.getElementById('%s').getBoundingClientRect().%s"
    bar, field = low % ("time", "top"), low % ("shown", "bottom")
    page.run("document.getElementById('over').hidden = false")
    # The field would be seen, were it not for the bar: the browser alone sees no need to scroll.
    page.run(f"scrollBy(0, {field} - innerHeight + 4)")
    assert page.run(f"{field} > {bar}")

    page.run("document.getElementById('shown').focus()")

    page.until(f"{field} <= {bar}")
