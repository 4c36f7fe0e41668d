"""Train variants of a recipe from several seeds, as a TOML file declares them, and compare them with intervals."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from digits import backend, cli, files, paths


@dataclass(frozen=True, kw_only=True)
class Options:
    study: Positional[Path]
    """The declaration, as those in docs/studies."""
    images: Annotated[Path | None, arg(metavar="PATH")] = None
    """A folder of labelled pictures, in subfolders 0 to 9, that every model reads, too."""
    keep: bool = False
    """Keep results and runs in a folder beside the declaration, from where a later study takes them over."""
    ship: bool = False
    """Put each variant's median seed by validation accuracy, and the ensembles, into the models' folder."""
    models_dir: Path = paths.MODELS
    """Where --ship puts them."""
    workers: int = 1
    """Trainings at a time, each with its share of the processor."""
    scheduler: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """A dask.distributed scheduler to work on, tcp://HOST:PORT, instead of local processes."""
    restart: bool = False
    """Delete the study's earlier runs and leave kept ones alone; otherwise a study goes on where it was."""
    data_dir: Path = paths.DATA
    """Folder with mnist.npz."""
    output_dir: Annotated[Path | None, arg(metavar="PATH")] = None
    """Folder for the runs and the report; reports/studies/NAME if left out."""


def main(options: Options) -> None:
    from digits.studies import declaration

    declared = declaration.read(options.study)
    with files.locked(options.output_dir or paths.REPORTS / "studies" / declared.name, "--output-dir") as folder:
        carry_out(declared, options, folder)


def carry_out(declared, options: Options, folder: Path) -> None:
    from digits.studies import release, report, runner, tables
    from digits.studies import results as study_results

    place = runner.Place(folder, options.data_dir, options.images, runner.threads_each(options.workers))
    kept = options.study.with_suffix("")
    if options.restart:
        runner.clear(declared, place)
    else:
        runner.adopt(declared, place, kept / "runs")
    finished = runner.run(declared, place, options.workers, options.scheduler)
    results = study_results.Results(declared, finished)
    summary = report.summarise(results)
    page = report.write(results, summary, folder)
    if options.keep:
        with files.locked(kept, "name of the study"):
            runner.keep(declared, place, kept / "runs")
            report.write_tables(results, summary, kept)
    if options.ship:
        backend.load_keras()
        for variant in results.variants:
            print(f"shipped: {release.ship(variant, place, options.models_dir)}")
        if declared.ensembles:
            ship_ensembles(declared, results, place, options.models_dir)
    print(tables.text(summary))
    print(f"report: {page}")


def ship_ensembles(declared, results, place, models_dir: Path) -> None:
    from digits.checkpoints import publishing
    from digits.studies import release

    variants = {variant.name: variant for variant in results.variants}
    for name, of in declared.ensembles.items():
        print(publishing.summary(release.publish_ensemble(name, variants[of], place, models_dir)))


if __name__ == "__main__":
    cli.run(main, Options, __doc__)
