"""ONNX files as strangers might make them: a linear model of digits, and what can be put behind it."""

import io
import zipfile

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from digits import paths

IMAGE, ANSWER = ("N", 1, 28, 28), ("N", 10)


def linear(*more: onnx.NodeProto, shape=IMAGE, scale: float = 1.0, answer: str = "y", **constants) -> onnx.ModelProto:
    """The shipped linear model, from `x` to its logits `y`; `more` nodes and constants follow."""
    with zipfile.ZipFile(paths.MODELS / "mnist_logistic.keras") as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    kernel, bias = (weights[f"layers/dense/vars/{index}"][()] for index in range(2))
    constants = {"kernel": kernel * np.float32(scale), "bias": bias, "flat": np.array([-1, 784]), **constants}
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["pixels"]),
        helper.make_node("Gemm", ["pixels", "kernel", "bias"], ["y"]),
        *more,
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(answer, TensorProto.FLOAT, ANSWER)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def endless() -> onnx.ModelProto:
    value, flag, turn = (
        helper.make_tensor_value_info("v", TensorProto.FLOAT, ANSWER),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        helper.make_tensor_value_info("i", TensorProto.INT64, []),
    )
    again = [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["w"])]
    ends = [helper.make_tensor_value_info("d", TensorProto.BOOL, []), helper.make_tensor_value_info("w", 1, ANSWER)]
    body = helper.make_graph(again, "again", [turn, flag, value], ends)
    loop = helper.make_node("Loop", ["turns", "on", "y"], ["z"], body=body)
    return linear(loop, answer="z", turns=np.int64(2**62), on=np.bool_(True))


def size_from_pixels() -> onnx.ModelProto:
    nodes = [
        helper.make_node("ReduceSum", ["pixels"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["whole", "one"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["nothing"], keepdims=0),
        helper.make_node("Add", ["y", "nothing"], ["z"]),
    ]
    return linear(*nodes, answer="z", one=np.array([1]))


def huge() -> onnx.ModelProto:
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["nothing"], keepdims=0),
        helper.make_node("Add", ["y", "nothing"], ["z"]),
    ]
    return linear(*nodes, answer="z", size=np.array([60_000, 50_000]))


def slow() -> onnx.ModelProto:
    """Each digit costs 400 products of 2048×2048 matrices."""
    turns = [helper.make_node("MatMul", [f"h{turn}", "square"], [f"h{turn + 1}"]) for turn in range(400)]
    nodes = [
        helper.make_node("MatMul", ["pixels", "wide"], ["h0"]),
        *turns,
        helper.make_node("MatMul", ["h400", "narrow"], ["nothing"]),
        helper.make_node("Add", ["y", "nothing"], ["z"]),
    ]
    sizes = {"wide": (784, 2048), "square": (2048, 2048), "narrow": (2048, 10)}
    return linear(*nodes, answer="z", **{name: np.zeros(size, np.float32) for name, size in sizes.items()})


def external(location: str = "/etc/passwd") -> onnx.ModelProto:
    model = linear()
    kernel = model.graph.initializer[0]
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    kernel.external_data.add(key="location", value=location)
    return model


def of_another_domain() -> onnx.ModelProto:
    model = linear(helper.make_node("Evil", ["y"], ["z"], domain="evil.example"), answer="z")
    model.opset_import.add(domain="evil.example", version=1)
    return model


def two_inputs() -> onnx.ModelProto:
    model = linear()
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1]))
    return model


def not_a_number() -> onnx.ModelProto:
    return linear(helper.make_node("Log", ["y"], ["z"]), answer="z")


def newer() -> onnx.ModelProto:
    model = linear()
    model.opset_import[0].version = 999
    return model


HOSTILE = {
    "endless loop": (endless, "'Loop' isn't supported"),
    "size from the pixels": (size_from_pixels, "depends on the image"),
    "3 GB of zeros": (huge, "ONNX Runtime can't"),
    "slow": (slow, "too long"),
    "weights in another file": (external, "in another file"),
    "custom operation": (of_another_domain, "only ONNX's own"),
    "two inputs": (two_inputs, "expected one image"),
    "not a number": (not_a_number, "aren't finite"),
    "opset of the future": (newer, "ONNX Runtime can't"),
}
