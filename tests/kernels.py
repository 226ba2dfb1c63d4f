"""Run the numeric tests under each of OpenBLAS's kernels that this processor can run.

    python tests/kernels.py

NumPy and SciPy each bring an OpenBLAS, which picks one of its kernels by the processor: sums are
then added up in another order, with or without fused multiply-add. ``OPENBLAS_CORETYPE`` picks
another one, so one machine can tell what tests would say on most. The oldest is run without
NumPy's own vector instructions, too. The kernel of this processor is left to the suite itself.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

KERNELS = ("Nehalem", "Sandybridge", "Haswell", "SkylakeX")
"""Of x86-64, by vector instructions: SSE4.2, AVX, AVX2 with fused multiply-add, AVX-512."""

NUMERIC = (
    "datasets/mocap/test_prior.py", "datasets/mpi_inf_3dhp/test_cameras.py",
    "formats/test_armature.py", "formats/test_calibration.py", "metrics", "motion",
    "samples/test_random_views.py", "test_cameras.py", "test_geometry.py", "test_preprocessing.py",
)  # fmt: skip
"""Tests of what solves, factorises, aligns, smooths or integrates."""

NAMES = ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename", "openblas_get_corename")


def kernels_here() -> str:
    """Name the kernels in use, NumPy's and SciPy's: a probe, in a process of its own."""
    import numpy as np
    import scipy.linalg

    found = set()
    for package in (np, scipy):
        home = Path(package.__file__).parent
        for library in (home.parent / f"{home.name}.libs").glob("*openblas*"):
            loaded = ctypes.CDLL(str(library))
            for name in filter(lambda name: hasattr(loaded, name), NAMES):
                getattr(loaded, name).restype = ctypes.c_char_p
                found.add(getattr(loaded, name)().decode())
    square = np.random.default_rng(0).standard_normal((64, 64))
    np.linalg.svd(square @ square.T)  # a kernel beyond the processor ends the process here
    scipy.linalg.lstsq(square, square)
    return " and ".join(sorted(found)) or "no OpenBLAS"


def vector_features() -> str:
    """Name NumPy's vector instructions that are chosen at run time and present."""
    try:
        from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    except ImportError:  # NumPy 1
        from numpy.core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))


def probe(settings: dict[str, str]) -> str:
    """Say which kernels a process with these settings runs; empty if it dies of it."""
    run = subprocess.run(
        [sys.executable, __file__, "--probe"],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.strip() if run.returncode == 0 else ""


def main() -> int:
    """Run them; 1 if tests fail under any."""
    folder = Path(__file__).parent
    files = [str(folder / name) for name in NUMERIC]
    own = probe({})
    print(f"OpenBLAS's kernel on this processor: {own} (left to the suite itself)", flush=True)
    runs = {}
    for kernel in KERNELS:
        settings = {"OPENBLAS_CORETYPE": kernel, "OMP_NUM_THREADS": "1"}
        if kernel == KERNELS[0]:
            settings["NPY_DISABLE_CPU_FEATURES"] = vector_features()
        found = own if kernel == own else probe(settings)
        if found != kernel:
            print(f"{kernel}: left out, {found or 'this processor cannot run it'}", flush=True)
        elif kernel != own:
            command = [sys.executable, "-m", "pytest", "-q", "--no-header", *files]
            runs[kernel] = subprocess.Popen(
                command, env=os.environ | settings, stdout=subprocess.PIPE, text=True
            )
    failed = []
    for kernel, run in runs.items():
        output, _ = run.communicate()
        failed += [kernel] * (run.returncode != 0)
        print(f"{kernel}: {output if run.returncode else output.splitlines()[-1]}", flush=True)
    return bool(failed)


if __name__ == "__main__":
    if sys.argv[1:] == ["--probe"]:
        print(kernels_here())
    else:
        sys.exit(main())
