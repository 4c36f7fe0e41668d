"""Python child processes: they import nothing from the current folder, can be cancelled, and leave nothing running."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import IO, Literal

Outcome = Literal["done", "failed", "cancelled"]

# Children import the same library as this process, also from a checkout that isn't installed.
LIBRARY = str(Path(__file__).parents[2])
NICENESS = 10
# Seconds between asking a child to end and killing it.
GRACE_SECONDS = 3
POLL_SECONDS = 0.05
# How much of the end of a child's output is kept: enough for its last line.
KEPT_BYTES = 10_000


@dataclass(frozen=True)
class Result:
    """How a child process ended.

    Attributes:
        outcome: "done", "failed" or "cancelled".
        status: its exit status, negative for a signal; None if it was cancelled or reached its time limit.
        reason: why it failed, usually the last line that it printed; otherwise empty.
    """

    outcome: Outcome
    status: int | None = None
    reason: str = ""


def run_python(
    arguments: Sequence[object],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    time_limit: float = inf,
    cancelled: Event | None = None,
    log: Path | None = None,
    low_priority: bool = False,
) -> Result:
    """Run Python until it ends, is cancelled or reaches its time limit; then end all that it has started.

    Args:
        arguments: a script, or `-m` and a module, followed by their own arguments.
        environment: all of its environment variables; by default those of this process.
        folder: its working directory; by default that of this process.
        time_limit: in seconds.
        cancelled: ends the process once set.
        log: a file to append its output to; by default stdout is discarded and only the end of stderr is read.
        low_priority: give way to other processes.

    Raises:
        OSError, ValueError: it can't be started, or the log can't be written.
    """
    if log:
        log.touch()
    deadline = monotonic() + time_limit
    cancelled = cancelled or Event()
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if log else subprocess.DEVNULL,
        stderr=subprocess.STDOUT if log else subprocess.PIPE,
        env=_safe(os.environ if environment is None else environment),
        start_new_session=True,
        # Windows has it, and neither sessions nor niceness.
        creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) if low_priority else 0,
    )
    end_of_output = bytearray()
    reader = Thread(target=_read, args=[process.stdout or process.stderr, log, end_of_output], daemon=True)
    try:
        reader.start()
        if low_priority:
            _lower_priority(process)
        while process.poll() is None:
            if cancelled.wait(POLL_SECONDS):
                return Result("cancelled")
            if monotonic() > deadline:
                return Result("failed", reason=f"it took longer than {time_limit:g} seconds and was ended")
    finally:
        _end(process)
        # Something that left the session may keep the pipe open.
        reader.join(timeout=1)
    status = process.returncode
    if status == 0:
        return Result("done", status)
    if status < 0:
        return Result("failed", status, f"it was ended by signal {-status} ({signal.strsignal(-status)})")
    lines = [line.strip() for line in end_of_output.decode(errors="replace").splitlines() if line.strip()]
    return Result("failed", status, lines[-1].removeprefix("error: ") if lines else f"it ended with status {status}")


def _safe(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, changed so that Python and its children don't import from the current folder."""
    # An empty entry would be the current folder, too.
    folders = filter(None, [LIBRARY, *environment.get("PYTHONPATH", "").split(os.pathsep)])
    return {**environment, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(folders)}


def _read(pipe: IO[bytes], log: Path | None, end: bytearray) -> None:
    with pipe, log.open("ab", buffering=0) if log else nullcontext() as file:
        while chunk := os.read(pipe.fileno(), 65_536):
            if file:
                file.write(chunk)
            end += chunk
            del end[:-KEPT_BYTES]


def _lower_priority(process: subprocess.Popen) -> None:
    if hasattr(os, "setpriority"):
        # It may have ended already, or the system may forbid it; neither matters.
        with suppress(OSError):
            # For the whole group, which includes threads that it has already started.
            os.setpriority(os.PRIO_PGRP, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


def _end(process: subprocess.Popen) -> None:
    """End the child, if it still runs, and on Linux and macOS all that it has started."""
    if not hasattr(os, "killpg"):
        process.kill()
        process.wait()
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        # No process may be left, and macOS refuses a group in which only the dead child is left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
