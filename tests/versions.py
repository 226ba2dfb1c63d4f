"""Write pip's constraints for the newest or the oldest versions that pyproject.toml allows.

    python tests/versions.py newest|oldest [torch==2.13.0]

Torch is held, to a version of which pip finds a build for the CPU. The oldest are those of direct
dependencies: what they need in turn is as pip finds it.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def lower_bounds():
    """List every direct dependency at its lower bound."""
    extras = PROJECT["optional-dependencies"].values()
    for line in [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]:
        if found := re.fullmatch(r"([\w-]+)>=([\d.]+)", line):
            yield found[1], found[2]


if __name__ == "__main__":
    which, torch = sys.argv[1], (sys.argv[2:] or ["torch==2.13.0"])[0]
    highest = {}
    for name, version in lower_bounds() if which == "oldest" else ():
        numbers = tuple(map(int, version.split(".")))
        highest[name] = max(highest.get(name, (0,)), numbers)
    highest.pop("torch", None)
    print("\n".join([torch, *(f"{k}=={'.'.join(map(str, v))}" for k, v in highest.items())]))
