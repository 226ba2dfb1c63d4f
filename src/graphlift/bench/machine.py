"""What the machine is, by name and by instructions, and how fast its memory is."""

import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np

import graphlift
from graphlift.bench.clock import Clock, alternate
from graphlift.processors import processors
from graphlift.words import plain

INSTRUCTIONS = {
    "avx2": "AVX2",
    "fma": "FMA",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_fp16": "AVX-512 FP16",
    "amx_bf16": "AMX BF16",
    "amx_int8": "AMX INT8",
    "asimd": "NEON",
    "sve": "SVE",
    "sve2": "SVE2",
    "bf16": "BF16",
    "i8mm": "I8MM",
    "sme": "SME",
}
"""Linux's words for the instructions that products of matrices may use."""
LARGEST = 256 * 2**20
"""Bytes of an array that memory is measured with, at most."""


@dataclass(frozen=True)
class Machine:
    """Where a benchmark ran.

    Args:
        processor: Its name.
        instructions: Those of :data:`INSTRUCTIONS` it has; other systems' names where Linux does
            not give its own.
        cores: That this process may use.
        threads: That were computed with.
        caches: Bytes of each level of data, that of a core or that it shares.
        system: Operating system and architecture.
        versions: Of what was measured, by name.
        load: Processes that wanted to run in the minute before, 0 on an idle machine; None where
            the system does not say.
    """

    processor: str
    instructions: tuple[str, ...]
    cores: int
    threads: int
    caches: Mapping[str, int] = field(default_factory=dict)
    system: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    load: float | None = None


def this_machine(threads: int) -> Machine:
    """Describe the machine that this runs on."""
    facts = _cpuinfo()
    name = facts.get("model name") or _apple() or platform.processor() or platform.machine()
    return Machine(
        processor=plain(name),
        instructions=_instructions(facts),
        cores=processors(),
        threads=threads,
        caches=_caches(),
        system=f"{platform.system()} {platform.machine()}",
        versions=_versions(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def free_bytes() -> int | None:
    """Memory that is free, bytes; None where the system does not say."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    except OSError:
        return None
    return 1024 * int(found[1]) if found else None


@dataclass(frozen=True)
class MemoryRates:
    """How fast memory is read and written, GB/s (10^9 bytes a second).

    Args:
        copy: a = b; both arrays count once.
        triad: a = b + 3 c, in two passes: b, c and twice a count.
        read: Smallest number of an array far larger than any cache.
        cache: The same of an array that fits into the largest cache, again and again.
    """

    copy: float
    triad: float
    read: float
    cache: float


def memory_rates(threads: int, seconds: float, clock: Clock) -> MemoryRates:
    """Measure memory by NumPy in several threads, each with a part of its own of every array.

    Args:
        threads: How many.
        seconds: For all four together.
        clock: As :func:`graphlift.bench.clock.alternate`.
    """
    most = max(_caches().values(), default=32 * 2**20)
    size = min(max(4 * most, 64 * 2**20), LARGEST, (free_bytes() or 2**40) // 8)
    parts = [_Part.of(size // threads // 4) for _ in range(threads)]
    small = [_Part.of(most // 2 // threads // 4) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def every(do: Callable[["_Part"], object], of: list[_Part]) -> Callable[[], object]:
            return lambda: list(pool.map(do, of))

        times = alternate(
            {
                "copy": every(_Part.copy, parts),
                "triad": every(_Part.triad, parts),
                "read": every(_Part.read, parts),
                "cache": every(_Part.read, small),
            },
            seconds,
            clock,
            threads=threads,
        )
    whole, little = (sum(part.a.nbytes for part in of) for of in (parts, small))
    moved = {"copy": 2 * whole, "triad": 5 * whole, "read": whole, "cache": little}
    return MemoryRates(**{name: moved[name] / each.seconds / 1e9 for name, each in times.items()})


@dataclass(frozen=True, eq=False)
class _Part:
    """A thread's part of three arrays."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray

    @classmethod
    def of(cls, numbers: int) -> "_Part":
        return cls(*(np.ones(max(numbers, 1), np.float32) for _ in range(3)))

    def copy(self) -> None:
        np.copyto(self.a, self.b)

    def triad(self) -> None:
        np.multiply(self.c, np.float32(3), out=self.a)  # reads c, writes a
        np.add(self.a, self.b, out=self.a)  # reads a and b, writes a

    def read(self) -> float:
        # Not a product with itself: NumPy's library of products would start threads of its own.
        return float(self.a.min())


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor; empty elsewhere."""
    try:
        lines = _read("/proc/cpuinfo").partition("\n\n")[0].splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _apple() -> str:
    if platform.system() != "Darwin":
        return ""
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _instructions(facts: Mapping[str, str]) -> tuple[str, ...]:
    words = (facts.get("flags") or facts.get("Features") or "").split()
    if words:
        return tuple(name for word, name in INSTRUCTIONS.items() if word in words)
    described = np.show_config(mode="dicts")
    return tuple(described.get("SIMD Extensions", {}).get("found", ()))


def _caches() -> dict[str, int]:
    """Bytes of each cache of data of the first core, by level; empty where nobody says."""
    return dict(sorted(_each_cache()))


def _each_cache() -> Iterator[tuple[str, int]]:
    units = {"K": 2**10, "M": 2**20, "G": 2**30}
    for folder in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            level, kind, size = (
                _read(str(folder / name)).strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        found = re.fullmatch(r"(\d+)([KMG])", size)
        if found and kind != "Instruction":
            yield f"L{level}", int(found[1]) * units[found[2]]


def _versions() -> dict[str, str]:
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    found = {"graphlift": graphlift.__version__, "Python": platform.python_version()}
    found["NumPy"] = f"{np.__version__} ({blas.get('name', 'BLAS')} {blas.get('version', '')})"
    for name, package in (("ONNX Runtime", "onnxruntime"), ("torch", "torch")):
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
