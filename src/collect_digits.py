"""Collect your handwriting: print a sheet, fill it in and photograph it, or import a folder of pictures."""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from digits import cli, files, paths


@dataclass(frozen=True, kw_only=True)
class Options:
    photos: Annotated[tuple[Path, ...], Positional, arg(metavar="[PHOTO ...]")] = ()
    """Photos or scans of filled-in sheets."""
    sheet: bool = False
    """Write sheets to print, A4 and Letter."""
    import_folder: Annotated[Path | None, arg(name="import", metavar="FOLDER")] = None
    """Import a folder of pictures, labelled by name: 7/anna.png and 7_anna.png are sevens."""
    guess: bool = False
    """Let the model label pictures without a label in their name; they count as doubtful."""
    keep_doubtful: bool = False
    """Save doubtful digits, too."""
    yes: bool = False
    """Save without asking."""
    model: str = "mnist_advanced"
    """Model that checks the labels: a name in the models folder, or the path of a checkpoint."""
    models_dir: Path = paths.MODELS
    """Folder of the models."""
    digits_dir: Path = paths.MY_DIGITS
    """Folder of the collection."""
    output_dir: Path = paths.REPORTS / "sheet"
    """Folder for the sheets and the contact sheet."""


def without_effect(options: Options) -> dict[str, Collection[str]]:
    return {
        "with --sheet": set(vars(options)) - {"sheet", "output_dir"} if options.sheet else (),
        "without --import": () if options.import_folder else ["guess"],
    }


def main(options: Options) -> None:
    if bool(options.photos) + options.sheet + (options.import_folder is not None) != 1:
        raise ValueError("expected one of: photos of filled-in sheets, --import FOLDER, or --sheet for sheets to print")
    if options.sheet:
        write_sheets(options.output_dir)
        return
    from digits.checkpoints import recognizer
    from digits.handwriting import contact_sheet, importing

    recogniser = recognizer.load(options.model, options.models_dir)
    files.output_folder(options.output_dir)
    if options.import_folder:
        found = importing.from_folder(options.import_folder, options.guess)
        title = options.import_folder.resolve().name
    else:
        found = importing.from_photos(options.photos)
        title = ", ".join(photo.name for photo in options.photos)
    for line in found.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    candidates = importing.review(found.candidates, recogniser)
    print(importing.describe(candidates))
    path = options.output_dir / "contact_sheet.png"
    files.write_png(path, contact_sheet.draw(candidates, title))
    print(f"contact sheet: {path}")
    chosen = [candidate for candidate in candidates if options.keep_doubtful or not candidate.doubt]
    if may_save(chosen, importing.counted(len(chosen)), options):
        kept = importing.keep(chosen, options.digits_dir)
        for line in kept.refused:
            print(f"not saved: {line}")
        known = f"; {kept.known} were already there" if kept.known else ""
        print(f"saved {importing.counted(kept.new)} in {options.digits_dir}{known}")
    if options.photos and found.skipped:
        sys.exit(2)


def write_sheets(folder: Path) -> None:
    from digits.handwriting import sheet

    for paper in sheet.PAPERS:
        for path in sheet.write(folder, paper):
            print(path)
    print("print one at full size, fill it in, photograph it, then run: python src/collect_digits.py PHOTO.jpg")


def may_save(chosen: list, counted: str, options: Options) -> bool:
    """Whether to save the chosen digits, whose number is `counted`, as the options say or the user answers."""
    if not chosen:
        print("nothing to save")
        return False
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print(f"nothing saved: no terminal to ask on; --yes saves {counted} in {options.digits_dir}")
        return False
    print(f"Save {counted} to {options.digits_dir}? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect)
