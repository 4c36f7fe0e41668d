"""The figures of README and docs, generated from cards, studies and benchmarks: `make readme` runs this."""

import json
from collections.abc import Sequence
from pathlib import Path

from digits import files, paths
from digits.checkpoints import cards, comparison
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.explanations import tables
from digits.handwriting import plots
from digits.reporting.figures import save_figure
from digits.robustness import tables as robustness_tables
from digits.studies import tables as study_tables
from tools import handwriting_tables

SPEED = """\
Measured on {cores} CPU cores ({processor}); what is compared ran in the same run.

- The page in Chromium: usable {page_seconds:.1f} s after the server's start; the verdict comes {verdict_seconds:.2f} s
  after mouse-up (95 % within {verdict_p95:.2f} s), {crowd_seconds:.2f} s with ten people drawing at once; the server
  takes {page_megabytes} MB after every panel was opened. `make benchmark NAME=app`
- One image from a cold shell (`predict.py`): {cold_seconds:.2f} s and {cold_megabytes} MB. Through
  `keras.models.load_model` and `model.predict`: {keras_seconds:.1f} s and {keras_megabytes} MB,
  {cold_ratio:.1f} times as long. `make benchmark NAME=recognition`
- The 10,000 test digits through the CNN: {rate:,} images/s; {keras_rate:,} by `model.predict`, {pytorch_rate:,} by
  the same network in PyTorch. One digit: {one:.2f} ms; {keras_one:.0f} ms by `model.predict`, {pytorch_one:.2f} ms in
  PyTorch. Same command.
- Training: `train_cnn.py` takes {to_keras:.0f} s to the {keras_final:.2%} of the validation digits that the Keras
  documentation's MNIST convnet ends with, the convnet itself {keras_needs:.0f} s; and {to_pytorch:.0f} s to the
  {pytorch_final:.2%} of the PyTorch examples' network, which takes {pytorch_needs:.0f} s.
  `make benchmark NAME=time_to_accuracy`
- The corruption sweep with the CNN: {sweep_rate:,} images damaged and recognised a second. Six models on
  {sweep_cells} × 10,000 digits, with worst cases and report: {sweep_seconds:.0f} s and {sweep_megabytes} MB.
  `make benchmark NAME=sweep`
- One drawing recognised and explained by Grad-CAM, warm: {explained:.1f} ms, or {explained_slowly:.1f} ms with
  TensorFlow; integrated gradients with 32 steps: {integrated:.0f} ms. 1,000 digits by Grad-CAM: {peer_ratio:.1f} times
  as fast as tf-keras-vis. All with the CNN. `make benchmark NAME=attribution`
- One drawing through every corruption and severity: {drawing:.0f} ms. `make benchmark NAME=corruptions`
- Training with augmentation takes {light_cost:.2f} times as long as without in `train_cnn.py`, {strong_cost:.2f}
  times in `train_advanced.py`. `make benchmark NAME=augmentation`"""


def update(root: Path = paths.ROOT) -> None:
    """Write what is generated of the README and of `docs`: tables of models, robustness, explanations and speeds."""
    shipped = shipped_cards(root / "models")
    text = (root / "README.md").read_text(encoding="utf-8")
    text = _between_comments(text, "models", models(shipped))
    text = _between_comments(text, "speed", speed(root / "benchmarks" / "results"))
    summary = json.loads((root / "docs" / "robustness" / "summary.json").read_text(encoding="utf-8"))
    text = _between_comments(text, "robustness", robustness_tables.summary_text(summary))
    study = json.loads((root / "docs" / "explanations" / "study.json").read_text(encoding="utf-8"))
    text = _between_comments(text, "faithfulness", tables.choice_text(study))
    files.write_text(root / "README.md", text)
    page = (root / "docs" / "explanations.md").read_text(encoding="utf-8")
    page = _between_comments(page, "faithfulness", tables.study_text(study))
    captum = json.loads((root / "benchmarks" / "results" / "captum.json").read_text(encoding="utf-8"))
    page = _between_comments(page, "captum", tables.agreement_text(captum))
    files.write_text(root / "docs" / "explanations.md", page)
    _update_recognisers(root, shipped)
    page = (root / "docs" / "handwriting.md").read_text(encoding="utf-8")
    measured = json.loads((root / "benchmarks" / "results" / "preprocessing.json").read_text(encoding="utf-8"))
    page = _between_comments(page, "preprocessing", handwriting_tables.preprocessing(measured))
    tuned = json.loads((root / "benchmarks" / "results" / "finetuning.json").read_text(encoding="utf-8"))
    page = _between_comments(page, "finetuning", handwriting_tables.finetuning(tuned))
    files.write_text(root / "docs" / "handwriting.md", page)
    (root / "docs" / "handwriting").mkdir(exist_ok=True)
    save_figure(plots.errors_by_samples(tuned["imagined_writers"]), root / "docs" / "handwriting" / "samples.png")
    files.write_text(root / "docs" / "results.md", robustness_tables.results_text(summary))
    comparison.write_comparison(shipped, root / "docs")


def _update_recognisers(root: Path, shipped: Sequence[dict]) -> None:
    path = root / "docs" / "recognisers.md"
    page = path.read_text(encoding="utf-8")
    for name, table in (("shipped", study_tables.text), ("ablations", study_tables.changes)):
        study = json.loads((root / "docs" / "studies" / name / "results.json").read_text(encoding="utf-8"))
        page = _between_comments(page, name, table(study))
    non_digits, training = (
        json.loads((root / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("non_digits", "time_to_accuracy")
    )
    page = _between_comments(page, "ensembles", study_tables.ensembles(shipped))
    page = _between_comments(page, "non_digits", study_tables.non_digits(non_digits))
    files.write_text(path, _between_comments(page, "speed", study_tables.speed(training)))


def shipped_cards(models_dir: Path) -> list[dict]:
    """The cards of the models that were scored on the test digits, but personal ones; the most accurate first."""
    published = [cards.read(models_dir / f"{name}.json") for name in cards.available(models_dir)]
    shipped = [card for card in published if "test" in card["scores"] and "base" not in card]
    return sorted(shipped, key=lambda card: -card["scores"]["test"]["accuracy"])


def models(shipped: Sequence[dict]) -> str:
    """The table of models, and below it what each of them is."""
    descriptions = "\n".join(f"- `{card['name']}`: {card['description']}." for card in shipped)
    return f"{comparison.comparison_table(shipped)}\n\n{descriptions}"


def speed(results: Path) -> str:
    """What the benchmarks measured, each with the command that measures it."""
    app, recognition, training, augmentation, corruptions, sweep, attribution = (
        json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("app", "recognition", "time_to_accuracy", "augmentation", "corruptions", "sweep", "attribution")
    )
    cold, warm = recognition["one_image_cold"], recognition["test_digits_warm"]
    quick, slow = (attribution["one_drawing_milliseconds"][f"{way}_tensorflow"] for way in ("without", "with"))
    finals = training["peers_final_accuracy"]
    rates, one = warm["images_a_second"], warm["one_image_milliseconds"]
    return SPEED.format(
        page_seconds=app["seconds_from_start_to_canvas"]["median"],
        verdict_seconds=app["seconds_from_mouse_up_to_verdict"]["median"],
        verdict_p95=app["seconds_from_mouse_up_to_verdict"]["p95"],
        page_megabytes=app["resident_megabytes"]["after_every_panel"],
        crowd_seconds=app["seconds_of_ten_sessions_at_once"]["median"],
        cores=recognition["machine"]["cores"],
        processor=recognition["machine"]["processor"],
        cold_seconds=cold["predict.py"]["seconds"],
        cold_megabytes=cold["predict.py"]["megabytes"],
        cold_ratio=cold["times_faster"],
        keras_seconds=cold["keras"]["seconds"],
        keras_megabytes=cold["keras"]["megabytes"],
        rate=rates["recognizer"],
        keras_rate=rates["model.predict"],
        pytorch_rate=rates["pytorch"],
        one=one["recognizer"],
        keras_one=one["model.predict"],
        pytorch_one=one["pytorch"],
        keras_final=finals["keras_documentation"]["final_accuracy"],
        to_keras=finals["keras_documentation"]["train_cnn"],
        keras_needs=finals["keras_documentation"]["peer"],
        pytorch_final=finals["pytorch_examples"]["final_accuracy"],
        to_pytorch=finals["pytorch_examples"]["train_cnn"],
        pytorch_needs=finals["pytorch_examples"]["peer"],
        sweep_rate=sweep["cnn_damaged_images_a_second"],
        sweep_cells=1 + len(CORRUPTIONS) * len(SEVERITIES),
        sweep_seconds=sweep["full_sweep_of_six_models"]["seconds"],
        sweep_megabytes=sweep["full_sweep_of_six_models"]["megabytes"],
        explained=quick["mnist_cnn"]["prediction_and_grad_cam"]["median"],
        explained_slowly=slow["mnist_cnn"]["prediction_and_grad_cam"]["median"],
        integrated=slow["mnist_cnn"]["integrated_gradients"]["median"],
        peer_ratio=attribution["digits_by_grad_cam"]["mnist_cnn"]["times_faster_than"]["tf_keras_vis"][
            "without_tensorflow"
        ],
        drawing=corruptions["one_drawing_with_mnist_cnn"]["milliseconds_median"],
        light_cost=augmentation["train_cnn"]["ratio_median"],
        strong_cost=augmentation["train_advanced"]["ratio_median"],
    )


def _between_comments(text: str, name: str, content: str) -> str:
    """`text` with `content` between the lines `<!-- NAME: … -->` and `<!-- NAME end -->`."""
    begin, end = text.index(f"<!-- {name}:"), text.index(f"<!-- {name} end -->")
    opening = text[begin : text.index("\n", begin)]
    return f"{text[:begin]}{opening}\n{content}\n{text[end:]}"


if __name__ == "__main__":
    update()
