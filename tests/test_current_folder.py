"""What lies in the current folder, as after unpacking somebody's archive, is neither imported nor obeyed."""

import sys

from PIL import Image

from digits.jobs import subprocesses
from tests.support import folder_bytes

IMPORTED = sorted(
    {name.partition(".")[0] for name in sys.modules} | {"keras", "tensorflow", "sitecustomize", "predict"}
)


def test_scripts_take_neither_modules_nor_settings_from_the_current_folder(run_script, some_digits, tmp_path):
    for name in IMPORTED:
        (tmp_path / f"{name}.py").write_text(f"open('imported_{name}', 'w'); raise SystemExit(9)")
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nbackend: module://predict\n")
    (tmp_path / "latex").write_text("#!/bin/sh\ntouch latex_ran")
    Image.fromarray(255 - some_digits.images[0]).save(tmp_path / "digit.png")
    before = folder_bytes(tmp_path)
    run_script("predict", "digit.png", "--model", "mnist_logistic", "--save-plot", "plot.png", in_new_process=True)
    child = subprocesses.run_python(["-c", "import tqdm, onnxruntime"], folder=tmp_path)
    assert child.outcome == "done", child.reason
    assert folder_bytes(tmp_path).keys() - before.keys() == {"plot.png"}
