"""The house rules that can be checked: imports point down, scripts start at once, recognising needs no TensorFlow."""

import ast
import subprocess
import sys

import pytest

from digits import paths

FLOORS = tuple(
    set(floor.split())
    for floor in (
        "paths schema preprocess corruptions metrics statistics cards command forest pictures child parallel "
        "study_plan",
        "data augmentation architectures progress anatomy checkpoints plots pages collection sheet jobs",
        "recognizer training baselines twin writers robustness_plots explanation_plots handwriting_tables study_tables",
        "evaluation prediction publishing sweep_plan attribution examples admission importing handwriting finetuning",
        "report sweep study worst_case faithfulness sanity shapley drift features conversion",
        "trainer personal robustness counterfactual study_results",
        "robustness_tables method_study explanations study_plots ensemble",
        "robustness_report explanation_tables study_report",
        "explanation_report readme",
    )
)
LIBRARY = paths.ROOT / "src" / "digits"
# Streamlit runs the app, which has no --help of its own.
SCRIPTS = sorted({path.stem for path in (paths.ROOT / "src").glob("*.py")} - {"__init__", "app"})
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib"}


def imported_modules(path) -> set[str]:
    """Names of the library's modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "digits":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("digits."):
            found.add(node.module.split(".")[1])
    return found


def files_of(module: str) -> list:
    """The file of a module, or the files of a package."""
    return list((LIBRARY / module).glob("*.py")) or [LIBRARY / f"{module}.py"]


def test_every_module_has_its_floor():
    packages = {path.parent.name for path in LIBRARY.glob("*/*.py")}
    assert {path.stem for path in LIBRARY.glob("*.py")} - {"__init__"} | packages == set.union(*FLOORS)


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_modules_import_only_from_floors_below(floor):
    # Every floor stands on these.
    below = {"paths", "schema"}.union(*FLOORS[:floor])
    for name in FLOORS[floor]:
        upward = set.union(*map(imported_modules, files_of(name))) - below - {name}
        assert not upward, f"digits.{name} (floor {floor}) imports {upward}"


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
        "import sys, numpy as np; from digits import recognizer\n"
        "recognizer.load('mnist_cnn').predict_proba(np.zeros((1, 28, 28), np.uint8))\n"
        "assert not {'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT / "src", check=True)


def test_library_knows_nothing_of_the_app():
    for path in LIBRARY.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
        upward = {name for name in names if name.split(".")[0] in ("panels", "app", "streamlit")}
        assert not upward, f"{path.relative_to(paths.ROOT)} imports {upward}"


def test_panels_import_nothing_heavy():
    names = sorted(path.stem for path in (paths.ROOT / "src" / "panels").glob("*.py") if path.stem != "__init__")
    assert len(names) > 10
    code = f"import sys; from panels import {', '.join(names)}; assert not {HEAVY} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT / "src", check=True, capture_output=True)


def test_drawing_and_looking_at_every_panel_imports_nothing_heavy():
    code = (
        "import sys, pytest\n"
        "sys.path += ['../tests']\n"
        "from workbench import PANELS, Page\n"
        "from digits import data\n"
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
