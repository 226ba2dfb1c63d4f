"""Hostile input, made up from valid files: see ``benchmarks/fuzz.py``."""
