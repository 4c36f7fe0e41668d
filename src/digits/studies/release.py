"""The models that a study ships: each variant's median seed, and ensembles of all seeds."""

import shutil
from pathlib import Path

from digits import data, files
from digits.checkpoints import cards, publishing
from digits.studies.report import summarise_variant
from digits.studies.results import Variant
from digits.studies.runner import Place


def ship(variant: Variant, place: Place, models_dir: Path) -> Path:
    """Put a variant's median seed into `models_dir`; its card gains what the study found over all seeds.

    Returns:
        The path of the card.
    """
    chosen = variant.median
    source, card = place.of(chosen.run), dict(chosen.card)
    if not (source / card["export"]["file"]).is_file():
        _make_export(source, card, place.data_dir)
        cards.write(source / f"{variant.name}.json", card)
    card["study"] = {
        "seeds": [run.run.seed for run in variant.runs],
        "chosen": "the median seed by validation accuracy",
        **summarise_variant(variant),
    }
    with files.locked(models_dir, "--models-dir", variant.name):
        for kind in ("checkpoint", "export"):
            name = card[kind]["file"]
            with files.replacing(models_dir / name) as temporary:
                shutil.copyfile(source / name, temporary)
        cards.write(models_dir / f"{variant.name}.json", card)
    return models_dir / f"{variant.name}.json"


def _make_export(folder: Path, card: dict, data_dir: Path) -> None:
    """Make the export of a run that was kept without it, and enter it on the card."""
    import keras

    from digits.checkpoints import onnx_export

    path = folder / card["export"]["file"]
    model = keras.saving.load_model(folder / card["checkpoint"]["file"], compile=False)
    difference = onnx_export.export(model, path, publishing.probe_of(data.load_splits(data_dir)))
    card["export"] = cards.file_entry(path) | {"largest_difference": difference}


def publish_ensemble(name: str, variant: Variant, place: Place, models_dir: Path) -> dict:
    """Save the ensemble of all seeds of a variant, with its export and a card that lists its members.

    Returns:
        The card.
    """
    import keras

    from digits.training.ensembles import averaged

    members = [
        keras.saving.load_model(place.of(run.run) / f"{variant.name}.keras", compile=False) for run in variant.runs
    ]
    model = averaged(members, name)
    training = [run.card["training"]["seconds"] for run in variant.runs]
    return publishing.publish(
        model,
        name,
        models_dir,
        data.load_splits(place.data_dir),
        description=f"Ensemble of the {len(members)} seeds of {variant.name}: the mean of their logits",
        architecture="ensemble",
        parameters=model.count_params(),
        recipe=variant.runs[0].card["recipe"] | {"random_seed": [run.run.seed for run in variant.runs]},
        training={"seconds": round(sum(training), 1)},
        circumstances=cards.circumstances(),
        members=[{"seed": run.run.seed, "sha256": run.card["checkpoint"]["sha256"]} for run in variant.runs],
    )
