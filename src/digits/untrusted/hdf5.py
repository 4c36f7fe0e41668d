"""HDF5 in an untrusted file: the weights of a `.keras` file, or a whole `.h5` file, which also has the config."""

import io

# A layer has two groups and up to six arrays, for each of which the optimiser has two more.
HDF5_OBJECTS = 5_000
HDF5_DEPTH = 20


class _RefusedError(ValueError):
    """Weights that aren't stored as Keras stores them; h5py has its own ValueErrors for damaged ones."""


def model_config(content: bytes) -> bytes:
    """The config of the model in an `.h5` file, as JSON.

    Raises:
        ValueError: the file is damaged, or holds weights alone.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            config = file.attrs.get("model_config")
            config = config.encode() if isinstance(config, str) else config
    # A damaged HDF5 file can fail anywhere, with many kinds of exceptions.
    except Exception as error:
        raise ValueError("the file is damaged: it can't be read as HDF5") from error
    if not isinstance(config, bytes):
        raise ValueError("the file holds weights without their model: save the whole model, with `model.save`")
    return config


def check_weights(content: bytes, expected: int) -> None:
    """Check the arrays in an HDF5 file before Keras reads them.

    Args:
        expected: the number of the model's weights; the file may hold more, such as an optimiser's.

    Raises:
        ValueError: an array isn't complete, plain and finite, or the model needs more weights.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            found = _count_weights(file, len(content))
    except _RefusedError:
        raise
    except Exception as error:
        raise ValueError("its weights are damaged: they can't be read as HDF5") from error
    if found < expected:
        raise ValueError(f"its layers need {expected:,} weights, but the file holds {found:,}")


def _count_weights(file, file_bytes: int) -> int:
    arrays = _arrays(file)
    if sum(array.nbytes for array in arrays) > file_bytes:
        raise _RefusedError("its weights claim more bytes than the file holds")
    for array in arrays:
        _check_array(array)
    # All but the optimiser's arrays, in `/optimizer` or `/optimizer_weights`, belong to layers.
    return sum(array.size for array in arrays if not array.name.startswith("/optimizer"))


def _arrays(file) -> list:
    """All arrays in an HDF5 file, which may link only to its own groups and arrays, once each."""
    import h5py

    arrays, seen, waiting = [], set(), [(file, 0)]
    while waiting:
        group, depth = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _RefusedError("its weights contain a link")
            member = group[name]
            # Without stubs, type checkers don't see h5py's compiled modules.
            address = h5py.h5o.get_info(member.id).addr  # pyright: ignore[reportAttributeAccessIssue]
            if address in seen or len(seen) > HDF5_OBJECTS or depth > HDF5_DEPTH:
                raise _RefusedError("its weights are stored in too many groups, or in a cycle")
            seen.add(address)
            if isinstance(member, h5py.Group):
                waiting.append((member, depth + 1))
            elif isinstance(member, h5py.Dataset):
                arrays.append(member)
            else:
                raise _RefusedError("its weights hold something other than arrays")
    return arrays


def _check_array(array) -> None:
    import numpy as np

    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8 or array.shape is None:
        raise _RefusedError("its weights hold something other than plain numbers")
    # Keras writes an array in one piece; one that is filtered, chunked, external or never written can expand.
    if array.is_virtual or array.external or array.chunks or array.id.get_storage_size() != array.nbytes:
        raise _RefusedError("its weights are stored in a way that Keras doesn't use, or not at all")
    if array.dtype.kind == "f" and not np.isfinite(array[()]).all():
        raise _RefusedError("some of its weights aren't finite numbers")
