"""ONNX Runtime for models: sessions that give memory back, and strangers' graphs behind the interface of our own."""

from pathlib import Path
from typing import Any

import numpy as np

from digits.checkpoints import input_format

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def open_session(export: Path | bytes):
    """An ONNX Runtime session, whose own exceptions have no common base class."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # The arena never gives memory back; without it nothing is measurably slower.
    options.enable_cpu_mem_arena = False
    # Threads that spin while they wait take cores from other users of the app.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(export, options, providers=["CPUExecutionProvider"])


class ForeignGraph:
    """A stranger's ONNX graph of one image input.

    Attributes:
        shape: of one digit, as the input has it.

    Raises:
        ValueError: the graph has other inputs or outputs.
    """

    def __init__(self, content: bytes):
        try:
            self._session: Any = open_session(content)
        except Exception as error:
            raise ValueError(f"ONNX Runtime can't open it: {_first_line(error)}") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type not in DTYPES:
            came = ", ".join(f"{each.type} {each.shape}" for each in inputs)
            raise ValueError(f"expected one image as input, got {came:.100}")
        self._input, self._dtype = inputs[0].name, DTYPES[inputs[0].type]
        batch, *rest = [extent if isinstance(extent, int) else None for extent in inputs[0].shape] or [None]
        self.shape = input_format.accepted_shape(rest)
        self._batch = batch
        fitting = [each.name for each in outputs if len(each.shape) == 2 and each.shape[1] in (10, None)]
        fitting = fitting or [each.name for each in outputs if not isinstance((each.shape or [0])[-1], int)]
        if not fitting:
            came = ", ".join(f"{each.type} {each.shape}" for each in outputs)
            raise ValueError(f"expected an output of ten classes, got {came:.100}")
        self._output = "probabilities" if "probabilities" in fitting else fitting[0]

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """The model's own answers, (N, 10), for pixels, float32 (N, ...), in parts if its batch has a fixed size."""
        size = self._batch or max(1, len(pixels))
        pixels = pixels.astype(self._dtype)
        answers = []
        for start in range(0, len(pixels), size):
            part = pixels[start : start + size]
            padded = np.pad(part, [(0, size - len(part)), *[(0, 0)] * (part.ndim - 1)])
            try:
                (answer,) = self._session.run([self._output], {self._input: padded})
            except Exception as error:
                raise ValueError(f"ONNX Runtime can't run it: {_first_line(error)}") from error
            if not isinstance(answer, np.ndarray) or answer.shape != (size, 10):
                raise ValueError(f"expected ten numbers for a digit, got {getattr(answer, 'shape', answer)!r:.80}")
            answers.append(answer[: len(part)])
        return np.concatenate([np.empty((0, 10)), *answers])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
