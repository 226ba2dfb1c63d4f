"""The one place that opens ONNX models with ONNX Runtime, with errors that name the file."""

from typing import Any

from graphlift.errors import FormatError
from graphlift.processors import processors
from graphlift.words import reason


def open_session(content: bytes, where: object, *, threads: int = 0) -> Any:  # noqa: ANN401  # untyped library
    """Load a model to run on the processor.

    Args:
        content: Of an ``.onnx`` file.
        where: The file, for errors.
        threads: How many to compute with; 0 for as many as there are processors for this process.
            ONNX Runtime's own choice is a thread for each core of the machine, which it pins to
            it, allowed or not.

    Raises:
        FormatError: If it is no ONNX model, or one that ONNX Runtime cannot run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or processors()
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class
        raise FormatError(
            f"{where}: is no ONNX model, or a damaged one ({reason(error)}): give a whole .onnx "
            "file with its weights inside"
        ) from error
