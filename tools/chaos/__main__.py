"""Kill, fill and lock whatever writes files: `python -m tools.chaos`, or `make chaos`; it needs Linux or macOS.

Processes are killed with SIGKILL, half of them after a random time, half right before a random file operation. Disks
are full, folders read-only and homes missing; two processes write the same, and ten sessions share the page. Each time
all earlier files must be whole, errors a sentence, and the next run right; otherwise the exit status is 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from digits import cli, paths
from digits.errors import check_ranges, seed_range
from tools.chaos import scenarios
from tools.chaos.disks import empty, fresh, read_only, small_disk
from tools.chaos.page import show_samples
from tools.chaos.processes import Ending, Process
from tools.chaos.scenarios import Scenario

# After so many kills in a row, the work is done undisturbed.
REPEATED = 4
OUTCOMES = ("done", "killed", "refused", "incomplete")
# What a user's environment may lack or have wrongly.
ENVIRONMENTS = [
    {"HOME": None, "XDG_CACHE_HOME": None},
    {"HOME": "", "XDG_CACHE_HOME": ""},
    {"HOME": os.devnull, "XDG_CACHE_HOME": None},
    {"XDG_CACHE_HOME": os.devnull},
    {"XDG_CACHE_HOME": "relative"},
    {"HOME": "/nonexistent/home", "XDG_CACHE_HOME": "/proc/cache"},
]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How much to disturb."""

    saving: int = 90
    """Kills while a forest is published over another one."""
    collecting: int = 60
    """Kills while drawings are saved to a collection."""
    sweeping: int = 60
    """Kills during sweeps."""
    training: int = 15
    """Kills during trainings."""
    fine_tuning: int = 8
    """Kills during fine-tunings."""
    others: int = 10
    """How often a disk is full and how often two processes write the same while saving, collecting and sweeping."""
    environments: int = len(ENVIRONMENTS)
    """How many environments without a usable home predict.py is run in."""
    sessions: int = 10
    """Sessions on the page at the same time."""
    seconds: int = 600
    """Nothing more is begun after this time."""
    random_seed: int = 0
    """Seed of the moments."""

    def __post_init__(self) -> None:
        counts = (name for name in vars(self) if name != "random_seed")
        ranges = [(name, getattr(self, name) >= 0, "at least 0") for name in counts]
        check_ranges(self, *ranges, seed_range(self.random_seed))


class Row:
    """A line of the printed table; what went wrong follows it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()

    def run(self, process: Process, *expected: str, kill_after: float | None = None) -> Ending:
        """Wait for a process, and count how it ended."""
        ending = process.end(kill_after)
        self.counts[ending.outcome] += 1
        if ending.outcome not in expected:
            self.failures.append(f"{ending.outcome}: {ending.text}")
        return ending

    def check(self, scenario: Scenario, folder: Path, complete: bool) -> None:
        """Check the files, and, if the work should be complete, that too."""
        try:
            is_complete = scenario.check(folder)
        except Exception:
            self.failures.append(traceback.format_exc())
            return
        self.counts["incomplete"] += not is_complete
        if complete and not is_complete:
            self.failures.append("the work ended, and isn't complete")

    def again(self, scenario: Scenario, folder: Path, turn: int) -> Ending:
        """Do the work undisturbed: it must be complete then."""
        ending = self.run(Process(lambda: scenario.work(folder, turn), folder), "done")
        self.check(scenario, folder, complete=True)
        if scenario.starts_empty:
            empty(folder)
        return ending

    def print(self) -> None:
        """Print the counts, and each failure."""
        print(f"{self.name:36}", *(f"{self.counts[outcome]:>10}" for outcome in OUTCOMES), f"{len(self.failures):>10}")
        print(*self.failures, sep="\n", end="\n" * bool(self.failures), flush=True)


def main(options: Options) -> None:
    """Disturb everything, print a row of counts for each, and exit with status 1 after any failure."""
    # OpenCV's threads wouldn't survive a fork.
    cv2.setNumThreads(1)
    deadline = time.monotonic() + options.seconds
    failures = killed = 0
    print(f"{'':36}", *(f"{outcome:>10}" for outcome in (*OUTCOMES, "failures")))
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(options, Path(folder), deadline):
            row.print()
            failures += len(row.failures)
            killed += row.counts["killed"]
    print(f"{killed} kills")
    if time.monotonic() > deadline:
        print(f"stopped after {options.seconds} s: not all was done")
    sys.exit(1 if failures else 0)


def rows(options: Options, folder: Path, deadline: float) -> Iterator[Row]:
    """Disturb everything, a row at a time."""
    rng = np.random.default_rng(options.random_seed)
    makers = (scenarios.saving, scenarios.collecting, scenarios.sweeping)
    quick = {make.__name__: make() for make in makers if getattr(options, make.__name__)}
    for name, scenario in quick.items():
        yield kill(name, scenario, getattr(options, name), fresh(folder), rng, deadline)
    for name, scenario in quick.items():
        yield write_twice(name, scenario, options.others, fresh(folder))
    with small_disk(folder) as disk:
        if disk is None:
            print("full disks were left out: only root may mount a small one")
        else:
            for name, scenario in quick.items():
                yield fill(name, scenario, options.others, disk, rng)
    for name, scenario in quick.items():
        yield lock(name, scenario, fresh(folder))
    if options.environments:
        yield without_home(options.environments, fresh(folder))
    if options.sessions:
        yield page_sessions(options.sessions)
    for make in (scenarios.training, scenarios.fine_tuning):
        if times := getattr(options, make.__name__):
            yield kill(make.__name__, make(), times, fresh(folder), rng, deadline)


def kill(name: str, scenario: Scenario, times: int, folder: Path, rng: np.random.Generator, deadline: float) -> Row:
    """Kill the work so many times, by turns before a file operation and after some time, and repeat it."""
    row = Row(f"SIGKILL: {name}")
    whole = row.again(scenario, folder, 0)
    turn = 0
    while row.counts["killed"] < times and time.monotonic() < deadline and not row.failures:
        turn += 1
        at = int(rng.integers(1, whole.operations + 1)) if turn % 2 else None
        after = None if at else float(rng.uniform(0, whole.seconds))
        process = Process(lambda: scenario.work(folder, turn), folder, at)  # noqa: B023
        ended = row.run(process, "killed", "done", kill_after=after).outcome == "done"
        row.check(scenario, folder, complete=ended)
        if ended or turn % REPEATED == 0:
            row.again(scenario, folder, turn)
    row.again(scenario, folder, turn)
    return row


def write_twice(name: str, scenario: Scenario, times: int, folder: Path) -> Row:
    """Start the work in two processes at once: one may be refused."""
    row = Row(f"two writers: {name}")
    for turn in range(times):
        processes = [Process(lambda: scenario.work(folder, turn), folder) for turn in (turn, turn + 1)]  # noqa: B023
        endings = [row.run(process, "done", "refused") for process in processes]
        row.check(scenario, folder, complete=any(ending.outcome == "done" for ending in endings))
        if all(ending.outcome == "refused" for ending in endings):
            row.failures.append(f"both were refused: {endings}")
        if scenario.starts_empty:
            empty(folder)
    return row


def fill(name: str, scenario: Scenario, times: int, disk: Path, rng: np.random.Generator) -> Row:
    """Do the work with less space on the disk than it needs: it is refused, and done when there is space again."""
    row = Row(f"full disk: {name}")
    empty(disk)
    row.run(Process(lambda: scenario.work(disk, 0), disk), "done")
    row.check(scenario, disk, complete=True)
    needed = shutil.disk_usage(disk).used
    for turn in range(1, times + 1):
        if scenario.starts_empty:
            empty(disk)
        left = shutil.disk_usage(disk).free - int(rng.integers(needed))
        (disk / ".filler").write_bytes(bytes(max(0, left)))
        row.run(Process(lambda: scenario.work(disk, turn), disk), "refused", "done")  # noqa: B023
        row.check(scenario, disk, complete=False)
        (disk / ".filler").unlink()
        row.run(Process(lambda: scenario.work(disk, turn), disk), "done")  # noqa: B023
        row.check(scenario, disk, complete=True)
    return row


def lock(name: str, scenario: Scenario, folder: Path) -> Row:
    """Do the work in a folder in which nothing may be written, root's writing included where it can be mounted so."""
    row = Row(f"read-only folder: {name}")
    row.again(scenario, folder, 0)
    with read_only(folder):
        row.run(Process(lambda: scenario.work(folder, 1), folder), "refused")
        row.check(scenario, folder, complete=not scenario.starts_empty)
    row.again(scenario, folder, 1)
    return row


def without_home(count: int, folder: Path) -> Row:
    """Read a picture in environments without a usable home or cache folder."""
    row = Row("no home: predict.py")
    for changed in ENVIRONMENTS[:count]:
        environment = {name: value for name, value in (os.environ | changed).items() if value is not None}
        command = [sys.executable, paths.ROOT / "src" / "predict.py", paths.MY_DIGITS / "sample" / "7"]
        process = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        row.counts["done"] += process.returncode == 0
        if process.returncode or process.stderr or "7" not in process.stdout or any(folder.iterdir()):
            row.failures.append(f"{changed}: status {process.returncode}, {process.stderr}")
    return row


def page_sessions(count: int) -> Row:
    """Show another test digit in each of several sessions on the page at once."""
    row = Row("sessions at once: the page")
    for problem in show_samples(count):
        row.counts["done"] += not problem
        row.failures += filter(None, [problem])
    return row


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
