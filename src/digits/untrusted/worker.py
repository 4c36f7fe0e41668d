"""A confined child process that exports an untrusted `.keras` file after checking its weights.

python -m digits.untrusted.worker SOURCE TARGET MEMORY WEIGHTS: memory in bytes, and the number of weights.
"""

import sys
from contextlib import suppress
from pathlib import Path

from digits import errors
from digits.checkpoints import convert
from digits.untrusted import archive


def confine(memory: int) -> None:
    """Limit this process to `memory` bytes, and to small files.

    Windows has no such limits, and macOS enforces only some of them.
    """
    try:
        import resource
    except ImportError:
        return
    # Data, not addresses: TensorFlow reserves far more of those than it uses, and more with more cores.
    limits = {resource.RLIMIT_DATA: memory, resource.RLIMIT_FSIZE: archive.FILE_BYTES, resource.RLIMIT_CORE: 0}
    for kind, limit in limits.items():
        # The host may have set a lower limit already, which stays.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    source, target, memory, weights = sys.argv[1:]
    with errors.one_line_errors():
        confine(int(memory))
        archive.check_weights(Path(source), int(weights))
        convert.convert(Path(source), Path(target))
