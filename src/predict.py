"""Recognise the digit, or with --many all digits, in image files of any size, mode and polarity."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from digits import cli, paths
from digits.files import output_folder, write_png


@dataclass(frozen=True, kw_only=True)
class Options:
    images: Annotated[tuple[str, ...], Positional, arg(metavar="[PATH ...]")] = ()
    """Image files, folders (searched recursively) and globs."""
    model: str = "mnist_advanced"
    """Name in the models folder, or path of a checkpoint."""
    top: int = 3
    """How many of the most probable digits to list."""
    many: bool = False
    """Read all digits of each picture, such as a number or a page, instead of a single one."""
    json: bool = False
    """Print a JSON object for each picture, one per line."""
    save_plot: Annotated[Path | None, arg(metavar="PATH")] = None
    """Write plots of the probabilities, or with --many pictures with boxes: a .png for one image, else a folder."""
    show_input: Annotated[Path | None, arg(metavar="PATH")] = None
    """Write the model's 28×28 input, or with --many the same as --save-plot: a .png for one image, else a folder."""
    samples: int = 0
    """Recognise this many random test digits and write them as a grid."""
    random_seed: int = 0
    """Seed for the choice of samples."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz, for the samples."""
    models_dir: Path = paths.MODELS
    """Folder where the model is looked up by name."""
    output_dir: Path = paths.REPORTS / "predictions"
    """Folder for the grid of samples."""


def main(options: Options) -> None:
    from digits.checkpoints import recognizer
    from digits.recognition import batch

    if not options.images and not options.samples:
        raise ValueError("nothing to read: name image files, folders or globs, or use --samples 9")
    if not 1 <= options.top <= 10:
        raise ValueError(f"--top must be 1 to 10, got {options.top}")
    recogniser = recognizer.load(options.model, options.models_dir)
    if options.samples:
        write_samples(options, recogniser)
    files = list(batch.find_images(options.images))
    failed = False
    for answer in (batch.read_numbers if options.many else batch.answer_all)(files, recogniser):
        failed |= bool(answer.error)
        if options.json:
            print(json.dumps(answer.as_json()), flush=True)
        elif answer.error:
            print(f"error: {answer.error}", file=sys.stderr)
        else:
            print(batch.describe(answer, options.top), flush=True)
        if not answer.error:
            (write_marked if options.many else write_pictures)(answer, options, alone=len(files) == 1)
    if failed:
        sys.exit(2)


def write_pictures(answer, options: Options, alone: bool) -> None:
    if options.show_input:
        write_png(picture_path(options.show_input, answer.path, alone), answer.prepared.image)
        if not options.json:
            print(f"  {'; '.join(answer.prepared.steps)}")
    if options.save_plot:
        from digits.recognition import plots
        from digits.reporting import figures

        title = f"{answer.path.name}: {answer.verdict.answer}, {answer.verdict.certainty}"
        figure = plots.probability_bars(answer.prepared.image, answer.verdict.probabilities, title)
        figures.save_figure(figure, picture_path(options.save_plot, answer.path, alone))


def write_marked(number, options: Options, alone: bool) -> None:
    from digits.recognition import batch

    for target in filter(None, (options.save_plot, options.show_input)):
        picture = batch.mark_digits(number.picture, number.digits, number.verdicts)
        write_png(picture_path(target, number.path, alone), picture)


def picture_path(target: Path, image: Path, alone: bool) -> Path:
    """The file for a picture of `image`: `target` itself if it names a PNG, else a file in the folder `target`."""
    if target.suffix.lower() != ".png":
        # The folders are part of the name, so a/1.png and b/1.png differ.
        parts = [part for part in image.with_suffix(".png").parts if part not in (image.anchor, "..")]
        return output_folder(target) / "-".join(parts)
    if not alone:
        raise ValueError(f"{target} is one file, and there are several images: name a folder")
    return output_folder(target.parent) / target.name


def write_samples(options: Options, recogniser) -> None:
    """Recognise random test digits and write them as a grid with the answers as titles."""
    import numpy as np

    from digits import data
    from digits.recognition import verdict
    from digits.reporting import figures

    digits = data.load_test(options.data_dir)
    chosen = np.random.default_rng(options.random_seed).choice(
        len(digits), min(options.samples, len(digits)), replace=False
    )
    images, labels = digits.images[chosen], digits.labels[chosen]
    verdicts = verdict.judge(recogniser, images)
    answers = np.array([each.answer for each in verdicts])
    # Two lines, as a title is as wide as a digit.
    titles = [f"{each.answer}, {each.certainty.replace(', ', chr(10))}" for each in verdicts]
    grid = figures.digit_grid(images, titles, columns=min(3, len(images)), wrong=answers != labels)
    path = figures.save_figure(grid, output_folder(options.output_dir) / "samples.png")
    print(f"{np.sum(answers == labels)} of {len(labels)} right: {path}")


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
