"""The history of a training and its best weights, kept epoch by epoch, on disk with a state to resume from."""

import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from digits import files
from digits.training.recipe import Recipe
from digits.training.schedules import on_plateaus

FILES = ("state.keras", "best.keras", "final.keras", "history.json")


class Log(keras.callbacks.Callback):
    """Keeps the history and the best weights, writes them and the state to resume from, and stops out of patience.

    It follows SwapEMAWeights in the list of callbacks: at the end of an epoch, when the best weights are kept, the
    network has the averaged weights; at the beginning of the next, when the state is saved, it has the raw ones.

    Args:
        network: the network that is trained, compiled with the optimizer.
        recipe: of the training, whose patience, seed and schedule are followed.
        history: of the epochs so far, a list of numbers per name.
        best_weights: of the epochs so far.
        folder: for `history.json`, `best.keras` and `state.keras`; None writes nothing.
    """

    def __init__(
        self,
        network: keras.Model,
        recipe: Recipe,
        history: dict[str, list[float]],
        best_weights: list[np.ndarray],
        folder: Path | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.history = history
        self.best_weights = best_weights
        self.folder = folder

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.history.get("val_loss", []))

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss, counted from 1.

        Near the end a few ambiguous digits decide the accuracy on 5,000; the loss tells good epochs apart much longer.
        """
        # A training that diverged has NaN, which NumPy takes for the lowest.
        return 1 + int(np.argmin(np.nan_to_num(self.history["val_loss"], nan=np.inf)))

    @property
    def out_of_patience(self) -> bool:
        """Whether too many epochs have passed since the best one."""
        return self.epochs > 0 and self.epochs - self.best_epoch >= self.recipe.patience

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Save the state after the previous epoch, whose raw weights are in the network again."""
        self.started = time.perf_counter()
        if self.folder and self.epochs:
            _replace_model(self.network, self.folder / "state.keras")
        if self.recipe.schedule == "plateau":
            self.network.optimizer.learning_rate = on_plateaus(
                self.recipe.learning_rate, self.history.get("val_loss", [])
            )
        # Keras doesn't save dropout's counters, so an epoch's masks are made to depend only on the seed and the epoch.
        counters = [variable for variable in self.network.variables if variable.path.endswith("seed_generator_state")]
        for index, counter in enumerate(counters):
            counter.assign(
                np.random.default_rng([self.recipe.random_seed, epoch, index]).integers(2**32, size=2, dtype=np.uint32)
            )

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add to the history, and keep the weights if they are the best so far."""
        numbers = (logs or {}) | {
            "learning_rate": float(self.network.optimizer.learning_rate),
            "seconds": time.perf_counter() - self.started,
        }
        for name, number in numbers.items():
            self.history.setdefault(name, []).append(float(number))
        if self.folder:
            files.write_text(self.folder / "history.json", json.dumps(self.history, indent=1))
        if self.best_epoch == self.epochs:
            self.best_weights = self.network.get_weights()
            if self.folder:
                _replace_model(self.network, self.folder / "best.keras")
        trained: Any = self.model
        trained.stop_training = self.out_of_patience


def begin(folder: Path, recipe: dict) -> None:
    """Make the folder, delete what an earlier training left in it, and record the recipe of this one."""
    files.output_folder(folder)
    for earlier in FILES:
        (folder / earlier).unlink(missing_ok=True)
    files.write_text(folder / "recipe.json", json.dumps(recipe, indent=1))


def restore(
    folder: Path | None, recipe: dict, steps_per_epoch: int
) -> tuple[keras.Model, dict[str, list[float]], list[np.ndarray]]:
    """Network, history and best weights of an interrupted training, as they were after its last whole epoch.

    Raises:
        FileNotFoundError: there is nothing to resume.
        ValueError: there is no folder, or the training had another recipe.
    """
    if folder is None:
        raise ValueError("expected the folder of the run to resume, got none")
    state = folder / "state.keras"
    if not state.is_file():
        raise FileNotFoundError(f"nothing to resume: no {state}; leave out --resume")
    earlier = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    if changed := [key for key, value in recipe.items() if earlier.get(key) != value]:
        raise ValueError(
            f"the run in {folder} had another {', '.join(changed)}; use its options, or leave out --resume"
        )
    network: Any = keras.saving.load_model(state)
    # The history is written before the state, so a kill between them leaves it an epoch ahead.
    epochs = int(network.optimizer.iterations) // steps_per_epoch
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    best: Any = keras.saving.load_model(folder / "best.keras", compile=False)
    return network, {name: numbers[:epochs] for name, numbers in history.items()}, best.get_weights()


def _replace_model(model: keras.Model, path: Path) -> None:
    with files.replacing(path) as temporary:
        model.save(temporary)
