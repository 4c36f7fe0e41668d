"""The generated tables of README.md and of docs/: `make readme` runs this."""

import json
from collections.abc import Sequence
from pathlib import Path

from digits import files, paths
from digits.checkpoints import cards, comparison
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.reporting.figures import save_figure
from digits.reporting.tables import markdown_table
from digits.robustness import tables as sweep_tables
from digits.studies import tables as study_tables
from tools import explanation_tables, handwriting_tables, recogniser_tables, robustness_tables


def update(root: Path = paths.ROOT) -> None:
    """Write every generated table of README.md and of docs/, and the figures beside them."""
    for page, blocks in generated_blocks(root).items():
        text = (root / page).read_text(encoding="utf-8")
        for name, content in blocks.items():
            text = _between_comments(text, name, content)
        files.write_text(root / page, text)
    docs, results = root / "docs", root / "benchmarks" / "results"
    sweep, people = read_json(docs / "robustness" / "summary.json"), read_json(results / "people.json")
    files.write_text(docs / "results.md", robustness_tables.results_text(sweep, people))
    tuned = read_json(results / "finetuning.json")
    save_figure(handwriting_tables.errors_by_samples(tuned["imagined_writers"]), docs / "handwriting" / "samples.png")
    comparison.write_comparison(shipped_cards(root / "models"), docs)


def generated_blocks(root: Path = paths.ROOT) -> dict[str, dict[str, str]]:
    """The content of each generated block, by page and by the name in the comments around it."""
    docs, results = root / "docs", root / "benchmarks" / "results"
    shipped = shipped_cards(root / "models")
    methods = read_json(docs / "explanations" / "benchmark.json")
    return {
        "README.md": {"models": models(shipped)},
        "docs/explanations.md": {
            "methods": explanation_tables.choice_text(methods),
            "captum": explanation_tables.agreement_text(read_json(results / "captum.json")),
        },
        "docs/attribution_results.md": {"methods": explanation_tables.benchmark_text(methods)},
        "docs/handwriting.md": {
            "preprocessing": handwriting_tables.preprocessing(read_json(results / "preprocessing.json")),
            "finetuning": handwriting_tables.finetuning(read_json(results / "finetuning.json")),
            "corrections": handwriting_tables.corrections(read_json(results / "corrections.json")),
        },
        "docs/recognisers.md": {
            "shipped": study_tables.text(read_json(docs / "studies" / "shipped" / "results.json")),
            "ensembles": recogniser_tables.ensembles(shipped),
            "ablations": recogniser_tables.changes(read_json(docs / "studies" / "ablations" / "results.json")),
            "training speed": recogniser_tables.speed(read_json(results / "time_to_accuracy.json")),
            "non-digits": recogniser_tables.non_digits(read_json(results / "non_digits.json")),
        },
        "docs/robustness.md": {"models": sweep_tables.summary_text(read_json(docs / "robustness" / "summary.json"))},
        "docs/speed.md": {"speed": speed(results)},
    }


def shipped_cards(models_dir: Path) -> list[dict]:
    """The cards of the models that were scored on the test digits, except local ones; the most accurate first."""
    published = [cards.read(models_dir / f"{name}.json") for name in cards.available(models_dir)]
    shipped = [card for card in published if "test" in card["scores"] and not cards.is_local(card)]
    return sorted(shipped, key=lambda card: -card["scores"]["test"]["accuracy"])


def models(shipped: Sequence[dict]) -> str:
    """The table of models, and below it what each of them is."""
    descriptions = "\n".join(f"- `{card['name']}`: {card['description']}." for card in shipped)
    return f"{comparison.comparison_table(shipped)}\n\n{descriptions}"


def speed(results: Path) -> str:
    """What the benchmarks measured, each beside what it is compared with and the benchmark's name."""
    app, recognition, training, augmentation, corruptions, sweep, attribution = (
        read_json(results / f"{name}.json")
        for name in ("app", "recognition", "time_to_accuracy", "augmentation", "corruptions", "sweep", "attribution")
    )
    machine = recognition["machine"]
    verdict, crowd = app["seconds_from_mouse_up_to_verdict"], app["seconds_of_ten_sessions_at_once"]
    cold, warm = recognition["one_image_cold"], recognition["test_digits_warm"]
    rate, one = warm["images_a_second"], warm["one_image_milliseconds"]
    finals = training["peers_final_accuracy"]
    full = sweep["full_sweep_of_six_models"]
    onnx, tensorflow = (
        attribution["one_drawing_milliseconds"][f"{way}_tensorflow"]["mnist_cnn"] for way in ("without", "with")
    )
    peer = attribution["digits_by_grad_cam"]["mnist_cnn"]["times_faster_than"]["tf_keras_vis"]
    rows = [
        [
            "app: server start until the canvas is ready",
            f"{app['seconds_from_start_to_canvas']['median']:.1f} s",
            "",
            "app",
        ],
        [
            "app: end of a stroke until the answer",
            f"{verdict['median']:.2f} s (95th percentile {verdict['p95']:.2f} s)",
            f"ten users at once: {crowd['median']:.2f} s",
            "app",
        ],
        ["app: server memory, every panel opened", f"{app['resident_megabytes']['after_every_panel']} MB", "", "app"],
        [
            "`predict.py` on one picture, start-up included",
            f"{cold['predict.py']['seconds']:.2f} s, {cold['predict.py']['megabytes']} MB",
            f"Keras `load_model` and `predict`: {cold['keras']['seconds']:.1f} s, {cold['keras']['megabytes']} MB",
            "recognition",
        ],
        [
            "10,000 test digits, `mnist_cnn`",
            f"{rate['recognizer']:,} images/s",
            f"Keras `predict`: {rate['model.predict']:,}; the same network in PyTorch: {rate['pytorch']:,}",
            "recognition",
        ],
        [
            "one digit, `mnist_cnn`, model loaded",
            f"{one['recognizer']:.2f} ms",
            f"Keras `predict`: {one['model.predict']:.0f} ms; PyTorch: {one['pytorch']:.2f} ms",
            "recognition",
        ],
        *(
            [
                f"`train_cnn.py` until {finals[name]['final_accuracy']:.2%} validation accuracy",
                f"{finals[name]['train_cnn']:.0f} s",
                f"{title}, which ends there: {finals[name]['peer']:.0f} s",
                "time_to_accuracy",
            ]
            for name, title in (
                ("keras_documentation", "convnet from Keras's documentation"),
                ("pytorch_examples", "network from PyTorch's examples"),
            )
        ),
        *(
            [
                f"`{name}.py`: training time with augmentation",
                f"{augmentation[name]['ratio_median']:.2f} times that without",
                "",
                "augmentation",
            ]
            for name in ("train_cnn", "train_advanced")
        ),
        [
            "corruption sweep, `mnist_cnn`",
            f"{sweep['cnn_damaged_images_a_second']:,} corrupted images/s",
            "",
            "sweep",
        ],
        [
            f"corruption sweep, six models, {1 + len(CORRUPTIONS) * len(SEVERITIES)} × 10,000 digits, with report",
            f"{full['seconds']:.0f} s, {full['megabytes']} MB",
            "",
            "sweep",
        ],
        [
            "one drawing under every corruption and severity, `mnist_cnn`",
            f"{corruptions['one_drawing_with_mnist_cnn']['milliseconds_median']:.0f} ms",
            "",
            "corruptions",
        ],
        [
            "one drawing recognised and explained by Grad-CAM, `mnist_cnn`",
            f"{onnx['prediction_and_grad_cam']['median']:.1f} ms",
            f"through TensorFlow: {tensorflow['prediction_and_grad_cam']['median']:.1f} ms",
            "attribution",
        ],
        [
            "Grad-CAM for 1,000 digits, `mnist_cnn`",
            f"{peer['without_tensorflow']:.1f} times as fast as tf-keras-vis",
            "",
            "attribution",
        ],
        [
            "integrated gradients with 32 steps, one drawing, `mnist_cnn`",
            f"{tensorflow['integrated_gradients']['median']:.0f} ms",
            "",
            "attribution",
        ],
    ]
    table = markdown_table(["measured", "here", "for comparison", "benchmark"], rows)
    return f"Measured on {machine['cores']} CPU cores ({machine['processor']}).\n\n{table}"


def read_json(path: Path) -> dict:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def _between_comments(text: str, name: str, content: str) -> str:
    """`text` with `content` between the lines `<!-- NAME: … -->` and `<!-- NAME end -->`."""
    begin, end = text.index(f"<!-- {name}:"), text.index(f"<!-- {name} end -->")
    opening = text[begin : text.index("\n", begin)]
    return f"{text[:begin]}{opening}\n{content}\n{text[end:]}"


if __name__ == "__main__":
    update()
