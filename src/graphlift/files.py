"""Files that are either whole or absent: written beside their path, then renamed to it."""

import contextlib
import errno
import glob
import importlib.util
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from graphlift.errors import ConfigError, FormatError, GraphliftError
from graphlift.words import reason

LOCK = ".lock"
"""Name of the file whose lock shows that a process uses a folder."""
_MARK = ".graphlift-"
"""Part of the names of temporary files and folders, by which graphlift recognises its own."""
_BEFORE = "-before"
"""Ending of the name of a folder that is being replaced. A later process never removes it, because
it may be the only complete copy."""
_MOST_BYTES = 80
"""Kept of a name, so that the longer name stays within the limit of the file system."""
_OURS = re.compile(r"\..+\.graphlift-[a-z0-9_]{8}(\.[^.]*)?")
_LOCKS = importlib.util.find_spec("fcntl") is not None
_OLD = 86_400
"""s; where there are no locks, a temporary file that was not changed for so long is nobody's."""
_swept: set[Path] = set()


def is_full(error: OSError) -> bool:
    """Whether a disk, or what one may use of it, was full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name ``path`` in an error of the system that names no file, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise _about(path, error) from error


@contextmanager
def in_place_of(path: Path) -> Iterator[None]:
    """Name ``path`` in an error of the system, in place of the file beside it."""
    try:
        yield
    except OSError as error:
        raise _about(path, error) from error


def _about(path: Path, error: OSError) -> OSError:
    """Make the error one about ``path``, with the way out of a full disk or a forbidden place."""
    way_out = ": free some space and run the same command again" if is_full(error) else ""
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        way_out = ": give another place"
    return OSError(error.errno, f"{error.strerror}{way_out}", str(path))


def _make(folder: Path) -> None:
    """Make a folder, and those that it lies in, if they are not there."""
    with in_place_of(folder):
        folder.mkdir(parents=True, exist_ok=True)


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
    _make(path.parent)
    sweep(path.parent)
    with in_place_of(path.parent):
        beside, handle = _made(path.parent, path.stem, path.suffix)
    try:
        with _closing(handle):
            with naming(path):
                yield beside
                with beside.open("rb") as written:
                    os.fsync(written.fileno())
            beside.chmod(0o666 & ~_umask())
            with in_place_of(path):
                beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside ``folder``; rename it once the block ends without an error.

    If the block raises, what was written is removed and whatever was at ``folder`` is untouched.
    A folder that existed is removed only once the new one is complete; the caller decides whether
    it may be. Where the system can swap two names (Linux, on most file systems), there is no
    moment without a folder; elsewhere a process killed in that moment leaves the old one beside,
    and the next call puts it back. Temporary folders of killed processes are removed, too.

    Raises:
        OSError: If the folder cannot be written to, or the disk is full; the message names it.
    """
    _put_back(folder)
    with scratch(folder.parent, folder.name) as beside:
        with naming(folder):
            yield beside
            for path in beside.iterdir():
                with path.open("rb") as written:
                    os.fsync(written.fileno())
        beside.chmod(0o777 & ~_umask())
        if folder.exists() and _swap(beside, folder):
            return  # the old one is removed as what is beside
        before = beside.with_name(f"{beside.name}{_BEFORE}")
        if folder.exists():
            folder.rename(before)
        try:
            beside.rename(folder)
        except OSError:
            if before.exists():
                before.rename(folder)
            raise
        shutil.rmtree(before, ignore_errors=True)


def _put_back(folder: Path) -> None:
    """Put back a folder that a killed process had moved aside and not yet replaced."""
    pattern = f".{glob.escape(shortened(folder.name))}{_MARK}????????{_BEFORE}"
    if not folder.exists():
        for before in sorted(folder.parent.glob(pattern))[:1]:
            before.rename(folder)


def shortened(name: str) -> str:
    """Cut a name that something is to be added to; a letter may take four bytes."""
    return os.fsencode(name)[:_MOST_BYTES].decode(errors="ignore")


@contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """Give an empty folder in ``parent`` and remove it, with what is in it, when the block ends.

    If this process is killed, the next one that uses ``parent`` removes it. Nobody else can read
    it.

    Args:
        parent: Made if it does not exist.
        name: Part of the folder's name.

    Raises:
        OSError: If ``parent`` cannot be written to; the message names it.
    """
    _make(parent)
    sweep(parent)
    with in_place_of(parent):
        folder, handle = _made(parent, name, None)
    try:
        with _closing(handle):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove the temporary files of killed processes from a folder; once in each process.

    A file or folder is removed if its name is that of a temporary one, it is this user's, and no
    process holds its lock. On file systems without locks it is removed a day after its last
    change. Where locks do not reach other machines (NFS or Lustre, if mounted so), no two machines
    may write to one folder.
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
    found = path.lstat()
    if path.is_symlink() or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
        return
    mine = None
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW) if _LOCKS else None
    with _closing(handle):
        if handle is not None:
            mine = _lock(handle)
        if mine is None:
            mine = time.time() - found.st_mtime > _OLD
        if mine and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif mine:
            path.unlink(missing_ok=True)


def _made(parent: Path, name: str, suffix: str | None) -> tuple[Path, int | None]:
    """Make a temporary file, or a folder if there is no suffix, and lock it.

    Another process may sweep it in the moment before it is locked: then one more is made.

    Returns:
        Its path, and what holds the lock until it is closed, where there are locks.
    """
    handle: int | None
    while True:
        start = f".{shortened(name)}{_MARK}"
        if suffix is None:
            made, handle = Path(tempfile.mkdtemp(prefix=start, dir=parent)), None
            with contextlib.suppress(FileNotFoundError):  # swept
                handle = os.open(made, os.O_RDONLY) if _LOCKS else None
        else:
            handle, file = tempfile.mkstemp(prefix=start, suffix=suffix, dir=parent)
            made = Path(file)
        if not _LOCKS:  # an open file could not be renamed there
            if handle is not None:
                os.close(handle)
            return made, None
        if handle is not None:
            if _lock(handle) is not False and _is_at(made, handle):
                return made, handle
            os.close(handle)


def _lock(handle: int) -> bool | None:
    """Lock an open file until it is closed.

    Returns:
        Whether no other had locked it; None if its file system has no locks.
    """
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def _closing(handle: int | None) -> Iterator[None]:
    """Close an open file when the block ends, and with it end its lock."""
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _swap(one: Path, other: Path) -> bool:
    """Swap two names at once; return whether the system can."""
    import ctypes

    here, swap = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # another system
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0)


def check_not_read(path: Path, source: Path) -> None:
    """Refuse to write what is read, by whatever name, link or folder it is reached.

    Raises:
        ConfigError: If ``path`` is ``source``.
    """
    there = path.exists() and source.exists()
    if path.samefile(source) if there else path.resolve() == source.resolve():
        raise ConfigError(f"{path}: is what is read: give what is written another name")


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


def append_line(path: Path, line: str | bytes) -> None:
    """Add a line to a file, whole or not at all, and make sure that it is on the disk.

    Raises:
        OSError: If the disk is full; the file is then as long as it was, or is not there.
    """
    new = not path.exists()
    rest = memoryview((line.encode() if isinstance(line, str) else line) + b"\n")
    with in_place_of(path), path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(before)
                if new:
                    path.unlink()
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
