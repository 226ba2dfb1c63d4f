"""JSON of others: sound text is read as Python reads it, and all else is one kind of error."""

import json
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlift.plain_json import MAX_DEPTH, check_plain, json_as, parse_json

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner), max_leaves=20
)


@given(values)
def test_sound_text_is_read_as_python_reads_it(value):
    text = json.dumps(value)

    assert parse_json(text) == parse_json(text.encode()) == json.loads(text)
    check_plain(value)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "nul", "[1,]", "NaN", "[-Infinity]", '{"a": [1e999]}', '"\\ud800"',
        '{"\\udfff": 1}', "[" * 10**6, '{"a":' * 10**5, "9" * 10**4, b"\xff\xfe\xff",
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    ],
)  # fmt: skip
def test_all_else_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


def test_the_deepest_that_is_read():
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH

    assert json.dumps(parse_json(text)) == text


@dataclass(frozen=True)
class Inner:
    number: int


@dataclass(frozen=True)
class Outer:
    name: str
    inner: tuple[Inner, ...] = ()


@given(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.integers(0, 9)))
def test_a_dataclass_comes_back_from_its_json(name, numbers):
    value = Outer(name, tuple(map(Inner, numbers)))

    assert json_as(Outer, json.dumps(asdict(value))) == value


@pytest.mark.parametrize("text", ["", "[1", "{}", '{"name": 1}', '{"name": "", "inner": [{}]}'])
def test_json_that_is_no_such_dataclass_is_refused_each_time(text):
    for _ in range(2):  # what checks it is made once
        with pytest.raises(ValueError, match="validation error"):
            json_as(Outer, text)
