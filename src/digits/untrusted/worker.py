"""A confined child process that converts a stranger's `.keras` file, with its weights checked before Keras opens it.

python -m digits.untrusted.worker SOURCE TARGET MEMORY WEIGHTS: bytes of memory, and the number of weights.
"""

import sys
from contextlib import suppress
from pathlib import Path

from digits import errors
from digits.checkpoints import convert
from digits.untrusted import archive


def confine(memory: int) -> None:
    """Let this process take no more than `memory` bytes and write no large file.

    Windows has no such limits, and macOS heeds only some of them.
    """
    try:
        import resource
    except ImportError:
        return
    # Of data, not of addresses, most of which TensorFlow reserves and never uses, more of them with more cores.
    limits = {resource.RLIMIT_DATA: memory, resource.RLIMIT_FSIZE: archive.FILE_BYTES, resource.RLIMIT_CORE: 0}
    for kind, limit in limits.items():
        # The host may have a lower one already, which stands.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    source, target, memory, weights = sys.argv[1:]
    with errors.one_line_errors():
        confine(int(memory))
        # Before Keras looks at them.
        archive.check_weights(Path(source), int(weights))
        convert.convert(Path(source), Path(target))
