"""The card beside a checkpoint: what it is, how it was earned, and the hash that proves it is that file."""

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from digits import paths

INPUT_CONTRACT = {
    "shape": [28, 28],
    "dtype": "uint8",
    "range": [0, 255],
    "polarity": "ink 255 on paper 0",
}
# What a card may say besides, and readers take as such.
OPTIONAL = {"description": str, "parameters": int, "training": dict, "scores": dict, "sure": dict}
RECORDED_LIBRARIES = (
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "onnxruntime",
    "scikit-learn",
    "numpy",
    "opencv-python-headless",
)


def read(path: Path) -> dict:
    """Read a card.

    Raises:
        FileNotFoundError: there is none at `path`.
        ValueError: it isn't a card.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        _check(card)
    except FileNotFoundError:
        raise FileNotFoundError(f"no card {path}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a model card; train the model again or restore the file") from error
    return card


def _check(card: dict) -> None:
    """Fail, with any exception, where a card lacks what it must have or holds something else than readers expect."""
    card["checkpoint"]["file"], card["checkpoint"]["sha256"]
    for name, kind in OPTIONAL.items():
        if not isinstance(card.get(name, kind()), kind):
            raise TypeError(f"expected {name} as {kind.__name__}")
    for score in card.get("scores", {}).values():
        low, high = score["interval"]
        if not 0 <= low <= score["accuracy"] <= high <= 1:
            raise ValueError("expected an accuracy within its interval")
    if not (card.get("temperature", 1) > 0 and card.get("training", {}).get("seconds", 0) >= 0):
        raise ValueError("expected a temperature above 0, and seconds")
    if not 0 <= card.get("sure", {"threshold": 0})["threshold"] <= 1:
        raise ValueError("expected a probability from which the model is sure")


def write(path: Path, card: dict) -> None:
    """Write a card as JSON, all of it or nothing."""
    paths.write_text(path, json.dumps(card, indent=2) + "\n")


def available(models_dir: Path) -> list[str]:
    """Names of the checkpoints in `models_dir` that have a card."""
    return sorted(path.stem for path in models_dir.glob("[!.]*.json"))


def verify(card: dict, folder: Path) -> None:
    """Check that the checkpoint, and the twin if there is one, are the files that the card speaks of.

    Raises:
        FileNotFoundError: a file that the card names is missing.
        ValueError: a file differs.
    """
    for kind in ("checkpoint", "twin"):
        if kind not in card:
            continue
        path = folder / card[kind]["file"]
        if not path.is_file():
            raise FileNotFoundError(f"no {path}, which its card names; train the model again or restore the file")
        if paths.sha256(path) != card[kind]["sha256"]:
            raise ValueError(f"{path} is not the file that its card describes (SHA-256 differs); restore both together")


def file_entry(path: Path) -> dict:
    """What a card says of a file: its name, SHA-256 and size."""
    return {"file": path.name, "sha256": paths.sha256(path), "bytes": path.stat().st_size}


def duration(seconds: float) -> str:
    """A time of training in words, as tables of models show it."""
    if seconds < 1:
        return "under 1 s"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def circumstances() -> dict:
    """Where and with what a checkpoint was made: device, library versions, commit."""
    return {
        "device": f"{_cores()}, {platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()} | _versions(),
        "commit": _commit(),
    }


def _cores() -> str:
    """The processor cores there are, and how many of them TensorFlow may use, if the environment says so."""
    allowed = os.environ.get("TF_NUM_INTRAOP_THREADS", "0")
    return f"{f'{allowed} of ' if allowed != '0' else ''}{os.cpu_count()} CPU cores"


def _versions() -> dict[str, str]:
    found = {}
    for library in RECORDED_LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of the code, with `+changes` where the working tree differs from it; None outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"],
            cwd=paths.ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
