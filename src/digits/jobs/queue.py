"""Heavy work for an app with several users: a bounded queue of Python processes, run one at a time and in order."""

import atexit
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from time import monotonic
from typing import Literal

from digits.jobs import subprocesses

State = Literal["waiting", "running", "done", "failed", "cancelled"]
UNDER_WAY = ("waiting", "running")

TIME_LIMIT = 30 * 60


@dataclass(eq=False, repr=False)
class Job:
    """A Python process in a queue, from its submission to its end; any thread may read or cancel it.

    Attributes:
        title: its name on the page.
        state: "waiting", "running", then "done", "failed" or "cancelled".
        error: why it failed, usually the last line that it printed to stderr; otherwise empty.
    """

    title: str
    arguments: Sequence[object]
    time_limit: float
    ask_progress: Callable[[], float] | None
    queue: "Queue"
    state: State = "waiting"
    error: str = ""
    cancelled: Event = field(default_factory=Event)
    began: float | None = None
    ended: float | None = None
    known_progress: float = 0.0

    @property
    def progress(self) -> float:
        """The share that is done, 0 to 1; the last known one if that can't be determined."""
        if self.state == "running" and self.ask_progress:
            # The function reads files that the child is still writing; whatever it finds, the page must not fail.
            with suppress(Exception):
                # With 0 first, max turns NaN into 0.
                self.known_progress = min(1.0, max(0.0, float(self.ask_progress())))
        return 1.0 if self.state == "done" else self.known_progress

    @property
    def seconds(self) -> float:
        """Seconds from its start until now, or until it ended."""
        began, ended = self.began, self.ended
        return 0.0 if began is None else (ended or monotonic()) - began

    @property
    def position(self) -> int:
        """The number of jobs ahead of it; 0 once it runs."""
        with self.queue.changing:
            return self.queue.jobs.index(self) if self in self.queue.jobs else 0

    def cancel(self) -> None:
        """Remove it from the queue if it waits; if it runs, ask for its process to be ended and return at once."""
        with self.queue.changing:
            self.cancelled.set()
            if self.state == "waiting":
                self.queue.jobs.remove(self)
                self.state = "cancelled"


class Queue:
    """Runs jobs one after the other, and ends the running one when the interpreter exits.

    Attributes:
        jobs: the running one, then the waiting ones in order.
        changing: held while `jobs` or the state of one of them changes.
    """

    def __init__(self, capacity: int = 4):
        self.jobs: deque[Job] = deque()
        self.changing = Condition()
        self._capacity = capacity
        self._closed = False
        self._worker = Thread(target=self._work, daemon=True)
        self._worker.start()
        atexit.register(self.close)

    def submit(
        self,
        title: str,
        arguments: Sequence[object],
        progress: Callable[[], float] | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> Job:
        """Put a Python process at the end of the queue.

        Args:
            arguments: a script, or `-m` and a module, followed by their own arguments.
            progress: returns the share that is done, 0 to 1; any thread calls it while the job runs.
            time_limit: seconds from its start.

        Raises:
            ValueError: the queue is full or closed.
        """
        job = Job(title, arguments, time_limit, progress, self)
        with self.changing:
            if self._closed:
                raise ValueError("the server is shutting down; no job can be started")
            if len(self.jobs) > self._capacity:
                raise ValueError(f"the server is busy: {self._capacity} jobs are waiting; try again later")
            self.jobs.append(job)
            self.changing.notify()
        return job

    def close(self) -> None:
        """Cancel all jobs, accept no more, and return when the last process has ended."""
        with self.changing:
            self._closed = True
            for job in list(self.jobs):
                job.cancel()
            self.changing.notify()
        self._worker.join()
        atexit.unregister(self.close)

    def _work(self) -> None:
        while True:
            with self.changing:
                self.changing.wait_for(lambda: self.jobs or self._closed)
                if not self.jobs:
                    return
                job = self.jobs[0]
                job.began = monotonic()
                job.state = "running"
            try:
                result = subprocesses.run_python(
                    job.arguments, time_limit=job.time_limit, cancelled=job.cancelled, low_priority=True
                )
            # If a process can't be started, only its own job fails; the others still get their turn.
            except Exception as problem:
                result = subprocesses.Result("failed", reason=str(problem))
            with self.changing:
                self.jobs.popleft()
                job.ended = monotonic()
                job.error = result.reason
                job.state = result.outcome
