"""Changes that keep a file's container whole and make what is in it hostile.

A changed byte in an archive seldom gets past its checksum, and a changed byte in JSON seldom past
the parser. So archives, NumPy's headers, pickles and JSON are taken apart, changed inside, and
put together again.
"""

import ast
import io
import json
import pickletools
import struct
import warnings
import zipfile
from contextlib import suppress

from fuzzing.changes import BYTES, EXTREMES, TEXT, WORDS, change

_OF_TEXT = (
    *(".csv", ".bvh", ".asf", ".amc", ".toml", ".xml", ".calibration", ".jsonl"),
    *(".trc", ".txt", ".yaml", ".yml"),
)
"""Endings of files that hold text, JSON apart."""

_BIG = "\ue000"  # stands for a number that json does not write, until the text is written


def junk(rng):
    """A value of JSON that nobody expects."""
    return rng.choice(
        (
            *(None, True, False, 0, -1, 1, 3, 0.5, 1e300, -1e300, 10**30, 10**400, 2**63, 2**31),
            *(float("nan"), float("inf"), "", "x", "7", "nan", "a" * 5000, "\ud800", "ä\udc00x"),
            *([], [1], [[]], [None], [[1], [2, 3]], {}, {"x": 1}, {"": []}, [{}], "\x1b[31m\n"),
            *(_nested(rng.choice((3, 50, 900)), rng), list(range(1000)), {"a": {"b": {"c": {}}}}),
            *([1e308] * 51, ["x"] * 51, [[0, 0, 0]] * 17, [float("nan")] * 51),
        )
    )


def _nested(depth, rng):
    value = rng.choice((1, "x", None))
    for _ in range(depth):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def _places(value, at=(), found=None, depth=0):
    """Places in a document, of a long list the first and the last few."""
    found = [] if found is None else found
    found.append(at)
    if depth < 30:
        inner = value.items() if isinstance(value, dict) else ()
        if isinstance(value, list):
            chosen = [*range(min(4, len(value))), *range(max(4, len(value) - 2), len(value))]
            inner = ((k, value[k]) for k in chosen)
        for key, each in inner:
            _places(each, (*at, key), found, depth + 1)
    return found


def change_json(data, rng, others):
    """Replace, remove, repeat or move values and keys of a document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return change(data, rng, others, TEXT)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = _places(document)
        at = rng.choice(places)
        if not at:
            document = junk(rng) if rng.random() < 0.3 else rng.choice(([document], document))
            continue
        inner = document
        for key in at[:-1]:
            inner = inner[key]
        _change_value(inner, at[-1], rng)
    try:
        return json.dumps(document).encode()
    except (RecursionError, ValueError):
        return data


def _change_value(inner, key, rng):
    kind = rng.randrange(8)
    if kind <= 3:
        inner[key] = junk(rng)
    elif kind == 4:
        del inner[key]
    elif isinstance(inner, list):
        if kind == 5:
            inner[key:key] = [inner[key]] * rng.choice((1, 2, 300))
        elif kind == 6:
            inner[key] = [inner[key]]
        else:
            inner.append(junk(rng))
    elif kind == 5:
        inner[rng.choice(WORDS)] = inner.pop(key)
    elif kind == 6:
        inner[key] = {"a": inner[key]} if rng.random() < 0.5 else [inner[key]]
    else:
        other = rng.choice(list(inner))
        inner[key], inner[other] = inner[other], inner[key]


# NumPy


_DESCR = ("<f8", "<f4", "|O", "|u1", "|V8", "<U4", "|S4", "<c16", "<M8[ns]", ">i2", "?", "|b1", "")
_DESCR += ("<U99999", "|V0", "<f16", "zz", "|S0", "<U0")


def change_npy(data, rng, others):
    """Change a NumPy array's header, its numbers, or the pickle after the header."""
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        return change(data, rng, others, BYTES)
    size = struct.unpack_from("<H", data, 8)[0]
    head, body = data[10 : 10 + size], data[10 + size :]
    if b"|O" in head and rng.random() < 0.85:
        return data[: 10 + size] + change_pickle(body, rng, others)
    if rng.random() < 0.5:
        return data[: 10 + size] + change(body or b"\0", rng, others, BYTES)
    try:
        fields = ast.literal_eval(head.decode("latin1").strip())
        head = _change_head(dict(fields), rng)
    except (ValueError, SyntaxError, TypeError):
        head = change(head, rng, others, TEXT)
    version = rng.choice((b"\1\0", b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\0\0"))
    layout = "<I" if version in (b"\2\0", b"\3\0") else "<H"
    head = head[:60_000]
    return b"\x93NUMPY" + version + struct.pack(layout, len(head)) + head + body


def _change_head(fields, rng):
    kind = rng.randrange(6)
    if kind == 0:
        fields["descr"] = rng.choice((*_DESCR, [("a", "<f8"), ("b", "|O")], 3, None, [], ()))
    elif kind in (1, 2):
        shape = list(fields["shape"]) if isinstance(fields["shape"], tuple) else []
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.randrange(len(shape) + 1)
            new = rng.choice((0, 1, 2, 3, -1, 10**20, 10**400, True, 1.5, *EXTREMES))
            shape[at : at + rng.randrange(2)] = [new] * rng.choice((1, 1, 1, 40))
        fields["shape"] = tuple(shape)
    elif kind == 3:
        fields["fortran_order"] = rng.choice((True, False, 1, None, "x"))
    elif kind == 4:
        fields[rng.choice(("extra", "shape", "descr"))] = rng.choice((1, "x", (), [[]], {}))
    else:
        return change(repr(fields).encode(), rng, (), TEXT)
    return (repr(fields).ljust(rng.choice((0, 117))) + "\n").encode("latin1", "replace")


# Pickles


_SNIPPETS = (
    *(b"2", b"\x86", b"\x87", b"2\x86", b"2\x86" * 40, b"}", b"]", b")", b"N", b"\x88", b"0"),
    *(b"\x94", b"h\0", b"q\0", b"(", b"t", b"l", b"d", b"s", b"a", b"e", b"u", b"b", b"R"),
    *(b"J\xff\xff\xff\x7f", b"\x8a\x09" + bytes(8) + b"\x01", b"G" + bytes(8), b"U\x03abc"),
    *(b"X\x03\0\0\0\xed\xa0\x80", b"}2\x86s", b"]2a", b"2e", b"]" + b"2\x86" * 40 + b"K\x01s"),
    *(b"cos\nsystem\n", b"cnumpy\ndtype\n", b"r\xff\xff\xff\x7f", b"\x95\xff\xff\xff\xff\0\0\0\0"),
    *(b"(ll" * 60, b"2(2222222222tt" * 12, b"I1\n", b"I01\n", b"L1L\n", b"F1e400\n"),
    b"I" + b"9" * 300 + b"\n",
)  # fmt: skip


def change_pickle(data, rng, others):
    """Take a pickle apart into its steps; repeat, remove, swap or insert some."""
    try:
        starts = [at for _, _, at in pickletools.genops(data)]
    except Exception:  # damaged by an earlier change
        return change(data, rng, others, BYTES)
    steps = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(steps))
        kind = rng.randrange(6)
        if kind <= 1:
            steps[at:at] = [rng.choice(_SNIPPETS)] * rng.choice((1, 1, 1, 3, 50))
        elif kind == 2:
            steps[at:at] = [rng.choice(steps)] * rng.choice((1, 2, 30))
        elif kind == 3 and len(steps) > 1:
            del steps[at]
        elif kind == 4:
            other = rng.randrange(len(steps))
            steps[at], steps[other] = steps[other], steps[at]
        else:
            steps[at] = change(steps[at], rng, others, BYTES)
    return b"".join(steps)[: 1 << 20]


# Archives


def change_zip(data, rng, others):
    """Change members of an archive: their content, names, order, number and compression."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [[info.filename, archive.read(info)] for info in archive.infolist()]
            stored = archive.infolist()[0].compress_type
    except Exception:  # damaged by an earlier change
        return change(data, rng, others, BYTES)
    for _ in range(rng.choice((1, 1, 2))):
        if members:
            _change_member(members, rng, others)
    kinds = (0, 8, 8, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    packing = stored if rng.random() < 0.8 else rng.choice(kinds)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", packing) as archive:
        for name, content in members:
            with suppress(ValueError, UnicodeError, struct.error), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that two members have one name
                archive.writestr(zipfile.ZipInfo(name or "x"), content, packing)
    whole = target.getvalue()
    return change(whole, rng, others, BYTES) if rng.random() < 0.1 else whole


def _change_member(members, rng, others):
    at, kind = rng.randrange(len(members)), rng.randrange(12)
    other = rng.randrange(len(members))
    if kind <= 5:
        members[at][1] = change_inside(members[at][0], members[at][1], rng, others)
    elif kind == 6:
        members[at][1], members[other][1] = members[other][1], members[at][1]
    elif kind == 7:
        del members[at]
    elif kind == 8:
        members.append([members[at][0], members[other][1]])
    elif kind == 9:
        members[at][0] = rng.choice((*WORDS[:20], "a.npy", "../a.npy", "/a", "a" * 3000))[:60_000]
    elif kind == 10:
        members.append([rng.choice(("x.npy", "x", members[at][0])), bytes(rng.choice((0, 10**7)))])
    else:
        members[at][1] = rng.choice(others) if others else b""


def change_inside(name, data, rng, others):
    """Change a file as fits what it is."""
    if data[:6] == b"\x93NUMPY":
        return change_npy(data, rng, others)
    if data[:2] == b"PK":
        return change_zip(data, rng, others)
    if name.endswith((".pkl", ".pickle")):
        return change_pickle(data, rng, others)
    if name.endswith(".json"):
        return change_json(data, rng, others)
    return change(data or b"\0", rng, others, TEXT if name.endswith(_OF_TEXT) else BYTES)


def mutate(name, data, rng, others):
    """Change a file: mostly as fits what it is, else byte by byte."""
    kind = rng.random()
    if kind < 0.72:
        return change_inside(name, data, rng, others)
    return change(data, rng, others, BYTES if kind < 0.9 else TEXT)
