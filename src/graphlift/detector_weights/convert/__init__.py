"""Detectors of TensorFlow Lite and TensorFlow.js -> ONNX, each with the operators that it has.

Only :mod:`graphlift.detector_weights.get` imports this, when weights are first needed, and only
this imports ``tflite``.
"""

import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from graphlift.errors import FormatError
from graphlift.words import plain

CHANNELS_FIRST = (0, 3, 1, 2)
CHANNELS_LAST = (0, 2, 3, 1)
"""Permutations of a feature map's axes, to (batch, channel, row, column) and back."""

_DAMAGE = (
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError),
    *(MemoryError, RecursionError, struct.error),
)
"""What reading a cut or changed file raises: neither JSON nor tflite's reader checks anything."""


@contextmanager
def reading_model(what: str) -> Iterator[None]:
    """Turn whatever a damaged model raises inside the block into a FormatError."""
    try:
        yield
    except FormatError:
        raise
    except _DAMAGE as error:
        raise FormatError(f"these {what}, or a damaged one: get the file again") from error


def check_operator(kind: str, known: Collection[str]) -> None:
    """Refuse an operator that has no conversion.

    Raises:
        FormatError: Naming the operator, and those that have one.
    """
    if kind not in known:
        raise FormatError(
            f"the model has the operator {plain(kind)}, which this converter does not know: it "
            f"knows {', '.join(sorted(known))}"
        )
