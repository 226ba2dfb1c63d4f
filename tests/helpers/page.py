"""What is done with the page of ``graphlift app`` in a browser, and what is read from it."""

import base64
import json
import zipfile

import numpy as np
from helpers.moving import poses_of, standing
from helpers.served import until

from graphlift.formats import read_poses
from graphlift.formats.arrays import write_keypoints


def text(page, name):
    return page.run(f"document.getElementById('{name}').textContent")


def shows(page, name):
    return page.run(f"document.getElementById('{name}').checkVisibility()")


def click(page, selector):
    page.run(f"document.querySelector({json.dumps(selector)}).click()")


DROP = """(() => {
  const content = Uint8Array.from(atob('%s'), letter => letter.charCodeAt(0))
  const dataTransfer = new DataTransfer()
  dataTransfer.items.add(new File([content], '%s'))
  const drop = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true })
  return document.getElementById('drop').dispatchEvent(drop)
})()"""


def given(page, path, *, dropped=False):
    """Give a file; wait for what comes of it."""
    if dropped:
        content = base64.b64encode(path.read_bytes()).decode()
        assert page.run(DROP % (content, path.name)) is False  # the browser does not open it
    else:
        page.give("#file", path)
    page.until("!document.getElementById('work').checkVisibility() && "
               "(document.getElementById('result').checkVisibility() || "
               "document.getElementById('error').checkVisibility())")  # fmt: skip


def keypoints_file(path, frames=40, people=1, names=None):
    joints = standing(frames, people)
    joints[..., 1] += np.linspace(0, 0.6, frames)[:, None, None]
    keypoints = poses_of(joints).keypoints
    if names:
        object.__setattr__(keypoints, "people", names)
    write_keypoints(path, keypoints)
    return path


def choose(page, name):
    page.run(f"(document.getElementById('person').value = [...document.getElementById('person')"
             f".options].find(o => o.text === {json.dumps(name)}).value,"
             "document.getElementById('person').dispatchEvent(new Event('change')))")  # fmt: skip


def stature(path):
    """Of the first frame of a motion, from its lowest joint to its highest, m."""
    z = read_poses(path).positions[0, :, :, 2]
    return float(np.nanmax(z) - np.nanmin(z))


def download(page, name):
    """Download an .npz; Firefox makes the file before what is in it."""
    path = page.downloads / name
    path.unlink(missing_ok=True)
    click(page, "[data-format=npz]")
    until(lambda: path.exists() and zipfile.is_zipfile(path))
    return path
