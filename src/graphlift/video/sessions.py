"""Opening an ONNX model with ONNX Runtime, with errors that name the file."""

from pathlib import Path
from typing import Any

from graphlift.errors import FormatError


def open_session(path: Path, *, threads: int = 0) -> Any:  # noqa: ANN401  # untyped library
    """Load a model to run on the processor.

    Args:
        path: An ``.onnx`` file.
        threads: How many to compute with; 0 leaves it to ONNX Runtime.

    Raises:
        OSError: If the file cannot be read.
        FormatError: If it is no ONNX model, or one that ONNX Runtime cannot run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is raised
    data = path.read_bytes()
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class
        reason = str(error).splitlines()[0][:200]
        raise FormatError(
            f"{path}: ONNX Runtime cannot load it ({reason}): give a whole .onnx file with its "
            "weights inside"
        ) from error
