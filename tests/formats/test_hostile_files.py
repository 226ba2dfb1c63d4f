"""Small files that took down a reader once, by kind: each is refused in a few words, at once."""

import io
import json
import struct
import tracemalloc
import zipfile
from contextlib import nullcontext

import numpy as np
import pytest
from data.mocap import make
from formats.test_pose_file import component, pose
from helpers.readback import moving
from helpers.tiny_keypoints import NAMES, TRIPLES, coco_results, dump, mmpose_video, refused

from graphlift.datasets.mocap.pack import read_pack
from graphlift.datasets.mocap.prepare import read_bvh_clip
from graphlift.errors import ConfigError, FormatError
from graphlift.files import container
from graphlift.formats import read_keypoints, read_poses, write_poses
from graphlift.formats.npz_members import read_arrays, read_npy
from graphlift.formats.pickle_machine import PickleMachine
from graphlift.study.plan import read_plan
from graphlift.training.config import read_config
from graphlift.words import listed, plain, reason, shown

# Words


def shared(levels):
    """A list of ten times the same list of ten times the same ..."""
    inner = [1]
    for _ in range(levels):
        inner = [inner] * 10
    return inner


@pytest.mark.parametrize(
    "value",
    [shared(60), {"a": shared(60)}, "x" * 10**6, b"x" * 10**6, 10**100_000, ("\ud800",) * 99,
     "\x1b[31mred", "line\nline", np.zeros(10**6), {i: i for i in range(10**5)}],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_whatever_a_file_holds_is_shown_in_a_few_printable_words(value):
    text = shown(value)

    assert 0 < len(text) <= 83
    assert text.isprintable()
    assert plain(text) == text


def test_short_values_are_shown_as_python_writes_them():
    assert [shown(value) for value in ("a", 3, None, [1, "b"], 2.5)] == [
        "'a'", "3", "None", "[1, 'b']", "2.5"
    ]  # fmt: skip
    assert listed(["a", "b" * 100, "c"], 2) == f"a, {'b' * 37}..., ..."
    assert reason(ValueError()) == "ValueError"


def test_an_object_that_cannot_say_what_it_is_is_named_by_its_kind():
    class Silent:
        def __repr__(self):
            raise RuntimeError

    assert shown(Silent()).startswith("<Silent")


# Containers


@pytest.mark.parametrize("kind", [IndexError, SystemError, OverflowError, AttributeError, OSError])
def test_whatever_a_library_raises_becomes_an_error_of_ours(kind):
    with (
        pytest.raises(FormatError, match=r"x\.npz: cannot be read as an \.npz: .*\(why\): copy"),
        container("x.npz", "an .npz"),
    ):
        raise kind("why")


def test_errors_that_name_a_file_or_a_package_pass(tmp_path):
    with pytest.raises(FileNotFoundError), container("x", "an .npz"):
        (tmp_path / "absent").read_bytes()
    with pytest.raises(ModuleNotFoundError), container("x", "an .npz"):
        raise ModuleNotFoundError(name="h5py")


def npy(header, content=b""):
    """The bytes of an array of a made-up header."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def described(descr, shape):
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"


HEADERS = {
    "no type": described("", (4, 17, 2)),
    "seventy axes": described("<f8", (1,) * 70),
    "a length beyond any number": described("<f8", (10**30, 17, 2)),
    "a length of yes": described("<f8", "(True, 17, 2)"),
    "a million million texts of nothing": described("<U0", (10**12,)),
    "nothing a million million times": described("<f8", (0, 10**12, 17, 2)),
    "gigabytes that are not there": described("<f8", (10**9, 17, 2)),
    "no header": "[" * 60,
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_made_up_header_is_refused_alone_and_in_an_archive(what, tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(HEADERS[what]))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("keypoints.npy", npy(HEADERS[what]))

    with pytest.raises(FormatError, match=r"a\.npy: cannot be read as an array of num.*\(.+"):
        read_npy(tmp_path / "a.npy", 1 << 30)
    refused(tmp_path / "a.npz", r"a\.npz: cannot be read as an \.npz: .*damaged \(.+\): copy")


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800])
def test_text_that_is_no_text_is_refused_before_python_meets_it(code, tmp_path):
    text = np.frombuffer(np.array([ord("a"), code], "<u4").tobytes(), "<U2")
    np.savez(tmp_path / "a.npz", keypoints=TRIPLES, people=text, skeleton="coco-17")

    refused(tmp_path / "a.npz", r"a\.npz: people holds text that is none")


def test_a_member_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("clip_start.npy", b"hello")

    with pytest.raises(FormatError, match=r"a\.npz: cannot be read as an \.npz: .*magic"):
        read_pack(tmp_path / "a.npz")


def test_what_nobody_asks_for_is_not_unpacked_and_zeros_are_not_either(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, asked=np.arange(3), zeros=np.zeros((1 << 27) + 1, np.uint8))
    tracemalloc.start()

    assert read_arrays(path, ["asked"], max_bytes=1 << 40)["asked"].tolist() == [0, 1, 2]
    with pytest.raises(
        FormatError, match=r"zeros takes 0\.1 MB and unpacks to 0\.13 GB, which is"
    ):
        read_arrays(path, ["zeros"], max_bytes=1 << 40)

    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_text_that_a_pickle_only_promises_is_not_made_room_for():
    promise = b"\x80\x04\x8e" + struct.pack("<Q", 1 << 33) + b"a."
    tracemalloc.start()

    with pytest.raises(ValueError, match="expected 8589934592 bytes"):
        PickleMachine({}, ValueError).run(io.BytesIO(promise))

    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


# JSON


@pytest.mark.parametrize(
    "who", [[1, 2], [[]], {}, True, 1e300, float("nan"), 10**400, "\x1b" * 99]
)
def test_an_id_of_any_kind_is_somebody_or_nobody(who, tmp_path):
    for document in (coco_results(TRIPLES), mmpose_video(TRIPLES)):
        for entry in document:
            for person in entry.get("instances", [entry]):
                person["track_id"] = who
        keypoints = read_keypoints(dump(tmp_path / "a.json", document))

        assert len(keypoints.people) == 1
        assert all(name.isprintable() and len(name) <= 100 for name in keypoints.people)


@pytest.mark.parametrize("key", ["image_id", "frame_id"])
def test_a_frame_number_of_400_digits_is_refused(key, tmp_path):
    document = coco_results(TRIPLES) if key == "image_id" else mmpose_video(TRIPLES)
    document[1][key] = 10**400

    refused(dump(tmp_path / "a.json", document), r"has the number <a number of 1329 bits>: check")


@pytest.mark.parametrize("fps", [10**400, shared(3), "9" * 400, -(10**400), "\x00"])
def test_a_frame_rate_that_is_none_is_refused_in_few_words(fps, tmp_path):
    document = {"frames": [[{"x": 0.1, "y": 0.1}] * 33], "width": 9, "height": 9, "fps": fps}

    assert len(refused(dump(tmp_path / "a.json", document), r"fps is ")) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("half", ["\\ud800", "a\\udfffb"])
def test_half_of_a_character_is_refused_and_a_whole_one_is_not(half, tmp_path):
    text = json.dumps(coco_results(TRIPLES)).replace("category_id", half)
    (tmp_path / "a.json").write_text(text)
    refused(tmp_path / "a.json", r"a\.json: holds half of a character")

    (tmp_path / "a.json").write_text(text.replace(half, "\\ud83d\\ude00"))
    assert len(read_keypoints(tmp_path / "a.json")) == 4


def test_a_crowd_that_nothing_tells_apart_is_refused(tmp_path):
    crowd = [each | {"image_id": 1} for each in coco_results(TRIPLES)[:1] * 400]

    refused(dump(tmp_path / "a.json", crowd), r"400 people in one frame.* at most 300 can be")


def test_positions_beyond_any_image_are_refused_before_people_are_told_apart(tmp_path):
    results = coco_results(TRIPLES)
    results[2]["keypoints"][3] = 1e300

    refused(dump(tmp_path / "a.json", results), r"a\.json, frame 3: LEye lies 1e\+300 px away")


# Tables and bytes that grow


def test_a_column_of_a_wide_table_that_comes_twice_is_found_at_once(tmp_path):
    columns = [f"j{n}_x" for n in range(30_000)]
    columns[-1] = columns[-2]
    (tmp_path / "a.csv").write_text(f"{','.join(columns)}\n{','.join('1' * 30_000)}\n")

    refused(tmp_path / "a.csv", r"two columns are x of j29998 of 0: keep one")


@pytest.mark.parametrize("long", [False, True])
def test_a_table_that_would_be_mostly_empty_takes_no_memory(long, tmp_path):
    rows = [f"{n},p{n // 2}," for n in range(1_500)]  # somebody else in every other frame
    if long:
        lines = [f"{row}{name},5,5" for row in rows for name in NAMES[:6]]
        header = "frame,person,joint,x,y"
    else:
        lines = [row + ",".join(["5"] * 34) for row in rows]
        header = "frame,person," + ",".join(f"{name}_{axis}" for name in NAMES for axis in "xy")
    (tmp_path / "a.csv").write_text("\n".join([header, *lines]))
    tracemalloc.start()

    refused(tmp_path / "a.csv", r"1,500 frames of .* fewer than one in 200")

    assert tracemalloc.get_traced_memory()[1] < 100_000_000
    tracemalloc.stop()


def test_a_column_that_is_not_understood_is_named_in_few_words(tmp_path):
    header = ["9" * 3_000, *(f"{name}_{axis}" for name in NAMES for axis in "xy")]
    rows = [",".join([str(n) * 3_000, *["5"] * 34]) for n in range(3)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(header), *rows]))

    with pytest.raises(FormatError, match=r"line 3: the column '99.* changes") as caught:
        read_keypoints(tmp_path / "a.csv")
    assert len(str(caught.value)) < 600 + len(str(tmp_path))


@pytest.mark.filterwarnings("error")
def test_fractions_of_the_image_that_overflow_are_refused(tmp_path):
    line = " ".join(["0 0.5 0.5 0.2 0.6", *["1.7e308 0.5 0.9"] * 17])
    (tmp_path / "clip_1.txt").write_text(line)

    refused(tmp_path, r"clip|px|no person", image_size=(640, 480))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("suffix", "unit"), [(".c3d", 1000.0), (".glb", 1.0)])
def test_a_signalling_nan_in_a_file_of_poses_is_no_warning(suffix, unit, tmp_path):
    path, poses = tmp_path / f"a{suffix}", moving(5, fps=25.0)
    write_poses(path, poses)
    x = struct.pack("<f", unit * poses.positions[0, 0, 0, 0])
    path.write_bytes(path.read_bytes().replace(x, struct.pack("<I", 0x7FA00000)))

    with pytest.raises(FormatError, match="damaged") if suffix == ".glb" else nullcontext():
        assert not read_poses(path).seen[0, 0, 0]


@pytest.mark.parametrize("frames", [4_000_000_000, 100_000])
@pytest.mark.parametrize("points", [[], ["NOSE"]])
def test_a_pose_file_of_nobody_for_billions_of_frames_is_refused(points, frames, tmp_path):
    nobody = np.zeros((0, 0, len(points), 3)), np.zeros((0, 0, len(points)))
    data = pose([component("POSE_LANDMARKS", points)], *nobody)
    at = data.rindex(struct.pack("<fI", 25.0, 0))
    changed = data[: at + 4] + struct.pack("<I", frames) + data[at + 8 :]
    (tmp_path / "a.pose").write_bytes(changed)

    refused(tmp_path / "a.pose", r"no points with x and y|would take|no person|only \d of")


def test_joints_on_which_none_of_the_17_hangs_take_nothing(tmp_path):
    text = (make.HERE / "mixamo.bvh").read_text()
    head, motion = text.split("MOTION")
    extra = "".join(
        f"JOINT zz{n} {{ OFFSET 0 0 0 CHANNELS 0 End Site {{ OFFSET 0 0 0 }} }}\n"
        for n in range(450)
    )
    rows = motion.strip().splitlines()
    frames = 2_000
    plain_file = f"{head}MOTION\nFrames: {frames}\n{rows[1]}\n" + f"{rows[2]}\n" * frames
    (tmp_path / "plain.bvh").write_text(plain_file)
    wide = plain_file.replace("MOTION", f"{extra}}}\nMOTION").replace("}\n" + extra, extra, 1)
    (tmp_path / "wide.bvh").write_text(wide)
    tracemalloc.start()

    found = read_bvh_clip(tmp_path / "wide.bvh").positions

    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()
    np.testing.assert_allclose(found, read_bvh_clip(tmp_path / "plain.bvh").positions, atol=1e-9)


def test_an_hdf5_array_that_was_never_written_is_not_filled(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("tracks", (1, 2, 17, 1_000_000), "f8", chunks=(1, 2, 17, 1000))
        file["node_names"] = np.array(NAMES, dtype="S")

    refused(tmp_path / "a.h5", r"tracks'? takes 0\.0 MB and unpacks to 0\.27 GB")


# Configurations


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = '\ud800'"])
@pytest.mark.parametrize("read", [read_config, lambda path: read_plan(str(path))])
def test_toml_that_is_made_up_is_refused(read, text, tmp_path):
    (tmp_path / "a.toml").write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(ConfigError, match=r"a\.toml: not TOML: .{3,250}$"):
        read(tmp_path / "a.toml")


# A child process


# Detectors


@pytest.mark.parametrize("size", [10**400, "1e400", 1e308, -1, "x" * 10**5, [[]]])
def test_a_graph_of_impossible_sizes_is_refused(size):
    from detector_weights.convert.test_tfjs import FLOAT, node, write_tfjs

    from graphlift.detector_weights.convert.tfjs import convert_tfjs

    story, weights = write_tfjs([node("Cast", "y", "image", DstT=FLOAT)], {}, "y", (1, 2, 3, 3))
    document = json.loads(story)
    document["signature"]["outputs"]["y"]["tensorShape"]["dim"][0]["size"] = size
    document["weightsManifest"][0]["weights"] = [
        {"name": "a", "shape": [size], "dtype": "float32"}
    ]

    with pytest.raises(FormatError, match=r"get the files? again|bytes long"):
        convert_tfjs(json.dumps(document).encode(), weights)
