"""Give damaged files to everything that reads a user's: `python -m tools.fuzz`, or `make fuzz`.

Whatever a file holds, its reader returns something right or refuses it in a sentence of the project's own, within
limits of memory and time. Files for which that isn't so are kept in --output-dir, and the exit status is 1.
"""

import dis
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np

from digits import cli, files, paths
from digits.errors import LONGEST_MESSAGE, check_ranges, in_one_line, seed_range
from tools.fuzz.mutations import mutate
from tools.fuzz.targets import TARGETS, Seed

SECONDS = 20
# Of a whole process, which has loaded NumPy, OpenCV, pandas, scikit-learn and ONNX.
PEAK_BYTES = 1_500_000_000
# Protects the machine alone: a reader that asks for too much must be seen, and would refuse the file at a MemoryError.
MOST_BYTES = 6_000_000_000
# Files that a process reads before the next one takes over.
SHARE = 500
LIBRARY = str(paths.ROOT / "src" / "digits")
Kind = Literal["pictures", "models", "cards", "studies", "datasets"]
HEADINGS = ("files", "read", "refused", "ended", "failed", "slowest", "memory", "rate")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to damage, and how much."""

    count: int = 100_000
    """Number of damaged files of each kind."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    """What to damage."""
    workers: int = 2
    """Number of processes."""
    random_seed: int = 0
    """Seed of the damage."""
    output_dir: Path = paths.REPORTS / "fuzz"
    """Folder for the files that aren't read or refused as they should be, each with the reason."""

    def __post_init__(self) -> None:
        counts = [(name, getattr(self, name) >= 1, "at least 1") for name in ("count", "workers")]
        check_ranges(self, *counts, seed_range(self.random_seed))


@dataclass(frozen=True)
class Attempt:
    """How a damaged file was read: `read`, `refused`, `ended` or `failed`, with the reason for the last of these.

    The reading of a file is ended only where the project itself confines it.
    """

    outcome: str
    problem: str = ""
    seconds: float = 0.0
    peak: int = 0


def main(options: Options) -> None:
    """Damage and read files of each kind, print a row of counts for each, and exit with status 1 after any failure."""
    # OpenCV's threads wouldn't survive a fork.
    cv2.setNumThreads(1)
    output_dir = files.output_folder(options.output_dir).resolve()
    print(f"{'kind':10}", *(f"{heading:>9}" for heading in HEADINGS), flush=True)
    failed = sum(fuzz(kind, options, output_dir) for kind in options.kinds)
    if failed:
        print(f"{failed} files in {output_dir} were neither read nor refused as they should be")
        sys.exit(1)


def fuzz(kind: str, options: Options, output_dir: Path) -> int:
    """Damage and read files of one kind, print its row, and return the number of failures."""
    began = time.perf_counter()
    outcomes, slowest, peak = Counter(), 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        seeds = list(TARGETS[kind].seeds(Path(folder)))
        damaged = partial(damage, kind, seeds, options.random_seed)
        for index, attempt in attempts(kind, damaged, options, Path(folder)):
            if index < len(seeds) and attempt.outcome == "refused":
                attempt = Attempt("failed", "refused although it is whole")
            outcomes[attempt.outcome] += 1
            slowest, peak = max(slowest, attempt.seconds), max(peak, attempt.peak)
            if attempt.problem:
                seed, content = damaged(index)
                print(f"{kind} {index}, {seed.name}: {attempt.problem.splitlines()[-1]:.200}", flush=True)
                (output_dir / f"{kind}-{index}-{seed.name}").write_bytes(content)
                files.write_text(output_dir / f"{kind}-{index}.txt", attempt.problem)
    counts = [options.count, *(outcomes[outcome] for outcome in HEADINGS[1:5])]
    rate = options.count / (time.perf_counter() - began)
    measures = f"{slowest:>7.2f} s", f"{peak / 1e6:>6.0f} MB", f"{rate:>7.0f}/s"
    print(f"{kind:10}", *(f"{count:>9,}" for count in counts), *measures, flush=True)
    return outcomes["failed"]


def damage(kind: str, seeds: list[Seed], random_seed: int, index: int) -> tuple[Seed, bytes]:
    """One of the whole files, and its damaged content; the first ones stay whole."""
    seed = seeds[index % len(seeds)]
    if index < len(seeds):
        return seed, seed.content
    rng = np.random.default_rng([random_seed, list(TARGETS).index(kind), index])
    return seed, mutate(seed.content, rng, [other.content for other in seeds])


def attempts(kind: str, damaged, options: Options, folder: Path):
    """Yield the index of each file and the attempt to read it, by several processes that may die of it."""
    context = multiprocessing.get_context("fork")
    shares = deque(deque(range(options.count)[start : start + SHARE]) for start in range(0, options.count, SHARE))
    running = {}
    while shares or running:
        while shares and len(running) < options.workers:
            share = shares.popleft()
            connection, other_end = context.Pipe(duplex=False)
            process = context.Process(target=read_all, args=(kind, damaged, tuple(share), folder, other_end))
            process.start()
            other_end.close()
            running[connection] = process, share
        for connection in wait(list(running)):
            assert isinstance(connection, Connection)
            process, share = running[connection]
            try:
                attempt = connection.recv()
            except EOFError:
                del running[connection]
                process.join()
                if share:
                    shares.appendleft(share)
                if not share or not process.exitcode:
                    continue
                reason = f"it took longer than {SECONDS} s" if process.exitcode == -signal.SIGALRM else "it crashed"
                failed = Attempt("failed", f"{reason} (status {process.exitcode})")
                attempt = Attempt("ended") if damaged(share[0])[0].name.endswith(TARGETS[kind].confined) else failed
            yield share.popleft(), attempt


def read_all(kind: str, damaged, indices: tuple[int, ...], folder: Path, connection: Connection) -> None:
    """In a process of its own, read damaged files and send each attempt."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    # Python couldn't handle the signal while a decoder written in C runs.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # What libraries written in C print about damaged files.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    for index in indices:
        seed, content = damaged(index)
        path = placed(seed, content, folder / str(indices[0]))
        signal.alarm(SECONDS)
        attempt = attempt_to_read(kind, path)
        signal.alarm(0)
        connection.send(attempt)
        if attempt.peak > PEAK_BYTES:
            # Another process takes over, because the peak of this one stays.
            return


def placed(seed: Seed, content: bytes, folder: Path) -> Path:
    """The path of a file written with this content, beside what belongs to it."""
    own = folder / seed.name
    own.mkdir(parents=True, exist_ok=True)
    for name, each in {**seed.beside, seed.name: content}.items():
        (own / name).write_bytes(each)
    return own / seed.name


def attempt_to_read(kind: str, path: Path) -> Attempt:
    """Read a damaged file, and judge how that ends."""
    began, outcome, problem = time.perf_counter(), "read", ""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            TARGETS[kind].read(path)
        except Exception as error:
            outcome, problem = "refused", why_not_a_refusal(error)
    seconds, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    if not problem and peak > PEAK_BYTES:
        problem = f"it took {peak / 1e6:.0f} MB"
    if not problem and warned:
        problem = f"{warned[0].filename}:{warned[0].lineno}: {warned[0].category.__name__}: {warned[0].message}"
    return Attempt("failed" if problem else outcome, problem, seconds, peak)


def why_not_a_refusal(error: Exception) -> str:
    """Why an exception isn't a refusal by the project in a sentence on one line; empty if it is."""
    if not isinstance(error, ValueError | OSError):
        return traceback.format_exc()
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    assert last
    code = last.tb_frame.f_code
    is_ours = code.co_filename.startswith(LIBRARY) and dis.opname[code.co_code[last.tb_lasti]] == "RAISE_VARARGS"
    by_the_system = isinstance(error, OSError) and error.errno is not None
    message = in_one_line(error)
    if not is_ours and not by_the_system:
        return traceback.format_exc()
    if not message or len(message) > LONGEST_MESSAGE or "\n" in message or "\x1b" in message:
        return f"not a sentence on one line: {message!r}"
    return ""


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
