"""Pickled data of others: what NumPy writes comes back, and everything else is refused by name."""

import contextlib
import io
import os
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlift.errors import FormatError
from graphlift.formats.plain_pickle import read_object_arrays, unpickle_plain

PLAIN = {
    "layout_name": "coco",
    "num_joints": 17,
    "keypoints_symmetry": [[1, 3], [2, 4]],
    "video_metadata": {"walk": {"w": 1920, "h": 1080, "fps": 29.97, "none": None, "yes": True}},
    "pair": (1, (2.5, "three")),
    "bytes": b"\x00\xff",
}
ARRAYS = {
    "float32": np.arange(12, dtype=np.float32).reshape(3, 2, 2),
    "float64": np.array([np.nan, -0.0, np.inf]),
    "big": np.arange(4, dtype=">i4"),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "uint8": np.array([[255]], dtype=np.uint8),
    "bool": np.array([True, False]),
    "text": np.array(["a", "bc"]),
    "empty": np.zeros((0, 17, 2)),
    "scalarless": np.array(3.0),
}


class Attack:
    """Pickles to a call of whatever it is given."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_and_numbers_come_back(protocol):
    assert unpickle_plain(pickle.dumps(PLAIN, protocol), "x") == PLAIN


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_bit_by_bit(protocol, name):
    array = ARRAYS[name]

    (back,) = unpickle_plain(pickle.dumps([array], protocol), "x")

    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("scalar", [np.float32(1.5), np.int64(-3), np.bool_(True), np.str_("ab")])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_numpys_scalars_come_back_as_numbers(protocol, scalar):
    back = unpickle_plain(pickle.dumps({"n": scalar}, protocol), "x")["n"]

    assert back == scalar.item()
    assert type(back) is type(scalar.item())


def test_an_array_shared_by_two_keys_is_read_once():
    array = np.arange(3.0)

    back = unpickle_plain(pickle.dumps({"a": array, "b": [array]}), "x")

    assert back["a"] is back["b"][0]


def test_python_2_wrote_bytes_as_text():
    # Protocol 2 by Python 2: the array's bytes are a str, its type's code too.
    array = np.arange(3, dtype="<f4")
    raw = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x03t"
    raw += b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    raw += b"K\x00tb\x89U" + bytes([array.nbytes]) + array.tobytes() + b"tb."

    np.testing.assert_array_equal(unpickle_plain(b"\x80\x02" + raw, "x"), array)


def test_an_npz_with_dictionaries_is_read_as_numpy_reads_it(tmp_path):
    positions = {"S1": {"Walking 1": [ARRAYS["float32"], ARRAYS["float32"] + 1]}}
    np.savez_compressed(tmp_path / "a.npz", positions_2d=positions, metadata=PLAIN, n=np.ones(3))
    with np.load(tmp_path / "a.npz", allow_pickle=True) as theirs:
        expected = theirs["positions_2d"].item()

    ours = read_object_arrays(tmp_path / "a.npz", ("positions_2d", "metadata", "n", "absent"))

    assert set(ours) == {"positions_2d", "metadata", "n"}
    assert ours["metadata"] == PLAIN
    np.testing.assert_array_equal(ours["n"], np.ones(3))
    for one, other in zip(
        ours["positions_2d"]["S1"]["Walking 1"], expected["S1"]["Walking 1"], strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_an_object_array_with_an_axis_comes_back_as_a_list(tmp_path):
    boxes = np.empty(2, dtype=object)
    boxes[:] = [np.ones((1, 5)), np.zeros((0, 5))]
    np.savez(tmp_path / "a.npz", boxes=boxes)

    back = read_object_arrays(tmp_path / "a.npz", ["boxes"])["boxes"]

    assert [each.shape for each in back] == [(1, 5), (0, 5)]


# Hostile


HOSTILE = {
    "os.system": Attack(os.system, "touch pwned"),
    "builtins.eval": Attack(eval, "1"),
    "builtins.getattr": Attack(getattr, "", "join"),
    "builtins.print": {"a": [Attack(print, "pwned")]},
    "subprocess.Popen": Attack(subprocess.Popen, "ls"),
    "pickle.loads": Attack(pickle.loads, b"."),
    "_io.open": Attack(io.open, "/etc/passwd"),
    "fromfile": Attack(np.fromfile, "/etc/passwd"),
    "numpy.load": Attack(np.load, "/etc/passwd"),
    "collections.OrderedDict": __import__("collections").OrderedDict(a=1),
    "pathlib": __import__("pathlib").Path("x"),
    "numpy.ma": np.ma.masked_array([1, 2], mask=[0, 1]),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_what_a_pickle_asks_for_is_refused_by_name(name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(HOSTILE[name], protocol)

    with pytest.raises(FormatError, match=r"^here: .* asks for \S+, and only numbers") as told:
        unpickle_plain(data, "here")

    wanted = {"os.system": "posix.system", "_io.open": "open"}.get(name, name)
    assert wanted.rpartition(".")[2] in str(told.value) or wanted in str(told.value)
    assert "run code" in str(told.value)
    assert not list(tmp_path.iterdir())


def test_a_hostile_npz_is_refused_by_file_array_and_name(tmp_path):
    np.savez(tmp_path / "evil.npz", positions_2d=np.array(Attack(os.system, "true"), dtype=object))

    with pytest.raises(FormatError, match=r"evil\.npz: positions_2d: .* asks for posix\.system"):
        read_object_arrays(tmp_path / "evil.npz", ["positions_2d"])


def test_an_array_that_nobody_asks_for_is_not_looked_into(tmp_path):
    np.savez(tmp_path / "a.npz", evil=np.array(Attack(os.system, "true"), dtype=object), n=[1])

    assert list(read_object_arrays(tmp_path / "a.npz", ["n"])) == ["n"]


def reconstruct(state):
    """A pickle that rebuilds an array from a made-up state."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"
        + state
        + b"b."
    )


def dtype(code):
    return b"cnumpy\ndtype\n(X" + struct.pack("<I", len(code)) + code + b"K\x00K\x01tR"


def state(shape, kind):
    """Version, shape, type, order and eight bytes of content."""
    return b"(K\x01(" + shape + b"t" + kind + b"\x89C\x08" + bytes(8) + b"t"


F8, ONE = dtype(b"f8"), b"K\x01"
DECEITS = {
    "more elements than bytes": reconstruct(state(b"J\xff\xff\xff\x7f", F8)),
    "negative length": reconstruct(state(b"J\xff\xff\xff\xff", F8)),
    "overflowing shape": reconstruct(state(b"\x8a\x09" + bytes(8) + b"\x01K\x01", F8)),
    "an object type over bytes": reconstruct(state(ONE, dtype(b"O"))),
    "a record type": reconstruct(state(ONE, dtype(b"V8"))),
    "no type": reconstruct(state(ONE, b"N")),
    "no state": reconstruct(b"N"),
    "a state that is no tuple": reconstruct(b"}"),
    "an array built twice": reconstruct(state(ONE, F8) + b"b" + state(ONE, F8)),
    "an array never built": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R.",
    "a function as the value": b"\x80\x02cnumpy\ndtype\n.",
    "a function's attribute": b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb.",
    "a function's slot": b"\x80\x02cnumpy\ndtype\nN}X\x09\x00\x00\x00_functionK\x01s\x86b.",
    "an object outside": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "an extension": b"\x80\x02\x82\x01.",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "lists in lists": b"\x80\x02" + b"]" * 500 + b"a" * 499 + b".",
    "an array as a key": b"\x80\x02}" + pickle.dumps(np.ones(1), 2)[2:-1] + b"K\x01s.",
    "a set": pickle.dumps({1, 2}, 4),
    "a long string that is not there": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"a.",
    "nothing": b"",
    "not a pickle": b"hello",
    "an unknown encoding": b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7tR.",
}  # fmt: skip


@pytest.mark.parametrize("what", DECEITS)
def test_a_deceitful_pickle_is_refused_and_takes_nothing(what):
    with pytest.raises(FormatError, match=r"^here: .*(damaged or made up|asks for)"):
        unpickle_plain(DECEITS[what], "here")


def test_the_admitted_functions_are_the_same_after_an_attack():
    for data in DECEITS.values():
        with pytest.raises(FormatError):
            unpickle_plain(data, "here")

    assert unpickle_plain(pickle.dumps([np.arange(3)]), "x")[0].tolist() == [0, 1, 2]


def laughs(levels, of):
    """Lists of ten times the same list, on so many levels: as a tree ten to the power of them."""
    shared = of
    for _ in range(levels):
        shared = [shared] * 10
    return shared


def test_what_is_shared_stays_shared():
    back = unpickle_plain(pickle.dumps(laughs(3, [1.0])), "x")

    assert back[0] is back[9]
    assert back[0][0] is back[9][9]


@pytest.mark.parametrize("of", [[1.0], {"a": 1.0}, (1, 2), np.ones(2)], ids=repr)
def test_more_shared_objects_than_anybody_could_go_through_are_refused(of):
    with pytest.raises(FormatError, match=r"x: .*more than 1,000,000 objects, shared ones ea"):
        unpickle_plain(pickle.dumps({"fps": laughs(40, of)}), "x")


def test_one_text_does_not_become_many_arrays():
    # Eight bytes, written once, and 50,000 arrays that each copy them.
    make = reconstruct(b"(K\x01" + ONE + b"\x85" + F8 + b"\x89h\x01t")[2:-1]
    data = b"\x80\x02C\x08" + bytes(8) + b"q\x010]" + (make + b"a") * 2_000 + b"."

    with pytest.raises(FormatError, match=r"more arrays than it has bytes for"):
        unpickle_plain(data, "x")


@pytest.mark.parametrize(
    "shape", [b"X\x01\x00\x00\x00a", b"K\x01\x85J\xff\xff\xff\x7f", b"G" + bytes(8)]
)
def test_a_shape_of_anything_but_sizes_is_refused(shape):
    with pytest.raises(FormatError, match=r"here: .*whose shape is none"):
        unpickle_plain(reconstruct(state(shape, F8)), "here")


KEYS = {
    "pairs of pairs, shared": b")" + b"2\x86" * 64,
    "a tuple of a thousand": b"(" + b"N" * 1000 + b"t",
    "a tuple in a tuple": b")\x85",
    "a list": b"]",
    "a number of 4,000 bits": b"\x8b\xf4\x01\x00\x00" + b"\x7f" * 500,
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("put", [b"}%sK\x01s", b"}(%sK\x01u", b"(%sK\x01d"])
def test_a_key_whose_hash_takes_time_is_refused_before_it_is_taken(key, put):
    with pytest.raises(FormatError, match=r"x: .*a key that is neither a name, a number nor a t"):
        unpickle_plain(b"\x80\x02" + put % KEYS[key] + b".", "x")


@pytest.mark.parametrize("makes", [b"\x8f(K\x01\x90", b"(K\x01\x91"])
def test_a_set_is_refused_before_it_is_made(makes):
    with pytest.raises(FormatError, match=r"x: .*a set\)"):
        unpickle_plain(b"\x80\x04" + makes + b".", "x")


GOOD = pickle.dumps({"positions": [np.arange(6.0).reshape(3, 2)], "n": (1, "two")}, 4)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damage_is_refused_or_read_and_nothing_else_happens(data):
    broken = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(GOOD) - 1))] = data.draw(st.integers(0, 255))
    cut = broken[: data.draw(st.integers(0, len(GOOD)))]
    for each in (bytes(broken), bytes(cut)):
        with contextlib.suppress(FormatError):
            unpickle_plain(each, "here")


def test_too_large_an_array_is_refused_before_it_is_read(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", positions_2d=np.zeros(1_000_000))

    with pytest.raises(FormatError, match=r"bomb\.npz: positions_2d: takes .* split the file"):
        read_object_arrays(tmp_path / "bomb.npz", ["positions_2d"], max_bytes=1000)


@pytest.mark.parametrize("keep", [0, 4, 50, 200])
def test_a_cut_npz_is_refused_by_name(tmp_path, keep):
    np.savez(tmp_path / "whole.npz", positions_2d=PLAIN)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:keep])

    with pytest.raises(FormatError, match=r"cut\.npz: .* cut short or damaged"):
        read_object_arrays(tmp_path / "cut.npz", ["positions_2d"])


def test_an_npz_whose_header_promises_more_than_it_holds_is_refused(tmp_path):
    import zipfile

    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000,), }"
    header += b" " * (64 - (10 + len(header) + 1) % 64) + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("n.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)

    with pytest.raises(FormatError, match=r"a\.npz: .* damaged"):
        read_object_arrays(tmp_path / "a.npz", ["n"])


def test_numpy_is_as_trusting_as_we_say(tmp_path):
    # Why the module exists: the same file runs its code under allow_pickle.
    np.savez(tmp_path / "a.npz", p=np.array(Attack(print, "pwned"), dtype=object))
    script = f"import numpy as np\nnp.load({str(tmp_path / 'a.npz')!r}, allow_pickle=True)['p']"

    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert run.stdout == "pwned\n"


@pytest.mark.parametrize("step", [b"\x85", b"N0\x85", b"\x94\x85", b"\x852N\x86"], ids=repr)
def test_a_key_of_tuples_within_tuples_is_refused_before_its_hash_overflows(step):
    made_up = b"\x80\x04})" + step * 20_000 + b"K\x01s."

    with pytest.raises(FormatError, match=r"x: .*a key that is neither a name"):
        unpickle_plain(made_up, "x")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pair_may_be_a_key(protocol):
    cameras = {("S1", "54138969"): {"R": np.eye(3)}}

    back = unpickle_plain(pickle.dumps(cameras, protocol), "x")

    np.testing.assert_array_equal(back["S1", "54138969"]["R"], np.eye(3))


def test_arrays_can_be_put_on_disk_one_by_one(tmp_path):
    held = {"S1": [np.arange(6, dtype="f4").reshape(2, 3), np.zeros((0, 3))], "n": 17}
    np.savez_compressed(tmp_path / "a.npz", held=np.array(held, dtype=object))

    with (tmp_path / "spill").open("w+b") as spill:
        back = read_object_arrays(tmp_path / "a.npz", ["held"], spill=spill)["held"]
        spill.seek(0, 2)

        assert back["n"] == 17
        assert spill.tell() == 24
        for stored, array in zip(back["S1"], held["S1"], strict=True):
            assert stored.dtype == array.dtype
            np.testing.assert_array_equal(stored.read(), array)
