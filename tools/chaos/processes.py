"""Work in a forked process that may be killed: after some time, or right before one of its file operations."""

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# A process that is still there then hangs.
SECONDS = 120
# Python's own names of what creates, moves and deletes files.
OPERATIONS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}


@dataclass(frozen=True)
class Ending:
    """How a process ended: `done`, `refused`, `killed` or `failed`, with the sentence or the traceback."""

    outcome: str
    text: str = ""
    seconds: float = 0.0
    operations: int = 0


class Process:
    """Work in a forked process.

    Args:
        kill_at: the file operation in `folder`, counted from 1, before which it kills itself.
    """

    def __init__(self, work: Callable[[], None], folder: Path, kill_at: int | None = None) -> None:
        context = multiprocessing.get_context("fork")
        self._connection, other_end = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(work, folder, kill_at, other_end))
        self._process.start()
        other_end.close()

    def end(self, kill_after: float | None = None) -> Ending:
        """Wait for its end, or kill it after some seconds."""
        is_over = self._connection.poll(SECONDS if kill_after is None else kill_after)
        if not is_over:
            self._process.kill()
        try:
            ending = self._connection.recv()
        except EOFError:
            is_hanging = kill_after is None and not is_over
            ending = Ending("failed", f"it hung for {SECONDS} seconds") if is_hanging else Ending("killed")
        self._process.join()
        if ending.outcome == "killed" and self._process.exitcode != -signal.SIGKILL:
            return Ending("failed", f"it ended with status {self._process.exitcode}")
        return ending


def _work(work: Callable[[], None], folder: Path, kill_at: int | None, connection) -> None:
    operations, began = 0, time.perf_counter()

    def count(event: str, arguments: tuple) -> None:
        nonlocal operations
        if event in OPERATIONS and str(arguments[0]).startswith(str(folder)):
            operations += 1
            if operations == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    sys.addaudithook(count)
    try:
        work()
        outcome, text = "done", ""
    except (ValueError, OSError) as error:
        outcome, text = "refused", " ".join(str(error).split())
    except BaseException:
        outcome, text = "failed", traceback.format_exc()
    connection.send(Ending(outcome, text, time.perf_counter() - began, operations))
    # Threads of TensorFlow may still be running.
    os._exit(0)
