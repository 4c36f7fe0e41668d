"""What import-linter can't check: scripts start at once, and recognising needs no TensorFlow."""

import subprocess
import sys

import pytest

from digits import paths

LIBRARY = paths.ROOT / "src" / "digits"
# Streamlit runs the app, which has no --help of its own.
SCRIPTS = sorted({path.stem for path in (paths.ROOT / "src").glob("*.py")} - {"__init__", "app"})
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_imports_nothing_heavy(script):
    command = [sys.executable, "-X", "importtime", paths.ROOT / "src" / f"{script}.py", "--help"]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "usage:" in process.stdout
    imported = {line.rsplit("|", 1)[1].strip() for line in process.stderr.splitlines() if "|" in line}
    assert "tyro" in imported
    assert not imported & {"keras", "tensorflow", "numpy", "cv2", "matplotlib", "sklearn", "scipy", "onnxruntime"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_run_as_modules_too(script, run_script):
    assert "usage:" in run_script(script, "--help", as_module=True).stdout


def test_recognising_imports_no_tensorflow():
    code = (
        "import sys, numpy as np; from digits.checkpoints import recognizer\n"
        "recognizer.load('mnist_cnn').predict_proba(np.zeros((1, 28, 28), np.uint8))\n"
        "assert not {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT / "src", check=True)


def test_panels_import_nothing_heavy():
    folder = paths.ROOT / "src" / "panels"
    names = sorted(".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.glob("**/[!_]*.py"))
    assert len(names) > 10
    code = f"import sys; {'; '.join(f'import panels.{name}' for name in names)}; assert not {HEAVY} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT / "src", check=True, capture_output=True)


@pytest.mark.slow
def test_drawing_and_looking_at_every_panel_imports_nothing_heavy():
    code = (
        "import sys, pytest\n"
        "from tests.app.apptest import PANELS, Page\n"
        "from digits import data\n"
        "from panels import cache\n"
        "cache.test_digits = lambda: data.load_test().first(500)\n"
        "page = Page(pytest.MonkeyPatch()).run().draw(data.load_test().images[0])\n"
        "for panel in PANELS:\n"
        "    assert not page.show(panel).errors\n"
        "    assert '7 > 99.9 % sure' in page.verdict\n"
        "page.show('Why').set(fewest=True)\n"
        f"assert not {HEAVY} & set(sys.modules), {HEAVY} & set(sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT / "src", capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr


def test_no_file_is_too_large_for_the_project():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=paths.ROOT, capture_output=True, text=True, check=True)
    sizes = {name: (paths.ROOT / name).stat().st_size for name in listed.stdout.split("\0") if name}
    assert all(size <= 15_000_000 for size in sizes.values())
