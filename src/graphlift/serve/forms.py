"""Forms (multipart/form-data), read as they come: the file goes to its place in one write.

Starlette's own reader writes a file to a place of its own, from which it has to be copied.
"""

import asyncio
import re
from collections.abc import AsyncIterable, Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import ImmutableMultiDict

from graphlift.serve.refusals import Refusal
from graphlift.words import plain

FILE = "file"
"""Name of the part of a form that is the file."""
_SMALL = 1 << 16
"""Bytes that are written on the spot; more would hold up other requests where a disk is slow."""
_MOST_FIELDS, _LONGEST_FIELD, _LONGEST_HEAD = 40, 1_024, 4_096
_EXTENDED = re.compile(rb"filename\*[ \t]*=", re.IGNORECASE)


async def write(file: IO[bytes], piece: bytes | bytearray) -> None:
    """Write a piece of a body, in another thread unless it is small."""
    if len(piece) > _SMALL:
        await asyncio.to_thread(file.write, piece)
    elif piece:
        file.write(piece)


async def read_form(
    pieces: AsyncIterable[bytes], media: str, place: Callable[[str], Path]
) -> ImmutableMultiDict[str, str]:
    """Read a form, and write its file.

    Args:
        pieces: Of the body.
        media: The header Content-Type, which says what stands between the parts.
        place: Told the name that the client gives the file; says where to write it.

    Returns:
        The fields, in their order.

    Raises:
        Refusal: If it is no whole form, has another file or none, or too many or too long fields;
            or by ``place``.
        OSError: If the file cannot be written.
    """
    boundary = parse_options_header(media)[1].get(b"boundary")
    if not boundary:
        raise _refusal("its Content-Type states no boundary")
    parts = _Parts(place)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        async for piece in pieces:
            parser.write(piece)
            await parts.write_out()
    except FormParserError as error:
        raise _refusal(plain(error, 200).rstrip(".")) from error
    finally:
        parts.close()
    if not parts.whole:
        raise _refusal("is cut short")
    if parts.file is None:
        raise _refusal(f"has no file in the part {FILE!r}", "send one, with its name")
    return ImmutableMultiDict(parts.fields)


def _refusal(why: str, way_out: str = "send it again") -> Refusal:
    return Refusal(422, f"form: {why}: {way_out}")


def _file_name(disposition: bytes) -> str | None:
    """Read the name that a part gives its file; None for a field.

    RFC 7578, section 4.2, forbids ``filename*``, and older clients send it alone where a name has
    other letters than those of ASCII. The reader of headers passes over it, so it is shown to it
    as ``filename``, of which it knows where one begins and what merely looks so in quotes.
    """
    plainly = parse_options_header(disposition)[1].get(b"filename")
    if plainly is not None:
        return plainly.decode(errors="replace")
    extended = parse_options_header(_EXTENDED.sub(b"filename=", disposition))[1].get(b"filename")
    if extended is None:
        return None
    return unquote(extended.decode(errors="replace").rpartition("'")[2])  # UTF-8'en'NAME


class _Parts:
    """What a parser finds, one part after another."""

    def __init__(self, place: Callable[[str], Path]) -> None:
        self.fields: list[tuple[str, str]] = []
        self.file: IO[bytes] | None = None
        self.whole = False
        self._place = place
        self._came = bytearray()  # of the file, not written yet
        self._begin()

    def callbacks(self) -> Any:  # noqa: ANN401  # a type that is there for type checkers alone
        """List what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._add(self._key, data[start:end]),
            "on_header_value": lambda data, start, end: self._add(self._said, data[start:end]),
            "on_header_end": self._end_line,
            "on_headers_finished": self._end_head,
            "on_part_data": lambda data, start, end: self._add(self._content, data[start:end]),
            "on_part_end": self._end,
            "on_end": self._end_form,
        }

    async def write_out(self) -> None:
        """Write what has come of the file."""
        if self.file is not None and self._came:
            await write(self.file, bytes(self._came))
            self._came.clear()

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()

    def _begin(self) -> None:
        self._key, self._said, self._content = bytearray(), bytearray(), bytearray()
        self._disposition, self._name, self._room = b"", "", _LONGEST_HEAD

    def _add(self, to: bytearray, data: bytes) -> None:
        """Add to a line of a part's head, or to its content."""
        if to is not self._came:
            self._room -= len(data)
            if self._room < 0:
                raise _refusal(
                    f"has a part whose head is above {_LONGEST_HEAD:,} bytes, or a field above "
                    f"{_LONGEST_FIELD:,}"
                )
        to += data

    def _end_line(self) -> None:
        if self._key.lower() == b"content-disposition":
            self._disposition = bytes(self._said)
        self._key, self._said = bytearray(), bytearray()

    def _end_head(self) -> None:
        said = parse_options_header(self._disposition)[1]
        if b"name" not in said:
            raise _refusal("has a part without a name")
        self._name = said[b"name"].decode(errors="replace")
        name = _file_name(self._disposition)
        if name is None:
            self._room = _LONGEST_FIELD
            if len(self.fields) == _MOST_FIELDS:
                raise _refusal(f"has more than {_MOST_FIELDS} fields")
            return
        if self.file is not None:
            raise _refusal("has several files", f"send one, in the part {FILE!r}")
        if self._name != FILE:
            other = f"but one in {plain(self._name)!r}"
            raise _refusal(f"has no file in the part {FILE!r}, {other}", f"send it in {FILE!r}")
        self.file, self._content = self._place(name).open("wb"), self._came

    def _end(self) -> None:
        if self._content is not self._came:
            self.fields.append((self._name, self._content.decode(errors="replace")))

    def _end_form(self) -> None:
        self.whole = True
