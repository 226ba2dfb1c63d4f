"""Parts of ``benchmarks/accuracy.py``: people as cameras see them, and errors taken apart."""
