"""Models from strangers: files are checked as data, and whatever opens them runs in a confined process.

A model file can name code to run, other files to read, and sizes that fit no machine. So a Keras model's archive,
config and weights are checked before Keras sees them; Keras gets a copy that is made of known layers alone. An ONNX
graph may consist of known operations whose outputs have sizes that don't depend on the image. `checkpoints.strangers`
decides which files have to come here.

In: the bytes of a file. Out: what is safe to open, or a `ValueError` that says why nothing is.
"""

from typing import NamedTuple

from digits.untrusted import archive, config_copy, hdf5, size_limits


class KerasFile(NamedTuple):
    """A Keras model as data.

    Attributes:
        config: a copy of the model's config that is safe to give to Keras.
        weights: the content of an HDF5 file whose arrays are checked.
        shape: of the input, without the batch axis.
        is_hdf5: whether the weights are in the layout of an `.h5` file.
    """

    config: dict
    weights: bytes
    shape: tuple[int, ...]
    is_hdf5: bool


def check_keras(content: bytes) -> KerasFile:
    """Check the bytes of a `.keras` or `.h5` file, without Keras.

    Raises:
        ValueError: the file is damaged, too large, not a digit classifier, or holds anything unknown.
    """
    is_hdf5 = content.startswith(b"\x89HDF")
    if is_hdf5:
        config, weights = hdf5.model_config(content), content
    else:
        members = archive.unpack(content)
        config, weights = members[archive.CONFIG], members[archive.WEIGHTS]
    model = config_copy.copy(config)
    shape, count = size_limits.measure(model)
    hdf5.check_weights(weights, count)
    return KerasFile(model, weights, shape, is_hdf5)
