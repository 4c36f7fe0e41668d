"""The script that explains models."""

import cv2
import pytest
from PIL import Image

from tests.explanations.explained import Page


@pytest.fixture
def said(few_digits, run_script):
    """Run the script on little; give the line that it ends with."""

    def run(*arguments: str) -> str:
        few = ["--models", "mnist_logistic", "--methods", "occlusion", "--shift-digits", 2, "--tsne-digits", 40]
        process = run_script("visualize_features", *few, "--output-dir", "out", *arguments, check=False)
        assert process.returncode == 2
        (line,) = [line for line in process.stderr.splitlines() if "error: " in line]
        return line

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "mnist_nope"], ["no model called mnist_nope", "mnist_cnn", "mnist_mlp"]),
        (["--models", "mnist_mlp", "mnist_mlp"], ["two of the models are called mnist_mlp"]),
        (["--methods", "magic"], ["no method called magic", "grad_cam", "rise"]),
        (["--corruptions", "fogg"], ["no corruption called fogg", "zigzag"]),
        (["--target", "10"], ["target must be 0 to 9, got 10"]),
        (["--target", "-1"], ["target must be 0 to 9, got -1"]),
        (["--versus", "10"], ["versus must be 0 to 9, got 10"]),
        (["--target", "3", "--versus", "3"], ["expected another class in versus than in target"]),
        (["--models", "mnist_cnn", "--methods", "grad_cam", "--layer", "nope"], ["no layer nope", "relu_2, "]),
        (["--methods", "grad_cam", "hires_cam"], ["grad_cam, hires_cam can't explain mnist_logistic", "occlusion, "]),
        (["--images", "text.png"], ["text.png: not a valid PNG"]),
        (["--images", "missing.png"], ["no image missing.png"]),
        (["--images", "empty"], ["no image empty"]),
        (["--shift-digits", "0"], ["at least 1, got 0"]),
        (["--drift_digits", "-3"], ["at least 1, got -3"]),
        (["--tsne-digits", "0"], ["at least 1, got 0"]),
        (["--map-digits=-3"], ["at least 1, got -3"]),
        (["--judge", "-3"], ["at least 1, got -3"]),
        (["--benchmark-digits", "0"], ["at least 1, got 0"]),
        (["--output-dir", "text.png"], ["can't write to the output folder text.png"]),
    ],
)
def test_script_explains_mistakes_in_one_line(arguments, words, said, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    line = said(*arguments)
    for word in words:
        assert word in line


def test_a_mistake_found_late_has_a_line_of_its_own(said):
    assert said("--methods", "magic").startswith("error: no method called magic")


def test_script_explains_a_picture_by_two_models(run_script, few_digits, some_digits, tmp_path):
    one = some_digits.images[some_digits.labels == 1][0]
    Image.fromarray(255 - cv2.resize(one, (112, 112), interpolation=cv2.INTER_CUBIC)).save(tmp_path / "<b>.png")
    process = run_script(
        "visualize_features", "--models", "mnist_cnn", "mnist_logistic", "--images", "<b>.png",
        "--methods", "grad_cam", "occlusion", "--corruptions", "rotate",
        "--shift-digits", 10, "--tsne-digits", 60, "--output-dir", "out",
    )  # fmt: skip
    assert process.stdout == "report: out/report.html\n"
    page = Page(tmp_path / "out" / "report.html")
    assert list(page.headings) == ["mnist_cnn", "mnist_logistic"]
    assert "1 digits" in page.words or "1 digit," in page.words
    assert "<b>" not in page.html
    assert (tmp_path / "out" / "mnist_cnn" / "feature_maps_convolution_1.png").is_file()
    assert (tmp_path / "out" / "mnist_logistic" / "weights.png").is_file()
