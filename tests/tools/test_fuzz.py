"""The tool that damages files finds readers that fail, and none in the project."""

import subprocess
import sys
from pathlib import Path

import pytest

from digits import paths

pytestmark = pytest.mark.slow
FAILING = """
import os, sys
import numpy as np
from tools.fuzz import __main__ as fuzz, targets

def read(path):
    match path.name:
        case "0": raise KeyError("x")
        case "1": raise ValueError("not the project's own")
        case "2": os.abort()
        case "3":
            while path.read_bytes() == b"digits": pass
        case "4": np.ones(25_000_000)
        case "5": targets.cards.read(path.with_name("missing"))
        case "6": assert False
        case "7": np.float64(1) / 0

seeds = [targets.Seed(str(number), b"digits") for number in range(9)]
targets.TARGETS["cards"] = targets.Target(lambda folder: iter(seeds), read)
fuzz.SECONDS, fuzz.PEAK_BYTES = 4, 270_000_000
fuzz.main(fuzz.Options(count=18, kinds=("cards",), output_dir=fuzz.Path(sys.argv[1])))
"""


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)


def test_whatever_goes_wrong_with_a_file_is_found(tmp_path: Path):
    process = run("-c", FAILING, tmp_path)
    assert process.returncode == 1, process.stderr
    # Damaged, the fourth file is read and the sixth refused; nothing is wrong with the last.
    found = {
        index: (tmp_path / f"cards-{index}.txt").read_text("utf-8")
        for index in range(18)
        if index not in (8, 12, 14, 17)
    }
    assert sorted(path.name for path in tmp_path.glob("*.txt")) == sorted(f"cards-{index}.txt" for index in found)
    for number, words in enumerate(["KeyError", "not the project's own", "crashed", "longer than", "MB", "whole"]):
        assert words in found[number]
    assert "AssertionError" in found[6]
    assert "RuntimeWarning" in found[7]


def test_the_readers_of_cards_and_studies_refuse_what_is_damaged(tmp_path: Path):
    process = run("-m", "tools.fuzz", "--count", "60", "--kinds", "cards", "studies", "--output-dir", tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert not list(tmp_path.iterdir())
