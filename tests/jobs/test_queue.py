"""Real child processes: they come in order, give way, fail with a sentence, and are all gone in the end."""

import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import pytest

from digits import paths
from digits.jobs import queue as job_queue
from digits.jobs import subprocesses
from tests.support import wait_until

SLEEP = ["-c", "import time; time.sleep(60)"]
# Adds a byte to a file for as long as it lives, and says first who it is.
BEAT = """
import os, sys, time
with open(sys.argv[1], "ab", buffering=0) as file:
    file.write(b"%d " % os.getpid())
    while True:
        file.write(b".")
        time.sleep(0.02)
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + BEAT
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DEAF!r}, sys.argv[1]])"
SOON_ENDED = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, '-c', {BEAT!r}, sys.argv[1]])
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
"""

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has neither process groups nor niceness")


@pytest.fixture
def queue():
    queue = job_queue.Queue()
    yield queue
    queue.close()


def python(code: str, *arguments: object) -> list[str]:
    return ["-c", code, *map(str, arguments)]


def wait_for_end(*submitted: job_queue.Job) -> None:
    wait_until(lambda: all(job.state in ("done", "failed", "cancelled") for job in submitted))


def beats(file) -> int:
    return file.stat().st_size if file.exists() else 0


def assert_silent(file) -> None:
    before = beats(file)
    assert before
    time.sleep(0.15)
    assert beats(file) == before


def test_jobs_run_one_at_a_time_in_their_order(queue, tmp_path):
    log = tmp_path / "log"
    code = "import sys, time\nfor word in ('begin', 'end'): open(sys.argv[1], 'a').write(sys.argv[2] + word + '\\n')"
    submitted = [queue.submit(name, python(code, log, name)) for name in "abc"]
    assert [job.position for job in submitted] == [0, 1, 2]
    wait_for_end(*submitted)
    assert log.read_text().split() == ["abegin", "aend", "bbegin", "bend", "cbegin", "cend"]
    assert [(job.state, job.error, job.progress, job.position) for job in submitted] == [("done", "", 1, 0)] * 3
    assert all(job.seconds > 0 for job in submitted)


def test_a_full_queue_refuses_and_takes_again_when_one_leaves(queue):
    running, *waiting = [queue.submit("sweep", SLEEP) for _ in range(5)]
    with pytest.raises(ValueError, match="4 jobs are waiting"):
        queue.submit("one too many", SLEEP)
    assert [job.position for job in waiting] == [1, 2, 3, 4]
    waiting[1].cancel()
    assert waiting[1].state == "cancelled"
    assert [job.position for job in waiting] == [1, 0, 2, 3]
    assert queue.submit("now it may", SLEEP).position == 4
    running.cancel()
    wait_until(lambda: waiting[0].state == "running")
    assert running.state == "cancelled"


def test_a_job_that_waits_has_not_begun(queue, tmp_path):
    queue.submit("first", SLEEP)
    waiting = queue.submit("second", python(BEAT, tmp_path / "beat"), lambda: 0.5)
    time.sleep(0.1)
    assert (waiting.state, waiting.seconds, waiting.progress) == ("waiting", 0, 0)
    waiting.cancel()
    assert (waiting.state, waiting.seconds) == ("cancelled", 0)
    assert not (tmp_path / "beat").exists()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("sys.stderr.write('a warning\\nerror: no model mnist_cnm\\n\\n'); sys.exit(2)", "no model mnist_cnm"),
        ("sys.stderr.write('\\r 10%|#\\r 20%|##\\n'); sys.exit('error: the disk is full')", "the disk is full"),
        ("sys.stderr.buffer.write(b'caf\\xe9\\n'); sys.exit(1)", "caf\N{REPLACEMENT CHARACTER}"),
        ("sys.exit(3)", "it ended with status 3"),
        ("raise KeyError('fog')", "KeyError: 'fog'"),
    ],
)
def test_a_failure_is_told_by_the_last_line(queue, code, error):
    job = queue.submit("sweep", python("import sys; " + code))
    wait_for_end(job)
    assert (job.state, job.error) == ("failed", error)


@posix_only
def test_a_child_that_is_killed_from_outside_has_failed(queue):
    job = queue.submit("sweep", python("import os; os.kill(os.getpid(), 9)"))
    wait_for_end(job)
    assert (job.state, job.error) == ("failed", "it was ended by signal 9 (Killed)")


def test_a_process_that_cannot_be_started_stops_no_other(queue):
    failing, next_one = queue.submit("nothing", ["a\0b"]), queue.submit("something", python("pass"))
    wait_for_end(failing, next_one)
    assert failing.state == "failed"
    assert failing.error
    assert next_one.state == "done"


def test_the_time_limit_ends_a_job(queue, tmp_path):
    job = queue.submit("sweep", python(BEAT, tmp_path / "beat"), time_limit=0.5)
    wait_for_end(job)
    assert (job.state, job.error) == ("failed", "it took longer than 0.5 seconds and was ended")
    assert 0.5 < job.seconds < 3
    assert_silent(tmp_path / "beat")


def test_cancelling_ends_the_process_and_changes_nothing_later(queue, tmp_path):
    job = queue.submit("sweep", python(BEAT, tmp_path / "beat"))
    wait_until(lambda: beats(tmp_path / "beat"))
    began = time.monotonic()
    job.cancel()
    assert time.monotonic() - began < 0.2
    wait_for_end(job)
    assert (job.state, job.error, job.progress) == ("cancelled", "", 0)
    assert_silent(tmp_path / "beat")
    seconds = job.seconds
    job.cancel()
    assert (job.state, job.seconds) == ("cancelled", seconds)

    finished = queue.submit("quick", python("pass"))
    wait_for_end(finished)
    finished.cancel()
    assert finished.state == "done"


@posix_only
@pytest.mark.parametrize("code", [DEAF, PARENT])
def test_cancelling_ends_a_child_that_ignores_it_and_a_grandchild(queue, tmp_path, monkeypatch, code):
    monkeypatch.setattr(subprocesses, "GRACE_SECONDS", 0.3)
    job = queue.submit("sweep", python(code, tmp_path / "beat"))
    wait_until(lambda: beats(tmp_path / "beat"))
    job.cancel()
    wait_for_end(job)
    assert job.state == "cancelled"
    assert_silent(tmp_path / "beat")


@posix_only
def test_a_child_may_tidy_up_when_it_is_cancelled(queue, tmp_path):
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), file.with_suffix('.tidy').touch(), sys.exit()))\n"
        "file = pathlib.Path(sys.argv[1]); file.touch(); time.sleep(60)"
    )
    job = queue.submit("sweep", python(code, tmp_path / "begun"))
    wait_until((tmp_path / "begun").exists)
    job.cancel()
    wait_for_end(job)
    assert job.state == "cancelled"
    assert (tmp_path / "begun.tidy").exists()


@posix_only
def test_what_a_finished_child_left_running_is_ended(queue, tmp_path):
    job = queue.submit("sweep", python(SOON_ENDED, tmp_path / "beat"))
    wait_for_end(job)
    assert job.state == "done"
    assert_silent(tmp_path / "beat")


def test_progress_is_asked_while_it_runs_and_clipped(queue):
    answers = iter([-1, 0.25, float("nan"), 0.5, 7, 0.75])
    job = queue.submit("sweep", SLEEP, lambda: next(answers))
    wait_until(lambda: job.state == "running")
    # The last two: the function fails, which leaves what was known.
    assert [job.progress for _ in range(8)] == [0, 0.25, 0, 0.5, 1, 0.75, 0.75, 0.75]
    job.cancel()
    wait_for_end(job)
    assert job.progress == 0.75


@pytest.mark.parametrize("answer", [None, "half", [1]])
def test_progress_that_is_no_number_harms_nothing(queue, answer):
    job = queue.submit("sweep", python("import time; time.sleep(0.2)"), lambda: answer)
    wait_until(lambda: job.state == "running")
    assert job.progress == 0
    wait_for_end(job)
    assert (job.state, job.progress) == ("done", 1)


def test_endless_stderr_takes_no_memory(queue):
    code = "import sys\nfor _ in range(500): sys.stderr.write('x' * 100_000)\nsys.exit('\\nerror: at last')"
    tracemalloc.start()
    try:
        job = queue.submit("chatterbox", python(code))
        wait_for_end(job)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (job.state, job.error) == ("failed", "at last")
    assert peak < 2_000_000

    one_line = queue.submit("one line", python(code.replace("\\nerror: at last", "")))
    wait_for_end(one_line)
    assert set(one_line.error) == {"x"}
    assert len(one_line.error) <= subprocesses.KEPT_BYTES


@posix_only
def test_a_child_and_its_child_have_lower_priority(queue, tmp_path):
    job = queue.submit("sweep", python(PARENT, tmp_path / "beat"))
    wait_until(lambda: beats(tmp_path / "beat") > 10)
    grandchild = int((tmp_path / "beat").read_bytes().split()[0])
    lower = min(19, os.getpriority(os.PRIO_PROCESS, 0) + subprocesses.NICENESS)
    for process in (grandchild, os.getpgid(grandchild)):
        assert os.getpriority(os.PRIO_PROCESS, process) == lower
    job.cancel()


def test_a_child_has_the_servers_environment_and_no_input(queue, tmp_path, monkeypatch):
    monkeypatch.setenv("OF_THE_SERVER", "1")
    code = (
        "import os, sys; from pathlib import Path\n"
        "print('lost')\n"
        "found = (os.environ['OF_THE_SERVER'], sys.stdin.read())\n"
        "Path(sys.argv[1]).write_text(repr(found))"
    )
    (tmp_path / "typed").write_text("typed into the server's terminal")
    stdin = os.dup(0)
    try:
        with (tmp_path / "typed").open() as typed:
            os.dup2(typed.fileno(), 0)
        job = queue.submit("sweep", python(code, tmp_path / "found"))
        wait_for_end(job)
    finally:
        os.dup2(stdin, 0)
        os.close(stdin)
    assert (tmp_path / "found").read_text() == "('1', '')"


def test_many_threads_at_once(tmp_path):
    queue = job_queue.Queue(capacity=6)
    gate, taken, refused = threading.Barrier(10), [], []

    def visit(number: int) -> None:
        gate.wait()
        try:
            job = queue.submit(f"job {number}", python("import time; time.sleep(0.05)"))
        except ValueError as error:
            refused.append(error)
            return
        if number % 2:
            job.cancel()
        taken.append(job)
        while job.state in ("waiting", "running"):
            assert 0 <= job.position <= 6
            assert 0 <= job.progress <= 1
            time.sleep(0.005)

    queue.submit("before", python("import time; time.sleep(0.3)"))
    visitors = [threading.Thread(target=visit, args=[number]) for number in range(10)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(timeout=20)
    assert len(taken) + len(refused) == 10
    assert len(taken) >= 6
    for job in taken:
        assert job.state == ("cancelled" if int(job.title.split()[1]) % 2 else "done")
    assert not queue.jobs
    queue.close()


def test_a_closed_queue_has_ended_all_and_takes_no_more(tmp_path):
    queue = job_queue.Queue()
    running = queue.submit("sweep", python(BEAT, tmp_path / "beat"))
    waiting = queue.submit("sweep", python(BEAT, tmp_path / "other"))
    wait_until(lambda: beats(tmp_path / "beat"))
    queue.close()
    assert running.state == waiting.state == "cancelled"
    assert_silent(tmp_path / "beat")
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="shutting down"):
        queue.submit("too late", SLEEP)
    queue.close()


@pytest.mark.parametrize("ending", ["pass", "sys.exit(0)", "raise KeyError", "time.sleep(60)"])
def test_the_process_ends_with_the_interpreter(tmp_path, ending):
    code = (
        "import pathlib, signal, sys, time; from digits.jobs import queue\n"
        # A shell lets what it starts in the background ignore Ctrl+C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "jobs, file = queue.Queue(), pathlib.Path(sys.argv[2])\n"
        "for _ in range(3): jobs.submit('sweep', ['-c', sys.argv[1], file])\n"
        f"while not file.exists() or not file.stat().st_size: time.sleep(0.01)\n{ending}"
    )
    command = [sys.executable, *python(code, BEAT, tmp_path / "beat")]
    server = subprocess.Popen(command, cwd=paths.ROOT / "src", stderr=subprocess.DEVNULL)
    wait_until(lambda: beats(tmp_path / "beat"))
    if "sleep" in ending:
        # Ctrl+C in the server's terminal.
        server.send_signal(signal.SIGINT)
    server.wait(timeout=10)
    assert_silent(tmp_path / "beat")
