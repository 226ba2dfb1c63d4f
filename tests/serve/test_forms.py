"""Forms: read in pieces of any length, written once, and limited part by part."""

import asyncio
from pathlib import Path

import pytest
from helpers.served import ask, post_file

from graphlift.serve.forms import read_form
from graphlift.serve.refusals import Refusal

MARK = "--m"
TRICKY = b"\r\n--\r\n--M\r\n-\r\n--m" + bytes(range(256)) + b"\r"
"""Much that begins as the line between two parts does; it is one only at its very end."""
OWN_WRITES = Path("/proc/self/io")


def part(content, name, file=None, more=""):
    quoted = "" if file is None else f'; filename="{file}"'
    said = f'Content-Disposition: form-data; name="{name}"{quoted}\r\n{more}'
    return f"{MARK}\r\n{said}\r\n".encode() + content


def body(*parts, end=b"--m--\r\n"):
    return b"".join(each + b"\r\n" for each in parts) + end


def read(content, folder, length=1 << 16, media="multipart/form-data; boundary=m"):
    """The fields of a form that comes in pieces of a length; and the names of its files."""
    names = []

    def place(name):
        names.append(name)
        return folder / "file"

    async def pieces():
        for start in range(0, len(content), length):
            yield content[start : start + length]

    return asyncio.run(read_form(pieces(), media, place)).multi_items(), names


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 64, 1 << 16])
def test_a_form_is_read_in_pieces_of_any_length(tmp_path, length):
    content = body(
        part("Größe".encode(), "skeleton"),
        part(TRICKY, "file", "walk.npz", "Content-Type: application/x-npz\r\n"),
        part(b"", "clip"),
        part(b"30", "fps"),
    )

    fields, names = read(content, tmp_path, length)

    assert fields == [("skeleton", "Größe"), ("clip", ""), ("fps", "30")]
    assert names == ["walk.npz"]
    assert (tmp_path / "file").read_bytes() == TRICKY


FILE = part(b"x", "file", "a.npz")
NO_FORMS = {
    "cut": (body(FILE, end=b""), "is cut short"),
    "cut in a field": (body(FILE, part(b"2", "fps"), end=b"")[:-3], "is cut short"),
    "no form": (b"hello", "Expected boundary"),
    "no file": (body(part(b"2", "fps")), "has no file in the part 'file'"),
    "a field for a file": (body(part(b"x", "file")), "has no file in the part 'file'"),
    "two files": (body(FILE, FILE), "has several files"),
    "no name": (body(f"{MARK}\r\nContent-Type: text/plain\r\n\r\nx".encode()), "without a name"),
    "many fields": (body(*[part(b"", f"f{n}") for n in range(41)], FILE), "more than 40 fields"),
    "long field": (body(part(b"9" * 1_025, "fps"), FILE), "a field above 1,024"),
    "long head": (body(part(b"x", "file", "a" * 4_100), FILE), "a part whose head"),
    "many lines": (body(part(b"x", "file", "a.npz", "X: y\r\n" * 3_000)), "ead"),
}


@pytest.mark.parametrize(("content", "words"), NO_FORMS.values(), ids=NO_FORMS)
def test_what_is_no_form_or_too_large_is_refused_and_named(tmp_path, content, words):
    for length in (1, 1 << 16):
        with pytest.raises(Refusal) as refused:
            read(content, tmp_path, length)
        assert refused.value.status == 422
        assert words in refused.value.message
    with pytest.raises(Refusal, match="states no boundary"):
        read(content, tmp_path, media="multipart/form-data")


EXTENDED = {
    "walk.json": b"; filename*=UTF-8''walk.json",
    "größe.json": b"; FILENAME* = utf-8'de'gr%C3%B6%C3%9Fe.json",
    "g\ufffd.npz": b"; filename*=iso-8859-1''g%F6.npz",
    "quoted.csv": b"; filename*=\"UTF-8''quoted.csv\"",
    "plain.npz": b"; filename*=UTF-8''other.json; filename=\"plain.npz\"",
    "bare.json": b"; filename*=bare.json",
}


@pytest.mark.parametrize(("name", "said"), EXTENDED.items(), ids=EXTENDED)
def test_a_file_may_have_its_name_in_the_extended_notation(tmp_path, name, said):
    head = b'--m\r\nContent-Disposition: form-data; name="file"' + said + b"\r\n\r\n"

    assert read(body(head + b"content"), tmp_path) == ([], [name])
    assert (tmp_path / "file").read_bytes() == b"content"


def test_what_looks_like_a_name_in_the_name_of_a_field_is_none(tmp_path):
    field = part(b"30", "; filename*=UTF-8''a.json")

    fields, names = read(body(field, FILE), tmp_path)

    assert (fields, names) == ([("; filename*=UTF-8''a.json", "30")], ["a.npz"])


def test_an_ending_that_is_not_read_is_refused_before_the_file_has_come(address):
    media, length = "multipart/form-data; boundary=m", "400000"
    head = part(b"", "file", "film.exe")
    said = ask(address, "POST", "/jobs", head, 20, Content_Type=media, Content_Length=length)

    assert (said.status, "film.exe: its ending is none" in said.error) == (415, True)


def test_a_file_in_a_form_is_written_once(address):
    if not OWN_WRITES.exists():
        pytest.skip("this system does not say how much a process writes")
    content = bytes(6_000_000)  # no .npz: the job will fail, and nothing else is written

    before = written()
    said = post_file(address, "/jobs", "walk.npz", content)
    more = written() - before

    assert said.status == 202
    assert len(content) <= more < 1.5 * len(content)


def written():
    """Bytes that this process has written to files; sockets do not count."""
    lines = OWN_WRITES.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))
