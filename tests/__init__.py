"""Tests. What their environment says is heeded only before NumPy and TensorFlow are imported."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# There is a test on each core: more threads would only wait for each other.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(threads, "1")
