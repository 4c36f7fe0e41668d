"""Labelled digits from disk: MNIST, verified by hash, in its fixed split, and anyone's own folder or `.npz` file.

In: paths. Out: `Digits`, images uint8 (N, 28, 28) with ink 255 on paper 0 and labels uint8 (N,).
"""

from digits.data.digits import Digits, Splits
from digits.data.labelled import load_evaluated, load_labelled, load_mnist_c
from digits.data.mnist import (
    OFFICIAL_SHA256,
    SPLIT,
    SPLIT_SEED,
    VALIDATION_SIZE,
    cached_splits,
    download_mnist,
    idx_sha256,
    load_mnist,
    load_splits,
    load_test,
    split_mnist,
    split_places,
)
from digits.data.sampling import evenly_spaced, representative
