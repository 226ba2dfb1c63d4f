"""MATLAB files: SciPy writes and reads the same; what is no number is refused; no file crashes."""

import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from graphlift.errors import FormatError
from graphlift.formats.mat5 import read_mat5

LIMIT = 1 << 24
TYPES = [np.float64, np.float32, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32]


def cells(*arrays):
    column = np.empty((len(arrays), 1), dtype=object)
    for place, array in enumerate(arrays):
        column[place, 0] = array
    return column


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", [*TYPES, np.int64, np.uint64])
def test_what_scipy_writes_comes_back(tmp_path, kind, compress):
    path, rng = tmp_path / "a.mat", np.random.default_rng(0)
    arrays = [rng.integers(0, 100, shape).astype(kind) for shape in [(3, 4), (1, 1), (2, 3, 4)]]
    held = {"of": cells(*arrays), "plain": arrays[0], "other": "words", "e": np.zeros((0, 3))}
    savemat(path, held, do_compression=compress)

    read = read_mat5(path, ("of", "plain", "e", "nothing"), max_bytes=LIMIT)

    assert sorted(read) == ["e", "of", "plain"]
    assert read["e"].shape == (0, 3)
    theirs = loadmat(path)
    np.testing.assert_array_equal(read["plain"], theirs["plain"])
    assert read["plain"].dtype == kind
    for ours, other in zip(read["of"], theirs["of"][:, 0], strict=True):
        np.testing.assert_array_equal(ours, other)


def element(kind, content, order="<"):
    return struct.pack(f"{order}II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matrix(number, axes, content, name=b"", order="<"):
    flags = element(6, struct.pack(f"{order}II", number, 0), order)
    shape = element(5, struct.pack(f"{order}{len(axes)}i", *axes), order)
    return element(14, flags + shape + element(1, name, order) + content, order)


def header(order="<"):
    mark = {"<": b"IM", ">": b"MI"}[order]
    return b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}H", 0x0100) + mark


@pytest.mark.parametrize("order", "<>")
def test_a_file_made_by_hand_in_either_byte_order(tmp_path, order):
    numbers = element(9, struct.pack(f"{order}6d", 1, 2, 3, 4, 5, 6), order)
    (tmp_path / "a.mat").write_bytes(header(order) + matrix(6, (2, 3), numbers, b"x", order))

    read = read_mat5(tmp_path / "a.mat", ("x",), max_bytes=LIMIT)

    np.testing.assert_array_equal(read["x"], [[1, 3, 5], [2, 4, 6]])


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("words", "text"),
        ({"a": 1}, "struct"),
        (np.array([1 + 2j]), "complex"),
        (cells(cells(np.ones(2))), "cell in a cell"),
        (cells("words"), "text"),
    ],
)
def test_what_is_no_number_is_refused_by_kind(tmp_path, value, what):
    savemat(tmp_path / "a.mat", {"x": value})

    with pytest.raises(FormatError, match=rf"a\.mat: x.*{what}.*only numbers"):
        read_mat5(tmp_path / "a.mat", ("x",), max_bytes=LIMIT)


def test_cells_within_cells_without_end_are_refused(tmp_path):
    """SciPy's reader ends the interpreter on this file."""
    inner = matrix(6, (1, 1), element(9, struct.pack("<d", 1.0)))
    for _ in range(5_000):
        inner = matrix(1, (1, 1), inner)
    (tmp_path / "a.mat").write_bytes(header() + matrix(1, (1, 1), inner, b"x"))

    with pytest.raises(FormatError, match=r"a\.mat"):
        read_mat5(tmp_path / "a.mat", ("x",), max_bytes=LIMIT)


def test_a_variable_that_unpacks_to_too_much_is_refused_before_it_does(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.zeros((3000, 1000))}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 100_000

    with pytest.raises(FormatError, match=r"x: takes 0\.0 GB, more than.*raise max_bytes"):
        read_mat5(tmp_path / "a.mat", ("x",), max_bytes=1_000_000)
    assert read_mat5(tmp_path / "a.mat", ("y",), max_bytes=1_000_000) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no MATLAB file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 200, r"version 7\.3.*save it with -v7"),
        (b"MATLAB 7.3 MAT-file".ljust(200), r"version 7\.3"),
        (b"\0" * 500, "is no MATLAB file"),
        (header() + struct.pack("<II", 14, 1000) + b"\0" * 20, "cut short or damaged"),
        (header() + b"\x0f\0", "cut short or damaged"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path, content, message):
    (tmp_path / "a.mat").write_bytes(content)

    with pytest.raises(FormatError, match=rf"a\.mat.*{message}"):
        read_mat5(tmp_path / "a.mat", ("x",), max_bytes=LIMIT)


def written(compress):
    file = io.BytesIO()
    held = {"x": cells(np.arange(40.0).reshape(10, 4), np.ones((3, 2))), "y": np.arange(9)}
    savemat(file, held, do_compression=compress)
    return file.getvalue()


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    whole=st.sampled_from([written(False), written(True)]),
    place=st.floats(0, 1, exclude_max=True),
    put=st.binary(max_size=1),
)
def test_a_cut_or_changed_file_is_read_or_refused_and_nothing_else(tmp_path, whole, place, put):
    path, at = tmp_path / "a.mat", int(place * len(whole))
    path.write_bytes(whole[:at] + (put + whole[at + 1 :] if put else b""))

    try:
        read = read_mat5(path, ("x", "y"), max_bytes=LIMIT)
    except FormatError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert set(read) <= {"x", "y"}
