"""Load labelled digits: MNIST, verified and in its fixed split, or a folder or `.npz` file of other digits.

In: paths. Out: `Digits`: images, uint8 (N, 28, 28), ink 255 on paper 0, and labels, uint8 (N,).
"""

from digits.data.digits import Digits, Splits
from digits.data.labelled import load_labelled, load_labelled_or_test, load_mnist_c, read_labelled
from digits.data.mnist import (
    OFFICIAL_SHA256,
    SPLIT_SEED,
    cached_splits,
    download_mnist,
    idx_sha256,
    load_mnist,
    load_splits,
    load_test,
    split_indices,
    split_mnist,
)
from digits.data.sampling import evenly_spaced, representative
