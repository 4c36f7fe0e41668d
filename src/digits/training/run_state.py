"""What a training keeps on disk epoch by epoch: its history, the best model, and a state to go on from."""

import json
import time
from pathlib import Path

import keras
import numpy as np

from digits import files

FILES = ("state.keras", "best.keras", "final.keras", "history.json")


class Log(keras.callbacks.Callback):
    """Keeps the history, the best model and the state to resume from on disk, and stops when patience is out.

    It follows SwapEMAWeights in the list of callbacks: that puts the averaged weights in the model at an epoch's end,
    when the best are kept, and the raw ones back at the next one's beginning, when the state is saved.
    """

    def __init__(self, folder: Path, patience: int, seed: int, history: dict[str, list[float]]):
        super().__init__()
        self.folder = folder
        self.patience = patience
        self.seed = seed
        self.history = history

    @property
    def epochs(self) -> int:
        """How many are finished."""
        return len(self.history.get("val_loss", []))

    @property
    def best_epoch(self) -> int:
        """The epoch of the lowest validation loss, counted from 1.

        Near the end a few ambiguous digits decide the accuracy on 5,000; the loss tells good epochs apart long after.
        """
        # A training that diverged says NaN, which NumPy takes for the lowest.
        return 1 + int(np.argmin(np.nan_to_num(self.history["val_loss"], nan=np.inf)))

    @property
    def out_of_patience(self) -> bool:
        """Whether too many epochs have passed since the best one."""
        return self.epochs > 0 and self.epochs - self.best_epoch >= self.patience

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Keep the state after the epoch before, whose raw weights are in the model again."""
        self.started = time.perf_counter()
        if self.epochs:
            _replace_model(self.model, self.folder / "state.keras")
        # Keras saves no dropout counters, so the masks of an epoch are made to depend on the seed and the epoch alone.
        counters = [variable for variable in self.model.variables if variable.path.endswith("seed_generator_state")]
        for index, counter in enumerate(counters):
            counter.assign(np.random.default_rng([self.seed, epoch, index]).integers(2**32, size=2, dtype=np.uint32))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Keep the history, and the model if it is the best so far."""
        numbers = dict(logs) | {
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": time.perf_counter() - self.started,
        }
        for name, number in numbers.items():
            self.history.setdefault(name, []).append(float(number))
        files.write_text(self.folder / "history.json", json.dumps(self.history, indent=1))
        if self.best_epoch == self.epochs:
            _replace_model(self.model, self.folder / "best.keras")
        self.model.stop_training = self.out_of_patience


def begin(folder: Path, recipe: dict) -> None:
    """Delete what an earlier training left in the folder, and note the recipe of this one."""
    for earlier in FILES:
        (folder / earlier).unlink(missing_ok=True)
    files.write_text(folder / "recipe.json", json.dumps(recipe, indent=1))


def restore(folder: Path, recipe: dict, steps_an_epoch: int) -> tuple[keras.Model, dict[str, list[float]]]:
    """The model and history of a training that was stopped, as they were after its last whole epoch.

    Raises:
        FileNotFoundError: there is nothing to resume from.
        ValueError: the training had another recipe.
    """
    state = folder / "state.keras"
    if not state.is_file():
        raise FileNotFoundError(f"nothing to resume: no {state}; leave out --resume")
    earlier = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    if changed := [key for key, value in recipe.items() if earlier.get(key) != value]:
        raise ValueError(
            f"the run in {folder} had another {', '.join(changed)}; use its options, or leave out --resume"
        )
    model = keras.saving.load_model(state)
    # The history is written before the state, so a kill between them leaves it an epoch ahead.
    epochs = int(model.optimizer.iterations) // steps_an_epoch
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    return model, {name: numbers[:epochs] for name, numbers in history.items()}


def _replace_model(model: keras.Model, path: Path) -> None:
    with files.replacing(path) as temporary:
        model.save(temporary)
