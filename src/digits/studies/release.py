"""The models that a study ships: each variant's median seed, and ensembles of all seeds."""

import shutil
from pathlib import Path
from typing import cast

from digits import data, files
from digits.checkpoints import cards, publishing
from digits.studies.report import summarise_variant
from digits.studies.results import Variant
from digits.studies.runner import Workspace


def ship(variant: Variant, workspace: Workspace, models_dir: Path) -> Path:
    """Copy a variant's median seed to `models_dir`, with the study's results over all seeds on its card.

    Returns:
        The path of the card.
    """
    chosen = variant.median
    source, card = workspace.run_folder(chosen.run), dict(chosen.card)
    if not (source / card["export"]["file"]).is_file():
        _make_export(source, card, workspace.data_dir)
        cards.write(source / f"{variant.name}.json", card)
    card["study"] = {
        "seeds": [run.run.seed for run in variant.runs],
        "chosen": "the median seed by validation accuracy",
        **summarise_variant(variant),
    }
    with files.replacing_checkpoint(models_dir, variant.name, "--models-dir") as stage:
        for kind in ("checkpoint", "export"):
            shutil.copyfile(source / card[kind]["file"], stage / card[kind]["file"])
        cards.write(stage / f"{variant.name}.json", card)
    return models_dir / f"{variant.name}.json"


def _make_export(folder: Path, card: dict, data_dir: Path) -> None:
    """Make the export that a kept run lacks, and enter it on the card."""
    import keras

    from digits.checkpoints import onnx_export

    path = folder / card["export"]["file"]
    model = cast("keras.Model", keras.saving.load_model(folder / card["checkpoint"]["file"], compile=False))
    difference = onnx_export.export(model, path, publishing.probe_of(data.load_splits(data_dir)))
    card["export"] = cards.file_entry(path) | {"largest_difference": difference}


def publish_ensemble(name: str, variant: Variant, workspace: Workspace, models_dir: Path) -> dict:
    """Publish the ensemble of all seeds of a variant, with its members on the card.

    Returns:
        The card.
    """
    import keras

    from digits.training.ensembles import averaged

    paths = [workspace.run_folder(run.run) / f"{variant.name}.keras" for run in variant.runs]
    members = [cast("keras.Model", keras.saving.load_model(path, compile=False)) for path in paths]
    model = averaged(members, name)
    training = [run.card["training"]["seconds"] for run in variant.runs]
    return publishing.publish(
        model,
        name,
        models_dir,
        data.load_splits(workspace.data_dir),
        description=f"Ensemble of the {len(members)} seeds of {variant.name}: the mean of their logits",
        architecture="ensemble",
        parameters=model.count_params(),
        recipe=variant.runs[0].card["recipe"] | {"random_seed": [run.run.seed for run in variant.runs]},
        training={"seconds": round(sum(training), 1)},
        circumstances=cards.circumstances(),
        members=[{"seed": run.run.seed, "sha256": run.card["checkpoint"]["sha256"]} for run in variant.runs],
    )
