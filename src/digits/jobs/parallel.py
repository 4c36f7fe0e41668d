"""Where joblib works: on this machine or on a `dask.distributed` cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def backend(workers: int, scheduler: str | None) -> Iterator[None]:
    """Within the block, joblib works in local processes (one worker: in this process) or on a cluster.

    Args:
        workers: the number of local processes.
        scheduler: the address of a `dask.distributed` scheduler to work on instead.

    Raises:
        ValueError: the address isn't of the form tcp://HOST:PORT.
        OSError: the scheduler can't be reached.
    """
    from joblib import parallel_config

    if not scheduler:
        with _safe_imports(), parallel_config(n_jobs=workers):
            yield
        return
    from distributed import Client

    if "://" not in scheduler:
        raise ValueError(f"expected a scheduler's address like tcp://HOST:PORT, got {scheduler}")
    try:
        client = Client(scheduler, timeout="5s", set_as_default=False)
    except OSError as error:
        raise ConnectionError(
            f"no dask.distributed scheduler answers at {scheduler}; `dask scheduler` starts one"
        ) from error
    with client, parallel_config("dask", client=client):
        yield


@contextmanager
def _safe_imports() -> Iterator[None]:
    """Within the block, new Python processes don't import from the current folder, as joblib's otherwise would."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before
