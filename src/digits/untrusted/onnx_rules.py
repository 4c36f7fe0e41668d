"""An untrusted ONNX graph: known operations on plain constants, with sizes that don't depend on the image.

ONNX Runtime then needs the same memory for every image, and a trial in a confined process shows how much that is.
"""

NODES = 2_000
# Of ONNX's own operations, those that trained classifiers consist of: no loops, branches, sequences, texts or random
# numbers, and none whose output's shape depends on numbers other than shapes.
ELEMENTWISE = (
    {"Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Cos", "Div", "Elu", "Equal", "Erf", "Exp"}
    | {"Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Less"}
    | {"LessOrEqual", "Log", "LogSoftmax", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu"}
    | {"Pow", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Softmax", "Softplus"}
    | {"Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tanh", "ThresholdedRelu", "Where", "Xor"}
)
OTHERS = (
    {"ArgMax", "Attention", "AveragePool", "BatchNormalization", "Concat", "Constant", "Conv", "ConvTranspose"}
    | {"DepthToSpace", "DequantizeLinear", "Dropout", "Einsum", "Flatten", "GRU", "Gather", "Gemm"}
    | {"GlobalAveragePool", "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LRN", "LSTM"}
    | {"LayerNormalization", "LpNormalization", "MatMul", "MaxPool", "QuantizeLinear", "RMSNormalization", "RNN"}
    | {"ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"}
    | {"ReduceSumSquare", "Shape", "Size", "SpaceToDepth", "Transpose"}
)
# Of these, only the first input may depend on the image's pixels: the others are shapes, indices and amounts.
SHAPED = {"Expand", "Pad", "Range", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Tile", "Unsqueeze", "Upsample"}
# And of these not even that.
CONSTANT = {"ConstantOfShape", "Range"}


def check(content: bytes) -> None:
    """Check the bytes of an `.onnx` file.

    Raises:
        ValueError: it isn't one, or its graph holds anything but known operations and plain constants.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    # A damaged or odd file can fail anywhere, with many kinds of exceptions.
    except Exception as error:
        raise ValueError("the file isn't a whole ONNX model") from error
    graph = model.graph
    if model.functions or graph.sparse_initializer or model.training_info:
        raise ValueError("the graph has functions, sparse constants or training, which aren't supported")
    if len(graph.node) > NODES:
        raise ValueError(f"the graph has {len(graph.node):,} operations; the limit is {NODES:,}")
    for constant in graph.initializer:
        _check_constant(constant)
    constants = {constant.name for constant in graph.initializer}
    # What depends on the image's pixels, not only on its shape.
    dependent = {value.name for value in graph.input if value.name not in constants}
    for node in graph.node:
        _check_node(node, dependent)
    try:
        # Last, because it looks for files of weights. It doesn't infer shapes; ONNX Runtime does.
        onnx.checker.check_model(model)
    except Exception as error:
        raise ValueError(
            f"the file isn't a valid ONNX model: {str(error).strip().partition(chr(10))[0]:.120}"
        ) from error


def _check_node(node, dependent: set[str]) -> None:
    kind = node.op_type
    if node.domain not in ("", "ai.onnx"):
        raise ValueError(f"the operation {kind!r:.40} is of {node.domain!r:.40}; only ONNX's own are supported")
    if kind not in ELEMENTWISE | OTHERS | SHAPED | CONSTANT:
        raise ValueError(f"the operation {kind!r:.40} isn't supported")
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise ValueError(f"the operation {kind} contains another graph, which isn't supported")
        for constant in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
            _check_constant(constant)
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise ValueError("the graph has sparse constants, which aren't supported")
    fixed = node.input if kind in CONSTANT else node.input[1:] if kind in SHAPED else ()
    if any(name in dependent for name in fixed):
        raise ValueError(f"the size of what {kind} makes depends on the image, which isn't supported")
    if kind not in ("Shape", "Size") and any(name in dependent for name in node.input):
        dependent.update(node.output)


def _check_constant(constant) -> None:
    import onnx

    if constant.data_location == onnx.TensorProto.EXTERNAL or constant.external_data:
        raise ValueError(
            "its weights are in another file: save them in the same one, in PyTorch with external_data=False"
        )
    if constant.data_type == onnx.TensorProto.STRING:
        raise ValueError("the graph has texts as constants, which aren't supported")
