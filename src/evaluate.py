"""Evaluate and compare models on MNIST's test digits, or on a folder or file of labelled digits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from digits import cli, files, paths


@dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[str, ...] = ("mnist_cnn", "mnist_advanced")
    """Names in the models folder, or paths of checkpoints."""
    images: Annotated[Path | None, arg(metavar="PATH")] = None
    """Labelled digits: folder of images, or CSV, IDX, .npz or HDF5 file; MNIST's test digits by default."""
    writers: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder with QMNIST's labels, which say who wrote MNIST's digits: adds intervals and tables by writer."""
    raters: Annotated[Path | None, arg(metavar="FILE")] = None
    """The label-errors project's mnist_mturk.json: adds accuracy without contested labels, and with corrected ones."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz, or digits whose test part is used in its place."""
    models_dir: Path = paths.MODELS
    """Folder with the models."""
    output_dir: Path = paths.REPORTS / "evaluation"
    """Folder for the report."""


def without_effect(options: Options) -> dict[str, list[str]]:
    return {"with --images": ["data_dir", "writers", "raters"] if options.images else []}


def main(options: Options) -> None:
    from tqdm import tqdm

    from digits import data, evaluation
    from digits.checkpoints import recognizer
    from digits.evaluation import report

    with files.locked(options.output_dir, "--output-dir") as folder:
        recognisers = [recognizer.load(model, options.models_dir) for model in options.models]
        recognizer.check_names([recogniser.name for recogniser in recognisers])
        digits, source, how_read = data.load_labelled_or_test(options.images, options.data_dir)
        writers = data.load_writers(options.writers, "test") if options.writers else None
        raters = data.load_raters(options.raters) if options.raters else None
        if (writers or raters) and data.idx_sha256(digits.images) != data.OFFICIAL_SHA256["x_test"]:
            raise ValueError(f"expected MNIST's test digits with --writers or --raters, got {source}")
        for line in how_read:
            print(line)
        evaluations = [evaluation.evaluate(recogniser, digits) for recogniser in tqdm(recognisers, unit="model")]
        hashes = {each.name: each.sha256 for each in recognisers}
        page = report.write_evaluation(evaluations, source, folder, hashes, writers, raters)
        print(report.evaluation_summary(evaluations, source, writers, raters))
        print(f"report: {page}")


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect)
