"""Load labelled digits: MNIST, verified and in its fixed split, or a folder or file of other digits.

In: paths. Out: `Digits`: images, uint8 (N, 28, 28), ink 255 on paper 0, and labels, uint8 (N,).
"""

from digits.data.containers import holds_arrays
from digits.data.digits import OFFICIAL_SHA256, Digits, Splits
from digits.data.labelled import load_labelled, load_mnist_c, read_labelled
from digits.data.mnist import (
    SPLIT_SEED,
    cached_splits,
    download_mnist,
    idx_sha256,
    load_mnist,
    split_indices,
    split_mnist,
)
from digits.data.raters import Raters, load_raters
from digits.data.sampling import evenly_spaced, representative
from digits.data.splits import load_labelled_or_test, load_splits, load_test
from digits.data.styles import STYLES_SHA256, Styles, load_styles, style_arrays
from digits.data.writers import Writers, load_writers
