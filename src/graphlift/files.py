"""Files that are either whole or absent: written beside their path, then renamed to it."""

import contextlib
import errno
import importlib.util
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from graphlift.errors import FormatError, GraphliftError
from graphlift.words import reason

LOCK = ".lock"
"""Name of the file whose lock shows that a process uses a folder."""
_MARK = ".graphlift-"
"""Part of the names of temporary files and folders, by which graphlift recognises its own."""
_BEFORE = "-before"
"""Ending of the name of a folder that is being replaced. A later process never removes it, because
it may be the only complete copy."""
_MAX_LETTERS = 80
"""Letters kept of a name, so that the longer name stays within the limit of the file system."""
_OURS = re.compile(r"\..+\.graphlift-[a-z0-9_]{8}(\.[^.]*)?")
_LOCKS = importlib.util.find_spec("fcntl") is not None
_YOUNG = 60 if _LOCKS else 86_400
"""s; a younger temporary file may belong to a process that has not yet locked it, or cannot."""
_swept: set[Path] = set()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name ``path`` in an error of the system that names no file, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        way_out = ": free some space and run the same command again" if full else ""
        raise OSError(error.errno, f"{error.strerror}{way_out}", str(path)) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; rename it once the block ends without an error.

    If the block raises (a full disk, an interrupt), the half-written file is removed and whatever
    was at ``path`` before is untouched. The new file gets the permissions any new file would.
    Temporary files of killed processes in the same folder are removed, too.

    Raises:
        OSError: If the folder cannot be written to, or the disk is full; the message names the
            folder or ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    with _instead(path.parent):
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem[:_MAX_LETTERS]}{_MARK}", suffix=path.suffix, dir=path.parent
        )
    beside = Path(name)
    try:
        with _held(handle):
            with naming(path):
                yield beside
                with beside.open("rb") as written:
                    os.fsync(written.fileno())
            beside.chmod(0o666 & ~_umask())
            with _instead(path):
                beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside ``folder``; rename it once the block ends without an error.

    If the block raises, what was written is removed and whatever was at ``folder`` is untouched.
    A folder that existed is removed only once the new one is complete; the caller decides whether
    it may be. Temporary folders of killed processes beside it are removed, too.

    Raises:
        OSError: If the folder cannot be written to, or the disk is full; the message names it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent)
    beside = Path(
        tempfile.mkdtemp(prefix=f".{folder.name[:_MAX_LETTERS]}{_MARK}", dir=folder.parent)
    )
    before = beside.with_name(f"{beside.name}{_BEFORE}")
    try:
        with _held(os.open(beside, os.O_RDONLY) if _LOCKS else None):
            with naming(folder):
                yield beside
                for path in beside.iterdir():
                    with path.open("rb") as written:
                        os.fsync(written.fileno())
            beside.chmod(0o777 & ~_umask())
            if folder.exists():
                folder.rename(before)
            try:
                beside.rename(folder)
            except OSError:
                if before.exists():
                    before.rename(folder)
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove the temporary files of killed processes from a folder; once in each process.

    A file or folder is removed if its name is that of a temporary one, it was not changed for a
    while, and no process holds its lock.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [Path(entry) for entry in entries if _OURS.fullmatch(entry.name)]
        for path in left:
            with contextlib.suppress(OSError):
                _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    if time.time() - path.lstat().st_mtime < _YOUNG or path.is_symlink():
        return
    handle = os.open(path, os.O_RDONLY) if _LOCKS else None
    with _held(handle) as mine:
        if mine and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif mine:
            path.unlink(missing_ok=True)


@contextmanager
def _held(handle: int | None) -> Iterator[bool]:
    """Lock an open file until the block or the process ends; yield whether no other had locked it.

    Where there are no locks, the file is closed at once: an open one could not be renamed.
    """
    if handle is None or not _LOCKS:
        if handle is not None:
            os.close(handle)
        yield True
        return
    import fcntl

    try:
        mine = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mine = False
        except OSError:  # a file system without locks: only the age of the file counts
            mine = time.time() - os.fstat(handle).st_mtime > 86_400
        yield mine
    finally:
        os.close(handle)


@contextmanager
def _instead(path: Path) -> Iterator[None]:
    """Name ``path`` in an error of the system, in place of the file beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def locked(path: Path, refusal: str) -> Iterator[None]:
    """Hold a lock on a file until the block or the process ends, where the system has locks.

    Raises:
        BlockingIOError: With ``refusal``, if another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # not POSIX
        yield
        return
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(refusal) from None
        except OSError as error:  # a file system without locks
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
                raise
        yield


def alone(folder: Path, what: str) -> AbstractContextManager[None]:
    """Lock a folder against other processes that train, until the block or this process ends.

    Raises:
        BlockingIOError: When entered, if another process has locked the folder.
    """
    return locked(
        folder / LOCK,
        f"another {what} runs in {folder}: wait until it ends, or give this one another folder",
    )


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, whole or not at all, and make sure that it is on the disk.

    Raises:
        OSError: If the disk is full; the file is then as long as it was.
    """
    rest = memoryview(f"{line}\n".encode())
    with naming(path), path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(before)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def container(where: Path | str, kind: str) -> Iterator[None]:
    """Turn any error that another library raises while it reads a file into a FormatError.

    Damaged or forged bytes can make zipfile, NumPy, h5py and similar libraries raise any
    exception. So only calls of such libraries belong in the block, and no logic of graphlift.

    Args:
        where: The file, and perhaps the part of it that is read.
        kind: What it should have been, such as ``an .npz``.

    Raises:
        FormatError: In place of any error but our own, a missing package and the system's own
            errors that name a file.
    """
    try:
        yield
    except (GraphliftError, ModuleNotFoundError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        raise FormatError(
            f"{where}: cannot be read as {kind}: it is empty, cut short or damaged "
            f"({reason(error)}): copy or make it again"
        ) from error
