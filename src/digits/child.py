"""A child process that gives way to everything else, can be cancelled, and leaves nothing running behind it."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from typing import IO, Literal

Outcome = Literal["done", "failed", "cancelled"]

NICENESS = 10
# What a child has, once asked to end, before it is killed.
GRACE_SECONDS = 3
POLL_SECONDS = 0.05
# Of what a child prints to stderr, the end: enough for its last line.
KEPT_BYTES = 10_000


def run(
    command: Sequence[str], environment: Mapping[str, str], time_limit: float, cancelled: Event
) -> tuple[Outcome, str]:
    """Run a command to its end, or until it is cancelled or `time_limit` seconds are over.

    Returns:
        What became of it, and why it failed: as a rule the last line that it printed to stderr.

    Raises:
        OSError, ValueError: it can't be started.
    """
    deadline = monotonic() + time_limit
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
        start_new_session=True,
        # Windows has it, and neither sessions nor niceness.
        creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
    )
    end_of_stderr = bytearray()
    reader = Thread(target=_keep_end, args=[process.stderr, end_of_stderr], daemon=True)
    try:
        reader.start()
        _lower_priority(process)
        while process.poll() is None:
            if cancelled.wait(POLL_SECONDS):
                return "cancelled", ""
            if monotonic() > deadline:
                return "failed", f"it took longer than {time_limit:g} seconds and was ended"
    finally:
        _end(process)
    if process.returncode == 0:
        return "done", ""
    if process.returncode < 0:
        return "failed", f"it was ended by signal {-process.returncode} ({signal.strsignal(-process.returncode)})"
    # Something that left the session may keep the pipe open.
    reader.join(timeout=1)
    lines = [line.strip() for line in end_of_stderr.decode(errors="replace").splitlines() if line.strip()]
    return "failed", lines[-1].removeprefix("error: ") if lines else f"it ended with status {process.returncode}"


def _keep_end(pipe: IO[bytes], end: bytearray) -> None:
    with pipe:
        while chunk := pipe.read1(65_536):
            end += chunk
            del end[:-KEPT_BYTES]


def _lower_priority(process: subprocess.Popen) -> None:
    if hasattr(os, "setpriority"):
        # It may have ended already, and a system may forbid it; neither is a reason not to run.
        with suppress(OSError):
            # Of the whole group, so that no thread that it has begun meanwhile keeps the old one.
            os.setpriority(os.PRIO_PGRP, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


def _end(process: subprocess.Popen) -> None:
    """End the child, if it still runs, and on Linux and macOS all that it has started."""
    if not hasattr(os, "killpg"):
        process.kill()
        process.wait()
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        # Nobody may be left; macOS refuses a group of which only the dead child is left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
