"""The changes that ``benchmarks/fuzz.py`` makes: always the same, mostly whole containers."""

import io
import json
import pickle
import random
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_keypoints import TRIPLES, coco_results

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from fuzzing.structures import change_json, change_npy, change_pickle, change_zip, mutate


def saved(save, *arrays, **named):
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


FILES = {
    "a.json": json.dumps(coco_results(TRIPLES)).encode(),
    "a.npy": saved(np.save, TRIPLES),
    "a.npz": saved(np.savez_compressed, a=TRIPLES, b=np.array({"x": [1]}, dtype=object)),
    "a.pkl": pickle.dumps({("S1", "cam"): [1.5, None]}),
    "a.csv": b"frame,Nose_x,Nose_y\n0,1,2\n1,2,3\n",
}


@pytest.mark.parametrize("name", FILES)
def test_an_input_is_made_of_its_number_alone(name):
    made = [
        [
            mutate(name, FILES[name], random.Random(f"0 {n}"), list(FILES.values()))
            for n in range(60)
        ]
        for _ in range(2)
    ]

    assert made[0] == made[1]
    assert sum(one != FILES[name] for one in made[0]) > 45
    assert all(len(one) <= 1 << 24 for one in made[0])


def whole_json(data):
    json.loads(data)


def whole_zip(data):
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


def whole_npy(data):
    assert data.startswith(b"\x93NUMPY")


@pytest.mark.parametrize(
    ("name", "change", "check"),
    [("a.json", change_json, whole_json), ("a.npz", change_zip, whole_zip),
     ("a.npy", change_npy, whole_npy)],
)  # fmt: skip
def test_containers_mostly_stay_whole_so_that_what_is_in_them_is_read(name, change, check):
    whole = 0
    for number in range(60):
        try:
            check(change(FILES[name], random.Random(number), list(FILES.values())))
            whole += 1
        except Exception:  # whatever a broken container raises
            continue

    assert whole > 40


def test_steps_of_a_pickle_are_repeated_and_not_only_bytes():
    made = [change_pickle(FILES["a.pkl"], random.Random(n), []) for n in range(200)]

    assert any(b"2\x86" * 30 in one for one in made)  # a pair of itself, of itself, ...
