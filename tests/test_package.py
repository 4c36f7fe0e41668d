"""The library installed from a wheel works in an empty folder, with the checkpoints and MNIST that it brings along."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from digits import paths

pytestmark = pytest.mark.slow

USE = """
import sys
from pathlib import Path

import numpy as np

import digits
from digits import evaluation, paths
from digits.evaluation import report

assert Path(digits.__file__).is_relative_to(sys.argv[1]), digits.__file__

test = digits.load_test()
model = digits.load("mnist_advanced")
assert np.mean(model.predict_proba(test.images[:100]).argmax(axis=1) == test.labels[:100]) >= 0.98
assert digits.predict(model, test.images[0]).answer == 7
assert digits.explain(model, test.images[0]).heat.shape == (1, 28, 28)
assert digits.CORRUPTIONS["fog"](test.images[:2], 3, np.random.default_rng(0)).shape == (2, 28, 28)
page = report.write_evaluation([evaluation.evaluate(model, test.first(200))], "MNIST", Path("report"), {})
assert "<html" in page.read_text(encoding="utf-8")
assert paths.REPORTS == Path("reports")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, paths.ROOT], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_library_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"digits", "digit_workbench-0.1.0.dist-info"}
    source = paths.ROOT / "src" / "digits"
    library = {
        f"digits/{file.relative_to(source).as_posix()}"
        for file in source.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in names if name.startswith("digits/") and not name.startswith("digits/home/")} == library
    shipped = {f"digits/home/models/{file.name}" for file in paths.MODELS.glob("[!.]*")}
    assert {name for name in names if name.startswith("digits/home/models/")} <= shipped


def test_an_installed_library_needs_no_checkout(wheel, tmp_path):
    site, here = tmp_path / "site", tmp_path / "here"
    here.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environment = os.environ | {"PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-P", "-c", USE, site]
    process = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
