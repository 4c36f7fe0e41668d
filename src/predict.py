"""Recognise the digit, or with --many all digits, in image files of any size, mode and polarity."""

import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from digits import cli, paths
from digits.errors import check_ranges, seed_range


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
    from digits import data
    from digits.checkpoints import recognizer
    from digits.recognition import batch, report

    if not options.images and not options.samples:
        raise ValueError("nothing to read: name image files, folders or globs, or use --samples 9")
    recogniser = recognizer.load(options.model, options.models_dir)
    to_people = sys.stderr if options.json else sys.stdout
    if options.samples:
        test = data.load_test(options.data_dir)
        folder, seed = options.output_dir, options.random_seed
        print(report.write_samples(recogniser, test, options.samples, seed, folder), file=to_people)
    files = list(batch.find_images(options.images))
    for line in batch.passed_over(options.images):
        print(line, file=sys.stderr)
    pictures = {
        kind: (given, report.picture_paths(given, options.output_dir / f"{kind}s", files))
        for kind, given in (("input", options.show_input), ("plot", options.save_plot))
    }
    failed = False
    for answer in (batch.read_numbers if options.many else batch.answer_all)(files, recogniser):
        failed |= bool(answer.error)
        if options.json:
            print(json.dumps(answer.as_json()), flush=True)
        elif answer.error:
            print(f"error: {answer.error}", file=sys.stderr)
        else:
            print(batch.describe(answer, options.top), flush=True)
        for kind, (given, paths_of) in pictures.items():
            if (path := paths_of.get(answer.path)) and not answer.error:
                shown, steps = report.write(answer, kind, path)
                if steps and not options.json:
                    print(f"  {steps}")
                # A user who named the file knows where it is.
                if not given:
                    print(f"  {shown}: {path}", file=to_people, flush=True)
    if failed:
        sys.exit(2)


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect, without_value=("save_plot", "show_input"))
