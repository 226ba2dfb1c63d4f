"""People whose keypoints are known, for files of every kind to be made of."""

import csv
import json

import numpy as np
import pytest

from graphlift.errors import FormatError
from graphlift.formats import read_keypoints, write_keypoints
from graphlift.sequences import keypoints_from
from graphlift.skeletons import COCO_17


def walk(skeleton, *, frames=4, people=1, seed=0):
    """(frame, person, joint, 3): px to two decimals, confidence to two, each person elsewhere."""
    rng = np.random.default_rng(seed)
    body = rng.uniform(0, 150, (len(skeleton), 2))
    time, person = np.ogrid[:frames, :people]
    start = np.stack(np.broadcast_arrays(100 + 400 * person + 3 * time, 200 + 0 * time), axis=-1)
    xy = start[:, :, None] + body + rng.normal(0, 1, (frames, people, len(skeleton), 2))
    c = rng.uniform(0.3, 1, xy.shape[:-1])
    return np.round(np.concatenate([xy, c[..., None]], axis=-1), 2)


def assert_same(keypoints, triples, *, people=None, atol=0):
    """Keypoints are these triples; a joint of confidence 0 is missing."""
    xy, c = triples[..., :2], triples[..., 2]
    expected = keypoints_from(xy, keypoints.skeleton, confidence=c)
    np.testing.assert_allclose(keypoints.positions, expected.positions, rtol=0, atol=atol)
    np.testing.assert_allclose(keypoints.confidence, expected.confidence, rtol=0, atol=atol)
    np.testing.assert_array_equal(keypoints.seen, keypoints.confidence > 0)
    if people is not None:
        assert keypoints.people == people


def dump(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def openpose(folder, triples, *, name="walk", start=0, key="pose_keypoints_2d", ids=None):
    """A folder as OpenPose 1.7 leaves it."""
    for frame, people in enumerate(triples):
        entries = [
            {
                "person_id": [-1] if ids is None else [ids[frame][person]],
                key: joints.ravel().tolist(),
                "face_keypoints_2d": [],
                "hand_left_keypoints_2d": [],
                "hand_right_keypoints_2d": [],
                "pose_keypoints_3d": [],
            }
            for person, joints in enumerate(people)
        ]
        file = folder / f"{name}_{start + frame:012d}_keypoints.json"
        dump(file, {"version": 1.3, "people": entries})
    return folder


def alphapose(triples, *, ids=None, names="{}.jpg"):
    """Results as AlphaPose 0.6 writes them; frames with nobody leave no entry."""
    return [
        {
            "image_id": names.format(frame),
            "category_id": 1,
            "keypoints": joints.ravel().tolist(),
            "score": 2.9,
            "box": [1.0, 2.0, 3.0, 4.0],
            "idx": [0.0] if ids is None else ids[frame][person],
        }
        for frame, people in enumerate(triples)
        for person, joints in enumerate(people)
    ]


def coco_results(triples, *, start=1):
    return [
        {"image_id": start + frame, "category_id": 1, "keypoints": joints.ravel().tolist(),
         "score": 0.9}
        for frame, people in enumerate(triples)
        for joints in people
    ]  # fmt: skip


def coco_annotations(triples, names, *, ids=None, size=(640, 480)):
    """Annotations as in COCO's person_keypoints files; visibility 2 where seen."""
    flags = np.concatenate([triples[..., :2], 2.0 * (triples[..., 2:] > 0)], axis=-1)
    return {
        "images": [
            {"id": 900 + frame, "file_name": f"{frame:012d}.jpg", "width": size[0],
             "height": size[1]}
            for frame in range(len(triples))
        ],
        "annotations": [
            {"id": frame * 10 + person, "image_id": 900 + frame, "category_id": 1, "iscrowd": 0,
             "num_keypoints": int((joints[:, 2] > 0).sum()), "keypoints": joints.ravel().tolist(),
             "bbox": [0, 0, 1, 1], "area": 1.0}
            | ({} if ids is None else {"track_id": ids[frame][person]})
            for frame, people in enumerate(flags)
            for person, joints in enumerate(people)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2]]}],
    }  # fmt: skip


def mmpose_video(triples, *, start=0):
    """As MMPose's inferencer dumps a video."""
    return [
        {"frame_id": start + frame, "instances": mmpose_image(people)}
        for frame, people in enumerate(triples)
    ]


def mmpose_image(people):
    return [
        {"keypoints": joints[:, :2].tolist(), "keypoint_scores": joints[:, 2].tolist(),
         "bbox": [[0, 0, 1, 1]], "bbox_score": 0.9}
        for joints in people
    ]  # fmt: skip


def landmarks(triples, size):
    """A frame's people as fractions of the image."""
    return [
        [
            {"x": x / size[0], "y": y / size[1], "z": 0.1, "visibility": c}
            for x, y, c in joints.tolist()
        ]
        for joints in triples
    ]


def write_rows(path, rows, delimiter=","):
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


NAMES = list(COCO_17.joints)
SNAKE_NAMES = [
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
      for side in ("left", "right")),
]  # fmt: skip
"""COCO's joints as DeepLabCut and SLEAP projects call them."""
TRIPLES = walk(COCO_17)


def wide_csv(path, triples=TRIPLES):
    header = [f"{name}_{n}" for name in NAMES for n in "xyc"]
    return write_rows(path, [header, *triples.reshape(len(triples), -1).tolist()])


def ours(path):
    write_keypoints(path, keypoints_from(TRIPLES, COCO_17))
    return path


def refused(source, pattern, kind=FormatError, **said):
    with pytest.raises(kind, match=pattern) as told:
        read_keypoints(source, **said)
    return str(told.value)


MAKERS = {
    "a.json": lambda path: dump(path, coco_results(TRIPLES)),
    "a.csv": wide_csv,
    "a.npz": ours,
    "a.npy": lambda path: np.save(path, TRIPLES) or path,
}
