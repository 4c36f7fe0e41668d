"""What the benchmarks share: child processes measured by the operating system, and results kept with their machine."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).with_name("results")


def run_process(command: list[str]) -> tuple[float, float]:
    """Run a command to its end; give its wall time in seconds and its peak resident memory in megabytes.

    A small process of its own starts and measures it: Linux counts what the starting process held as the child's, too.
    """
    measured = subprocess.run([sys.executable, "-S", __file__, *command], capture_output=True, text=True, check=True)
    return tuple(json.loads(measured.stdout))


def _measure(command: list[str]) -> tuple[float, float]:
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{command} ended with status {status}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def keep(name: str, results: dict) -> None:
    """Print the results and write them to `results/NAME.json`, with the machine they were measured on."""
    machine = {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    text = json.dumps({"machine": machine} | results, indent=2)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def _processor() -> str:
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1:])))
