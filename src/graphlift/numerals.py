"""Numbers as files and command lines write them: ASCII digits, sign, point and exponent.

Python's ``int`` and ``float`` also accept ``1_0`` as 10, and the digits of every script. In a file
that another program wrote, either is an error. All text is converted to numbers here.
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
    """Whether a text consists of the digits 0 to 9 and nothing else."""
    return text.isascii() and text.isdecimal()
