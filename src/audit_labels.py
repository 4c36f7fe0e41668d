"""Find digits that are probably mislabelled, in MNIST or in a folder or file of your own."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from digits import cli, files, paths
from digits.errors import printable

# Of more labels, it is the model that is wrong.
MOST_WRONG = 0.2


@dataclass(frozen=True, kw_only=True)
class Options:
    images: Annotated[Path | None, arg(metavar="PATH")] = None
    """Labelled digits: folder of images, or CSV, IDX, .npz or HDF5 file; MNIST by default."""
    part: Literal["test", "train"] = "test"
    """Part of MNIST."""
    model: str = "mnist_advanced"
    """Model whose answers are compared with the labels: a name in the models folder, or the path of a checkpoint."""
    folds: int = 0
    """Instead, train this many networks on the digits, and compare each label with that which wasn't trained on it."""
    epochs: int = 20
    """Training epochs of each of these networks."""
    move: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Move the pictures that are probably mislabelled to this folder, after asking."""
    yes: bool = False
    """Move without asking."""
    models_dir: Path = paths.MODELS
    """Folder of the models."""
    output_dir: Path = paths.REPORTS / "labels"
    """Folder for the report and the table."""


def without_effect(options: Options) -> dict[str, Collection[str]]:
    return {
        "with --images": ["part"] if options.images else (),
        "with --folds": ["model", "models_dir"] if options.folds else (),
        "without --folds": () if options.folds else ["epochs"],
        "without --move": () if options.move else ["yes"],
    }


def main(options: Options) -> None:
    if options.part == "train" and not options.folds:
        raise ValueError(
            "expected --folds with --part train, such as --folds 5: the models were trained on these digits"
        )
    if options.folds < 0 or options.folds == 1:
        raise ValueError(f"expected --folds 0 or at least 2, got {options.folds}")
    from digits import label_audit
    from digits.checkpoints import recognizer
    from digits.label_audit import report

    with files.locked(options.output_dir, "--output-dir") as folder:
        labelled = label_audit.load(options.images, options.part)
        for line in labelled.how_read:
            print(line)
        if options.move and not labelled.paths:
            raise ValueError(f"expected a folder of pictures with --move, got {labelled.source}")
        if options.move and options.images and options.move.resolve().is_relative_to(options.images.resolve()):
            raise ValueError(
                f"expected a --move folder outside {options.images}, where its pictures would be read again"
            )
        if options.move:
            files.output_folder(options.move)
        if options.folds:
            import train_cnn
            from digits.label_audit import folds

            recipe = replace(train_cnn.RECIPE, epochs=options.epochs, patience=options.epochs)
            probabilities = folds.out_of_fold(labelled.digits, options.folds, recipe)
            suspects = label_audit.find_suspects(probabilities, labelled.digits.labels)
            judged_by, hashes = f"{options.folds} networks, each on digits that it wasn't trained on", {}
        else:
            recogniser = recognizer.load(options.model, options.models_dir)
            suspects = label_audit.contradicted_by(recogniser, labelled.digits)
            judged_by, hashes = recogniser.name, {recogniser.name: recogniser.sha256}
        page = report.write(suspects, labelled, judged_by, folder, hashes)
        print(report.summary(suspects, labelled))
        print(f"report: {page}")
    if options.move and options.images:
        wrong = [labelled.paths[suspect.index] for suspect in suspects if suspect.is_probable]
        if len(wrong) > MOST_WRONG * len(labelled.digits):
            raise ValueError(
                f"nothing moved: expected at most {MOST_WRONG:.0%} of the labels to be wrong, got {len(wrong)} of "
                f"{len(labelled.digits)}; is the model unfit for these digits?"
            )
        move(wrong, options.images, options.move, options.yes)


def move(wrong: Sequence[Path], source: Path, target: Path, without_asking: bool) -> None:
    """Move pictures from below a folder to another one, if the user agrees."""
    counted = f"{len(wrong)} picture{'s' * (len(wrong) != 1)}"
    if not wrong:
        print("nothing to move")
    elif without_asking or _agrees(f"Move {counted} to {target}?"):
        for before, after in files.moved_below(wrong, source, target):
            print(f"{printable(str(before))} -> {printable(str(after))}")
    else:
        print(f"nothing moved; --yes moves {counted} without asking")


def _agrees(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect)
