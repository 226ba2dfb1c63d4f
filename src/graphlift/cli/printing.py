"""Standard output, named in its errors as any other file is."""

import io
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NAME = "standard output"


class _Named(io.FileIO):
    """What is printed goes through here; a full disk says that it was that."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write bytes.

        Raises:
            OSError: With the name and the way out. A reader that has gone, such as ``head``, is no
                mistake: that error is left to Click, which ends quietly.
        """
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            way_out = "free some space, or send it elsewhere, and run the same command again"
            raise OSError(error.errno, f"{error.strerror}: {way_out}", NAME) from error


def name_standard_output() -> None:
    """Have errors of standard output name it; a terminal, which is never full, stays as it is."""
    out = sys.stdout
    raw = _file_below(out)
    if raw is None or raw.isatty() or not isinstance(out, io.TextIOWrapper):
        return
    named = _Named(raw.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        named if out.write_through else io.BufferedWriter(named),
        encoding=out.encoding,
        errors=out.errors,
        line_buffering=out.line_buffering,
        write_through=out.write_through,
    )


def _file_below(out: TextIO) -> io.FileIO | None:
    """Find the file that text goes to; None in a test, or in Windows' console."""
    buffer = getattr(out, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw if isinstance(raw, io.FileIO) else None
