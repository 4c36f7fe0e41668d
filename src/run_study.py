"""Train variants of a recipe with several seeds, as a TOML file declares them, and compare them with intervals."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from digits import backend, cli, files, paths
from digits.errors import check_ranges

if TYPE_CHECKING:
    from digits.studies.declaration import Study


@dataclass(frozen=True, kw_only=True)
class Options:
    study: Positional[Path]
    """TOML file that declares the study, such as those in docs/studies."""
    images: Annotated[Path | None, arg(metavar="PATH")] = None
    """Labelled digits to score every model on, too: folder of images, or CSV, IDX, .npz or HDF5 file."""
    keep: bool = False
    """Copy results and runs to a folder beside the TOML file, from which a later study reuses them."""
    ship: bool = False
    """Publish each variant's median seed by validation accuracy, and the ensembles."""
    models_dir: Path = paths.MODELS
    """Folder in which --ship publishes models."""
    workers: int = 1
    """Number of models to train at a time; they share the processor cores."""
    scheduler: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Address of a dask.distributed scheduler to use instead of local processes, such as tcp://HOST:PORT."""
    restart: bool = False
    """Delete the study's earlier runs and don't reuse kept ones; otherwise an interrupted study resumes."""
    data_dir: Path = paths.DATA
    """Digits to train, choose and test on: folder with mnist.npz, or your own, as folder of images, CSV, IDX, .npz …"""
    output_dir: Annotated[Path | None, arg(metavar="PATH")] = None
    """Folder for the runs and the report; by default reports/studies/NAME."""

    def __post_init__(self) -> None:
        check_ranges(self, ("workers", self.workers >= 1, "at least 1"))


def without_effect(options: Options) -> dict[str, list[str]]:
    return {
        "without --ship": [] if options.ship else ["models_dir"],
        "with --scheduler": ["workers"] if options.scheduler else [],
    }


def main(options: Options) -> None:
    from digits.studies import declaration

    declared = declaration.read(options.study)
    with files.locked(options.output_dir or paths.REPORTS / "studies" / declared.name, "--output-dir") as folder:
        carry_out(declared, options, folder)


def carry_out(study: "Study", options: Options, folder: Path) -> None:
    from digits import data
    from digits.checkpoints import publishing
    from digits.studies import release, report, runner, tables
    from digits.studies.results import Results

    if options.images:
        for line in data.read_labelled(options.images)[1]:
            print(line)
    workspace = runner.Workspace(folder, options.data_dir, options.images, runner.threads_each(options.workers))
    kept = options.study.with_suffix("")
    if options.restart:
        runner.clear(study, workspace)
    else:
        runner.adopt(study, workspace, kept / "runs")
    finished = runner.run(study, workspace, options.workers, options.scheduler)
    results = Results(study, finished)
    summary = report.summarise(results)
    page = report.write(results, summary, folder)
    if options.keep:
        with files.locked(kept, "name of the study"):
            runner.keep(study, workspace, kept / "runs")
            report.write_tables(results, summary, kept)
    if options.ship:
        backend.load_keras()
        variants = {variant.name: variant for variant in results.variants}
        for variant in variants.values():
            print(f"shipped: {release.ship(variant, workspace, options.models_dir)}")
        for name, of in study.ensembles.items():
            print(publishing.summary(release.publish_ensemble(name, variants[of], workspace, options.models_dir)))
    print(tables.text(summary))
    print(f"report: {page}")


if __name__ == "__main__":
    cli.run(main, Options, __doc__, without_effect=without_effect)
