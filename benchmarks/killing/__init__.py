"""Work that is killed again and again: see ``benchmarks/kills.py``."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path.insert(0, str(TESTS))  # its makers of tiny files
