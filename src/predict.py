"""Recognise the digit, or with --many all digits, in image files of any size, mode and polarity."""

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from digits import cli, paths
from digits.errors import check_ranges, seed_range
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
    save_plot: Annotated[str | None, arg(metavar="[PATH]")] = None
    """Write plots of the probabilities, or with --many pictures with boxes: to a .png for one image, or to a folder, by
    default plots in --output-dir."""
    show_input: Annotated[str | None, arg(metavar="[PATH]")] = None
    """Write the model's 28×28 input, or with --many the same as --save-plot: to a .png for one image, or to a folder,
    by default inputs in --output-dir."""
    samples: int = 0
    """Recognise this many random test digits and write them as a grid."""
    random_seed: int = 0
    """Seed for the choice of samples."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz, for the samples."""
    models_dir: Path = paths.MODELS
    """Folder where the model is looked up by name."""
    output_dir: Path = paths.REPORTS / "predictions"
    """Folder for the grid of samples, and for plots and inputs without a path of their own."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            ("top", 1 <= self.top <= 10, "from 1 to 10"),
            ("samples", self.samples >= 0, "at least 0"),
            seed_range(self.random_seed),
        )


def without_effect(options: Options) -> dict[str, Collection[str]]:
    needs_folder = options.samples or "" in (options.save_plot, options.show_input)
    return {
        "without pictures": () if options.images else ("many", "json", "save_plot", "show_input", "top"),
        "without --samples": () if options.samples else ("random_seed", "data_dir"),
        "without --samples, --save-plot or --show-input": () if needs_folder else ["output_dir"],
        "with --json": ["top"] if options.json else (),
        "with --many": ["top"] if options.many else (),
    }


def main(options: Options) -> None:
    from digits.checkpoints import recognizer
    from digits.recognition import batch

    if not options.images and not options.samples:
        raise ValueError("nothing to read: name image files, folders or globs, or use --samples 9")
    recogniser = recognizer.load(options.model, options.models_dir)
    if options.samples:
        write_samples(options, recogniser)
    files = list(batch.find_images(options.images))
    for line in batch.passed_over(options.images):
        print(line, file=sys.stderr)
    plots = picture_paths(options.save_plot, options.output_dir / "plots", files)
    inputs = picture_paths(options.show_input, options.output_dir / "inputs", files)
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
            write = write_marked if options.many else write_pictures
            write(answer, options, plots.get(answer.path), inputs.get(answer.path))
    if failed:
        sys.exit(2)


def write_pictures(answer, options: Options, plot: Path | None, input_: Path | None) -> None:
    if input_:
        write_png(output_folder(input_.parent) / input_.name, answer.prepared.image)
        if not options.json:
            print(f"  {'; '.join(answer.prepared.steps)}")
        say_where("input", input_, options.show_input, options)
    if plot:
        from digits.recognition import plots
        from digits.reporting import figures

        title = f"{answer.path.name}: {answer.verdict.answer}, {answer.verdict.certainty}"
        figure = plots.probability_bars(answer.prepared.image, answer.verdict.probabilities, title)
        figures.save_figure(figure, output_folder(plot.parent) / plot.name)
        say_where("plot", plot, options.save_plot, options)


def write_marked(number, options: Options, plot: Path | None, input_: Path | None) -> None:
    from digits.recognition import batch

    for path, given in ((plot, options.save_plot), (input_, options.show_input)):
        if path:
            picture = batch.mark_digits(number.picture, number.digits, number.verdicts)
            write_png(output_folder(path.parent) / path.name, picture)
            say_where("boxes", path, given, options)


def say_where(what: str, path: Path, given: str | None, options: Options) -> None:
    """Name the file that was written, unless the user has."""
    if not given:
        print(f"  {what}: {path}", file=sys.stderr if options.json else sys.stdout, flush=True)


def picture_paths(target: str | None, default: Path, files: Sequence[Path]) -> dict[Path, Path]:
    """Where a picture for each of `files` goes: to `target` if that names a PNG, else to a folder."""
    if target is None:
        return {}
    folder = Path(target) if target else default
    paths: dict[Path, Path] = {}
    if folder.suffix.lower() == ".png":
        if len(files) > 1:
            raise ValueError(f"{folder} is one file, and there are several images: name a folder")
        paths = dict.fromkeys(files, folder)
    taken: set[str] = set()
    for file in () if paths else dict.fromkeys(files):
        # The folders are part of the name, so a/1.png and b/1.png differ; a file's name has at most 255 bytes.
        parts = [part for part in (*file.parent.parts, file.stem) if part not in (file.anchor, "..")]
        stem = "-".join(parts).encode()[-200:].decode(errors="ignore")
        name = next(name for name in chain([stem], (f"{stem}-{n}" for n in count(2))) if name.lower() not in taken)
        taken.add(name.lower())
        paths[file] = folder / f"{name}.png"
    if overwritten := {path.resolve() for path in paths.values()} & {file.resolve() for file in files}:
        raise ValueError(f"{overwritten.pop()} is one of the pictures to read; choose another path to write to")
    return paths


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
    line = f"{np.sum(answers == labels)} of {len(labels)} right: {path}"
    print(line, file=sys.stderr if options.json else sys.stdout)


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect, without_value=("save_plot", "show_input"))
