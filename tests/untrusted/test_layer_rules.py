"""The shapes and weights that the rules give a layer are those that Keras gives it."""

import json

import pytest

from digits.untrusted import config_copy, layer_rules
from tests.untrusted.keras_files import layer

IMAGE, COLOUR, ROWS, OTHERS, ROW = (9, 8, 6), (9, 8, 3), (9, 8), (5, 8), (30,)


def keras_layers() -> list[tuple]:
    """Layers of every supported kind, each with the shapes of its inputs."""
    from keras import layers

    cases = [(layer, [IMAGE]) for layer in (
        layers.InputLayer(IMAGE), layers.Dense(7, use_bias=False), layers.Conv2D(5, 3),
        layers.Conv2D(5, (2, 3), (2, 1), padding="same"), layers.Conv2D(5, 3, dilation_rate=2, use_bias=False),
        layers.DepthwiseConv2D(3, depth_multiplier=2), layers.SeparableConv2D(5, 3, 2, depth_multiplier=3),
        layers.Conv2DTranspose(5, 3, 2), layers.Conv2DTranspose(5, 2, 3),
        layers.Conv2DTranspose(5, 3, 2, padding="same"), layers.Conv2DTranspose(5, 3, dilation_rate=2),
        layers.MaxPooling2D(), layers.AveragePooling2D(3, 2, padding="same"), layers.MaxPooling2D((2, 3), (3, 1)),
        layers.GlobalMaxPooling2D(), layers.GlobalAveragePooling2D(keepdims=True), layers.BatchNormalization(),
        layers.BatchNormalization(axis=3, scale=False), layers.LayerNormalization(),
        layers.LayerNormalization(center=False), layers.GroupNormalization(3), layers.UnitNormalization(),
        layers.Activation("mish"), layers.ReLU(6), layers.LeakyReLU(0.2), layers.PReLU(),
        layers.PReLU(shared_axes=[1, 2]), layers.ELU(), layers.Softmax(), layers.Flatten(), layers.Reshape((18, -1)),
        layers.Reshape((24, 3, 6)), layers.Permute((3, 1, 2)), layers.ZeroPadding2D(),
        layers.ZeroPadding2D(((1, 2), (3, 4))), layers.Cropping2D(2), layers.Cropping2D(((1, 2), (3, 0))),
        layers.UpSampling2D((2, 3)), layers.Rescaling(2.0, 1.0), layers.Identity(), layers.Dropout(0.1),
        layers.SpatialDropout2D(0.1), layers.AlphaDropout(0.1), layers.GaussianDropout(0.1), layers.GaussianNoise(0.1),
        layers.ActivityRegularization(0.1), layers.RandomFlip(), layers.RandomRotation(0.1),
        layers.RandomTranslation(0.1, 0.1), layers.RandomZoom(0.1), layers.RandomContrast(0.1),
        layers.RandomBrightness(0.1), layers.RandomElasticTransform(), layers.RandomErasing(),
        layers.RandomGaussianBlur(), layers.RandomInvert(), layers.RandomPerspective(), layers.RandomPosterization(4),
        layers.RandomSharpness(0.1), layers.RandomShear(0.1), layers.Normalization(), layers.Normalization((1, 2)),
        layers.Normalization(None), layers.Normalization(mean=[0.1], variance=[0.2]),
        layers.TimeDistributed(layers.Dense(3)), layers.TimeDistributed(layers.Flatten()),
    )]  # fmt: skip
    cases += [(layer, [COLOUR]) for layer in (
        layers.AugMix(), layers.RandAugment(), layers.RandomColorDegeneration(0.1), layers.RandomGrayscale(),
        layers.RandomColorJitter(brightness_factor=0.1), layers.RandomHue(0.1), layers.RandomSaturation(0.1),
    )]  # fmt: skip
    cases += [(layer, [ROWS]) for layer in (
        layers.Conv1D(5, 3), layers.Conv1D(5, 4, 2, padding="same"), layers.Conv1D(5, 3, padding="causal"),
        layers.Conv1D(5, 3, dilation_rate=2), layers.MaxPooling1D(), layers.AveragePooling1D(3, 2, padding="same"),
        layers.GlobalMaxPooling1D(), layers.GlobalAveragePooling1D(keepdims=True), layers.SpatialDropout1D(0.1),
        layers.SimpleRNN(7), layers.LSTM(7, return_sequences=True), layers.GRU(7), layers.GRU(7, reset_after=False),
        layers.GRU(7, use_bias=False, go_backwards=True), layers.Bidirectional(layers.LSTM(7)),
        layers.Bidirectional(layers.GRU(7, return_sequences=True), merge_mode="sum"), layers.LayerNormalization(),
        layers.TimeDistributed(layers.Dense(3)),
    )]  # fmt: skip
    cases += [(layer, [ROWS, OTHERS]) for layer in (
        layers.Attention(), layers.Attention(use_scale=True, score_mode="concat"), layers.AdditiveAttention(),
        layers.AdditiveAttention(use_scale=False),
    )]  # fmt: skip
    cases += [(layers.RepeatVector(3), [ROW]), (layers.MultiHeadAttention(2, 5), [ROWS, OTHERS])]
    cases += [(layers.MultiHeadAttention(2, 5, 4, use_bias=False, output_shape=11), [ROWS, OTHERS])]
    cases += [(layers.Dense(4), [ROW]), (layers.BatchNormalization(), [ROW]), (layers.Reshape((5, 6, 1)), [ROW])]
    merging = (
        layers.Add,
        layers.Subtract,
        layers.Multiply,
        layers.Average,
        layers.Maximum,
        layers.Minimum,
        layers.Concatenate,
    )
    cases += [(kind(), [IMAGE, IMAGE]) for kind in merging]
    return [
        *cases,
        (layers.Multiply(), [IMAGE, (1, 1, 6)]),
        (layers.Concatenate(), [IMAGE, (9, 8, 2)]),
        (layers.Concatenate(1), [IMAGE, IMAGE]),
    ]


@pytest.mark.slow
def test_layer_rules_say_what_keras_says():
    import keras

    kinds = set()
    for number, (made, shapes) in enumerate(keras_layers()):
        kind = type(made).__name__
        tensors = [keras.Input(shape) for shape in shapes]
        arguments = tensors if len(tensors) == 1 or kind == "MultiHeadAttention" else [tensors]
        output = tensors[0] if kind == "InputLayer" else made(*arguments)
        entry = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
        before = [] if kind == "InputLayer" else [layer("InputLayer", batch_shape=[None, 1])]
        whole = layer("Sequential", "keras", layers=[*before, entry])
        copied = config_copy.copy(json.dumps(whole).encode())["config"]["layers"][-1]
        rule, _ = (layer_rules.LAYERS | layer_rules.MERGING)[copied["class_name"]]
        given = shapes if copied["class_name"] in layer_rules.MERGING else shapes[0]
        shape, weights, *_ = rule(copied["config"], given)
        assert (shape, weights) == (tuple(output.shape[1:]), made.count_params()), (number, kind)
        kinds.add(kind)
    assert kinds == {*layer_rules.LAYERS, *layer_rules.MERGING, *layer_rules.IDENTITIES}


@pytest.mark.parametrize(
    ("kind", "shapes", "config"),
    [
        ("Add", [(9, 8, 6), (8, 9, 6)], {}),
        ("Multiply", [(9, 8, 6), (6,)], {}),
        ("Concatenate", [(9, 8, 6), (8, 8, 6)], {}),
        ("Concatenate", [(9, 8, 6), (9, 8)], {}),
        ("Concatenate", [(9, 8, 6), (9, 8, 6)], {"axis": 0}),
        ("Concatenate", [(9, 8, 6), (9, 8, 6)], {"axis": 4}),
    ],
)
def test_inputs_that_do_not_fit_are_not_merged(kind, shapes, config):
    with pytest.raises(ValueError, match="can't merge"):
        layer_rules.MERGING[kind][0](config, shapes)
