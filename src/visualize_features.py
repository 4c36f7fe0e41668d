"""Explain models' answers on one page: heat maps, features, training digits, counterfactuals and dataset shift."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from digits import cli, files, paths
from digits.errors import check_ranges, seed_range

FORMER_NAMES = {"drift_digits": "shift_digits", "map_digits": "tsne_digits", "judge": "benchmark_digits"}


@dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[str, ...] = ("mnist_advanced", "mnist_cnn", "mnist_mlp", "mnist_logistic")
    """Names in the models folder, or paths of checkpoints."""
    images: tuple[str, ...] = ()
    """Pictures, folders or globs to explain, or a CSV, IDX, .npz or HDF5 file; by default typical validation digits."""
    methods: tuple[str, ...] = ()
    """Attribution methods; by default all that work on a model."""
    target: Annotated[int | None, arg(metavar="CLASS")] = None
    """Class to explain; by default each model's own answer."""
    versus: Annotated[int | None, arg(metavar="CLASS")] = None
    """Class to contrast it with; by default the most probable other one."""
    layer: Annotated[str | None, arg(metavar="NAME")] = None
    """Layer of the class activation maps; by default the last with a spatial output."""
    corruptions: tuple[str, ...] = ("rotate", "gaussian_noise", "zigzag")
    """Corruptions under which to show how heat maps change."""
    shift_digits: int = 200
    """Number of validation digits to corrupt."""
    tsne_digits: int = 2000
    """Number of test digits in the t-SNE plot of the last layer's features."""
    benchmark_digits: Annotated[int | None, arg(metavar="INT")] = None
    """Also benchmark all methods on this number of validation digits; takes minutes per model."""
    random_seed: int = 0
    """Seed of the random number generators."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz."""
    models_dir: Path = paths.MODELS
    """Folder of the models."""
    output_dir: Path = paths.REPORTS / "explanations"
    """Folder for the figures and the page."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            ("shift_digits", self.shift_digits >= 1, "at least 1"),
            ("tsne_digits", self.tsne_digits >= 1, "at least 1"),
            ("benchmark_digits", self.benchmark_digits is None or self.benchmark_digits >= 1, "at least 1"),
            seed_range(self.random_seed),
        )


def main(options: Options) -> None:
    with files.locked(options.output_dir, "--output-dir") as folder:
        explain(options, folder)


def explain(options: Options, folder: Path) -> None:
    from tqdm import tqdm

    from digits import corruptions, data
    from digits.checkpoints import recognizer
    from digits.explanations import benchmark, overview, report

    corruption_names = [each.name for each in corruptions.select(options.corruptions)]
    recognisers = [recognizer.load(model, options.models_dir) for model in options.models]
    recognizer.check_names([each.name for each in recognisers])
    overview.check_choice(recognisers, options.methods, options.layer)
    networks = [each for each in recognisers if each.network]
    if options.benchmark_digits and not networks:
        raise ValueError("--benchmark-digits needs a network saved as .keras; the models are none")
    splits = data.load_splits(options.data_dir)
    digits, how_read = overview.typical_digits(splits.validation), splits.how_read
    if options.images:
        digits, how_read = overview.pictures(options.images)
    for line in how_read:
        print(line)
    subject = overview.Subject(*digits, options.target, options.versus, options.layer)
    shifted, _ = data.evenly_spaced(splits.validation, options.shift_digits)
    test, _ = data.evenly_spaced(splits.test, options.tsne_digits)
    measured_on = None
    if options.benchmark_digits is not None:
        measured_on, _ = data.evenly_spaced(splits.validation, options.benchmark_digits)
    background = overview.Background(splits.train, test, shifted, corruption_names)

    # Closed before an error is reported, so that the error gets a line of its own.
    with tqdm(recognisers, unit="model") as bar:
        found = [
            overview.explain_model(each, subject, background, options.methods, options.random_seed) for each in bar
        ]
    measured = {}
    if measured_on:
        measured = benchmark.run(networks, measured_on, options.random_seed, tqdm)
    hashes = {each.name: each.sha256 for each in recognisers}
    page = report.write(found, subject, background, measured, folder, options.random_seed, hashes)
    print(f"report: {page}")


if __name__ == "__main__":
    cli.run(main, Options, __doc__, FORMER_NAMES)
