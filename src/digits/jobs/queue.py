"""Heavy work for an app that many use at once: a bounded queue of Python processes, one at a time and in order."""

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

TIME_LIMIT = 30 * 60


@dataclass(eq=False, repr=False)
class Job:
    """A Python process in a queue, from its submission to its end; any thread may read or cancel it.

    Attributes:
        title: what people call it.
        state: "waiting", "running", then "done", "failed" or "cancelled".
        error: why it failed, as a rule the last line that it printed to stderr; else empty.
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
        """How much is done, 0 to 1; where that can't be told, what was known last."""
        if self.state == "running" and self.ask_progress:
            # The function looks at what the child writes meanwhile; whatever it finds there, no page must fail by it.
            with suppress(Exception):
                # Zero stands first, so that not-a-number counts as nothing.
                self.known_progress = min(1.0, max(0.0, float(self.ask_progress())))
        return 1.0 if self.state == "done" else self.known_progress

    @property
    def seconds(self) -> float:
        """How long it has run."""
        began, ended = self.began, self.ended
        return 0.0 if began is None else (ended or monotonic()) - began

    @property
    def position(self) -> int:
        """How many jobs are before it; 0 once its turn has come."""
        with self.queue.changing:
            return self.queue.jobs.index(self) if self in self.queue.jobs else 0

    def cancel(self) -> None:
        """Take it out if it waits; have its process ended, without waiting for that, if it runs."""
        with self.queue.changing:
            self.cancelled.set()
            if self.state == "waiting":
                self.queue.jobs.remove(self)
                self.state = "cancelled"


class Queue:
    """Runs jobs one after the other, and ends the last one when the interpreter exits.

    Attributes:
        jobs: the one whose turn it is, then those that wait, in their order.
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
            progress: how much of it is done, 0 to 1; asked by any thread while it runs.
            time_limit: seconds from its start.

        Raises:
            ValueError: as many jobs wait as the queue takes.
        """
        job = Job(title, arguments, time_limit, progress, self)
        with self.changing:
            if self._closed:
                raise ValueError("the server is about to end; nothing can be started")
            if len(self.jobs) > self._capacity:
                raise ValueError(f"the server is busy: {self._capacity} jobs wait already; try again in a while")
            self.jobs.append(job)
            self.changing.notify()
        return job

    def close(self) -> None:
        """Cancel all jobs, take no more, and come back when the last process has ended."""
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
            # A process that can't be started is its own job's failure; the others must still have their turn.
            except Exception as problem:
                result = subprocesses.Result("failed", reason=str(problem))
            with self.changing:
                self.jobs.popleft()
                job.ended = monotonic()
                job.error = result.reason
                job.state = result.outcome
