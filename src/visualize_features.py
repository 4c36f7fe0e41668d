"""See why models answer as they do: attributions, features, examples, counterfactuals and drift on one page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from digits import cli, files, paths


@dataclass(frozen=True, kw_only=True)
class Options:
    models: tuple[str, ...] = ("mnist_advanced", "mnist_cnn", "mnist_mlp", "mnist_logistic")
    """Names in the models folder, or paths of checkpoints."""
    images: tuple[str, ...] = ()
    """Pictures, folders or globs to explain; ten typical validation digits if left out."""
    methods: tuple[str, ...] = ()
    """Attribution methods; all that work on a model if left out."""
    target: Annotated[int | None, arg(metavar="CLASS")] = None
    """Class to explain; each model's own answer if left out."""
    versus: Annotated[int | None, arg(metavar="CLASS")] = None
    """Class to contrast it with; the most probable other one if left out."""
    layer: Annotated[str | None, arg(metavar="NAME")] = None
    """Layer of the class activation maps; the last with a spatial output if left out."""
    corruptions: tuple[str, ...] = ("rotate", "gaussian_noise", "zigzag")
    """Kinds of damage under which to watch the reasons move."""
    drift_digits: int = 200
    """Validation digits to damage."""
    map_digits: int = 2000
    """Test digits on the map of the last layer's space."""
    judge: Annotated[int | None, arg(metavar="INT")] = None
    """Judge the methods too, on so many validation digits; takes minutes a model."""
    random_seed: int = 0
    """Seed of everything that draws."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz."""
    models_dir: Path = paths.MODELS
    """Folder in which models are looked up by name."""
    output_dir: Path = paths.REPORTS / "explanations"
    """Folder for the pictures and the page."""


def main(options: Options) -> None:
    with files.locked(options.output_dir, "--output-dir") as folder:
        explain(options, folder)


def explain(options: Options, folder: Path) -> None:
    from tqdm import tqdm

    from digits import corruptions, data
    from digits.checkpoints import recognizer
    from digits.explanations import benchmark, overview, report

    damage = [each.name for each in corruptions.select(options.corruptions)]
    recognisers = [recognizer.load(model, options.models_dir) for model in options.models]
    recognizer.check_names([each.name for each in recognisers])
    splits = data.load_splits(options.data_dir)
    digits = overview.pictures(options.images) if options.images else overview.typical_digits(splits.validation)
    subject = overview.Subject(*digits, options.target, options.versus, options.layer)
    drifting, _ = data.evenly_spaced(splits.validation, options.drift_digits)
    test, _ = data.evenly_spaced(splits.test, options.map_digits)
    judged = data.evenly_spaced(splits.validation, options.judge)[0] if options.judge is not None else None
    background = overview.Background(splits.train, test, drifting, damage)

    # Closed before an error is reported, the bar leaves that a line of its own.
    with tqdm(recognisers, unit="model") as bar:
        found = [
            overview.explain_model(each, subject, background, options.methods, options.random_seed) for each in bar
        ]
    study = {}
    if judged:
        networks = [each for each in recognisers if each.path.suffix == ".keras"]
        study = benchmark.study(networks, judged, options.random_seed, tqdm)
    print(f"report: {report.write(found, subject, background, study, folder)}")


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
