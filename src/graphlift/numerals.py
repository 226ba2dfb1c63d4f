"""Numbers as files and command lines write them: ASCII digits, sign, point and exponent.

Python's ``int`` and ``float`` also take ``1_0`` for 10, and digits of every script; in a file of
others either is damage, not a number. Text becomes a number here and nowhere else.
"""


def decimal(text: str) -> float:
    """Read a number; spaces around it, ``nan`` and ``inf`` are allowed.

    Raises:
        ValueError: If it is anything else.
    """
    if "_" in text or not text.isascii():
        raise ValueError(f"could not convert string to float: {text[:40]!r}")
    return float(text)


def is_whole(text: str) -> bool:
    """Say whether a text is the digits 0 to 9 and nothing else."""
    return text.isascii() and text.isdecimal()
