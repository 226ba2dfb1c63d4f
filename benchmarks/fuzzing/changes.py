"""Changes of any bytes, and of text: a file that was damaged, or made up by hand."""

import re
import struct

EXTREMES = (0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
EXTREMES += (2**40, 2**53, 2**63 - 1, 2**63, 2**64 - 1)

WORDS = (
    *("0", "-1", "1", "2", "-0", "1e308", "-1e308", "1e400", "1e-320", "nan", "inf", "-inf"),
    *("9" * 400, "9" * 5000, "99999999999", "1_0", "0x10", "1,5", "true", "null", "None", "''"),
    *("", " ", "x", "ä", "٣", "\u2028", "\x00", "\x1b[31m", "\ufeff", "A" * 3000, "[" * 3000),
    *('"', "[", "]", "{", "}", "{}", "[]", "#", "=", "\n", "\r", ";", ",", "\t", "%s", "../x"),
)
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_LONGEST = 1 << 21
"""Bytes of an input; larger ones only take time."""


def flip(data, rng, _):
    """Flip some bits."""
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)


def overwrite(data, rng, _):
    """Overwrite a byte or a run of bytes with one value."""
    at, size = rng.randrange(len(data)), rng.choice((1, 1, 1, 2, 4, 8, 64))
    data[at : at + size] = bytes([rng.choice((0, 255, 127, 128, rng.randrange(256)))]) * size


def cut(data, rng, _):
    """Cut the end off."""
    del data[rng.randrange(len(data)) :]


def drop(data, rng, _):
    """Take a run of bytes out."""
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 8, 64, 512))]


def repeat(data, rng, _):
    """Write a run of bytes twice, or many times."""
    at, size = rng.randrange(len(data)), rng.choice((1, 4, 32, 256, 2048))
    part = data[at : at + size]
    times = rng.choice((1, 1, 2, 16, 256, 4096))
    data[at:at] = part * min(times, (1 << 17) // max(1, len(part)) + 1)


def splice(data, rng, others):
    """Put a run of bytes of another file, or of another place, into this one."""
    other = rng.choice(others) if others and rng.random() < 0.7 else bytes(data)
    if other:
        start, size = rng.randrange(len(other)), rng.choice((4, 32, 256, 2048))
        at = rng.randrange(len(data))
        end = at + (size if rng.random() < 0.5 else 0)
        data[at:end] = other[start : start + size]


def number(data, rng, _):
    """Overwrite a whole number of 1 to 8 bytes with an extreme one."""
    code, size = rng.choice((("B", 1), ("H", 2), ("I", 4), ("I", 4), ("Q", 8)))
    at = rng.randrange(max(1, len(data) - size))
    value = rng.choice(EXTREMES) % (1 << (8 * size))
    data[at : at + size] = struct.pack(rng.choice("<>") + code, value)


def real(data, rng, _):
    """Overwrite a real number with an extreme one."""
    code, size = rng.choice((("f", 4), ("d", 8)))
    at = rng.randrange(max(1, len(data) - size))
    value = rng.choice((float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e30, 1e-40))
    data[at : at + size] = struct.pack("<" + code, value)


def digits(data, rng, _):
    """Replace a number that is written out."""
    found = list(_NUMBER.finditer(bytes(data[:200_000])))
    if found:
        match = rng.choice(found)
        data[match.start() : match.end()] = rng.choice(WORDS).encode("utf-8", "surrogatepass")


def word(data, rng, _):
    """Replace a word by another, or by one of the same file."""
    found = list(re.finditer(rb"[^\s,;\"'{}\[\]:=]+", bytes(data[:200_000])))
    if found:
        match = rng.choice(found)
        new = rng.choice(found)[0] if rng.random() < 0.4 else rng.choice(WORDS).encode()
        data[match.start() : match.end()] = new


def lines(data, rng, _):
    """Take a line out, write it twice or many times, or swap two."""
    rows = bytes(data).splitlines(keepends=True)
    if len(rows) > 1:
        one, other = rng.randrange(len(rows)), rng.randrange(len(rows))
        kind = rng.randrange(4)
        if kind == 0:
            del rows[one]
        elif kind == 1:
            rows[one], rows[other] = rows[other], rows[one]
        else:
            rows[one:one] = [rows[other]] * (1 if kind == 2 else rng.choice((10, 1000)))
        data[:] = b"".join(rows)[:_LONGEST]


BYTES = (flip, overwrite, cut, drop, repeat, splice, number, number, real)
TEXT = (digits, digits, word, word, lines, flip, cut, drop, repeat, splice)


def change(data, rng, others, kinds):
    """Change bytes once or a few times, each in one of some ways."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if not data:
            data = bytearray(b"\0")
        rng.choice(kinds)(data, rng, others)
    return bytes(data[:_LONGEST])
