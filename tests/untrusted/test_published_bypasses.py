"""Published ways around Keras's safe mode are refused wherever they stand in a config."""

import json

import pytest

from digits.untrusted import config_copy
from tests.untrusted.keras_files import (
    ANSWER,
    FLATTEN,
    cnn_config,
    edited,
    layer,
    members_of,
    refused,
    sequential,
    with_config,
)


def lambda_layer(function: dict, **arguments) -> dict:
    return layer("Lambda", function=function, arguments=arguments, output_shape=None, mask=None)


def function(module: str, name: str) -> dict:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


# Ways around Keras's safe mode that were published, as the layer or as what a layer is made of.
BYPASSES = {
    "CVE-2024-3660, bytecode in a Lambda": lambda_layer({"class_name": "__lambda__", "config": {"value": "4wAAAAA="}}),
    "CVE-2025-1550, any function of any module": function("os", "system"),
    "CVE-2025-1550, any class of any module": layer("Popen", "subprocess", args=["true"]),
    "CVE-2025-1550, a known name of another module": layer("Dense", "evil.layers", units=10),
    "CVE-2025-1550, a name that only begins like Keras": layer("Dense", "kerasevil", units=10),
    "CVE-2025-8747, a download as a Lambda": lambda_layer(function("keras.utils", "get_file"), origin="http://x.y/z"),
    "CVE-2025-9906, the safe mode switched off": function("keras.config", "enable_unsafe_deserialization"),
    "CVE-2025-9906, another file loaded": lambda_layer(function("keras.models", "load_model"), safe_mode=False),
    "CVE-2025-12058, a file read as vocabulary": layer("StringLookup", vocabulary="/etc/passwd"),
    "CVE-2025-12058, an address read as vocabulary": layer("IntegerLookup", vocabulary="http://x.y/z"),
    "CVE-2025-49655, a pickle": layer("TorchModuleWrapper", module="gASVIQ=="),
    "a SavedModel from a path": layer("TFSMLayer", filepath="/tmp/evil", call_endpoint="serve"),
    "a text vectoriser": layer("TextVectorization", vocabulary="/etc/passwd"),
    "a wrapped Lambda": layer("TimeDistributed", layer=lambda_layer(function("os", "system"))),
    "a custom layer": layer("Evil", "evil", "package>Evil"),
    "a custom layer under a known name": layer("Dense", registered="package>Dense", units=10),
    "a custom layer without a module": layer("Dense", None, "Evil", units=10),
    "an older format's layer": {"class_name": "Evil", "config": {"name": "dense", "units": 10}},
    "an operation": layer("Cast", "keras.src.ops.core", dtype="float32"),
    "a hub": layer("Backbone", "keras_hub.models"),
    "a typespec": {
        "class_name": "__typespec__",
        "spec_name": "x",
        "module": "os",
        "registered_name": "x",
        "config": [],
    },
}
# Where in a layer's config Keras would make an object from what stands there.
SLOTS = {
    "activation": "activation",
    "initialiser": "kernel_initializer",
    "regulariser": "bias_regularizer",
    "constraint": "kernel_constraint",
    "dtype policy": "dtype",
    "number": "units",
    "flag": "use_bias",
    "seed": "seed",
    "quantisation": "quantization_config",
    "a key of nobody": "evil",
    "lora": "lora_rank",
}


@pytest.mark.parametrize("bypass", BYPASSES)
def test_published_bypass_is_refused_as_a_layer(bypass, no_child):
    hostile = {"name": "evil", "config": {"name": "evil"}} | BYPASSES[bypass]
    content = with_config(
        layer(
            "Sequential",
            "keras",
            name="m",
            layers=[
                layer("InputLayer", batch_shape=[None, 28, 28, 1]),
                hostile,
                FLATTEN,
                ANSWER,
            ],
        )
    )
    assert "isn't supported" in (reason := refused(content)) or "not from Keras" in reason


@pytest.mark.parametrize("slot", SLOTS.values(), ids=SLOTS)
@pytest.mark.parametrize("bypass", BYPASSES)
def test_published_bypass_is_refused_inside_a_layer(bypass, slot, no_child):
    refused(with_config(sequential(FLATTEN, ANSWER, ANSWER | {"config": ANSWER["config"] | {slot: BYPASSES[bypass]}})))


@pytest.mark.parametrize("bypass", BYPASSES)
def test_published_bypass_is_refused_among_a_layers_inputs(bypass, no_child):
    hostile = BYPASSES[bypass]
    refused(edited(lambda layers, _: layers["logits"]["inbound_nodes"][0]["args"].append(hostile)))
    refused(edited(lambda layers, _: layers["logits"]["inbound_nodes"][0].update(args=[hostile])))
    refused(edited(lambda layers, _: layers["logits"]["inbound_nodes"][0]["kwargs"].update(evil=hostile)))
    refused(edited(lambda _, config: config["config"].update(output_layers=[hostile])))


@pytest.mark.parametrize("bypass", BYPASSES)
def test_what_is_for_training_never_reaches_keras(bypass):
    """A compiled model's optimiser and metrics, and shapes that a file claims, are left out, whatever they are."""
    config = cnn_config()
    for entry in (config, *config["config"]["layers"]):
        entry |= {"compile_config": BYPASSES[bypass], "build_config": BYPASSES[bypass], "shared_object_id": 1}
    copied = config_copy.copy(json.dumps(config).encode())
    assert copied == config_copy.copy(members_of()["config.json"])
    assert not {"compile_config", "build_config", "shared_object_id"} & set(copied)


def modules_in(value: object) -> set:
    if isinstance(value, dict):
        return {value.get("module")}.union(*map(modules_in, value.values()))
    return set().union(*map(modules_in, value)) if isinstance(value, list) else set()


def test_copy_names_its_modules_itself():
    copied = config_copy.copy(json.dumps(cnn_config()).replace("keras.layers", "keras.evil").encode())
    assert modules_in(copied) == {"keras.layers", "keras.src.models.functional", None}
