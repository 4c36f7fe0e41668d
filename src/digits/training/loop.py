"""The training loop: augmented batches, AdamW with averaged weights, hard-example mining, the best epoch kept."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from threadpoolctl import threadpool_limits

from digits import augmentation
from digits.checkpoints import cards
from digits.data import STYLES_SHA256, Digits, Splits, load_styles
from digits.images import to_input
from digits.training import run_state
from digits.training.precision import layers_computing_in, precision
from digits.training.recipe import Recipe
from digits.training.schedules import Schedule, warmed_cosine

VALIDATION_BATCH = 500
# Keras's default, "auto", hides from type checkers that `verbose` may be an integer.
QUIET: Any = 0
# Relative, of the kept network's validation loss. On one processor it is reproduced to the last digit, but a run may be
# resumed on another: the shipped networks, evaluated again in bfloat16, differed from their histories by up to 0.2 %.
LOSS_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-3}

Augment = Callable[[np.ndarray, np.random.Generator, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Trained:
    """A finished training: the best model by validation loss, and its history.

    Attributes:
        model: has float32 weights and layers, whatever precision it was trained in.
        history: `loss`, `accuracy`, `val_loss`, `val_accuracy`, `learning_rate` (at the end of the epoch) and `seconds`
            (validation included), each a list with one number per epoch.
        best_epoch: the epoch that the model's weights are from, counted from 1.
        circumstances: device, library versions and commit when the training began.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    circumstances: dict


def batches(
    digits: Digits,
    batch_size: int,
    seed: int,
    augment_in: Callable[[int], Augment | None],
    first_epoch: int = 0,
    draw_styles: Callable[[np.random.Generator], Digits] | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield training batches without end: ink float32 (batch, 28, 28, 1) in [0, 1], one-hot labels float32 (batch, 10).

    The order and augmentation of an epoch depend only on `seed` and the epoch, so a resumed run sees the same batches
    as an uninterrupted one. Digits left over after the last whole batch are skipped in that epoch.

    Args:
        augment_in: takes the epoch, counted from 0, and returns its augmentation.
        draw_styles: returns the digits in other styles that are added to each batch of `batch_size` digits.
    """
    for epoch in itertools.count(first_epoch):
        rng = np.random.default_rng([seed, epoch])
        order, augment = rng.permutation(len(digits)), augment_in(epoch)
        for start in range(0, len(digits) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            images, labels = digits.images[chosen], digits.labels[chosen]
            if draw_styles:
                drawn = draw_styles(rng)
                images, labels = np.concatenate([images, drawn.images]), np.concatenate([labels, drawn.labels])
            yield to_input(augment(images, rng, labels) if augment else images), one_hot(labels)


@keras.saving.register_keras_serializable("digits")
class AveragingAdamW(keras.optimizers.AdamW):
    """AdamW whose EMA momentum rises, so that early averages span only about the last tenth of the steps.

    It rises as in TensorFlow's `ExponentialMovingAverage` with `num_updates`. With a constant high momentum, the
    untrained weights would count for epochs: after 100 steps with 0.995 they make up 0.6 of the average.
    """

    def apply(self, grads: list, trainable_variables: list | None = None) -> None:
        """Update the weights, then their average with the momentum of this step."""
        momentum = self.ema_momentum
        steps: Any = keras.ops.cast(self.iterations, "float32")
        self.ema_momentum = keras.ops.minimum(momentum, (1 + steps) / (10 + steps))
        super().apply(grads, trainable_variables)
        self.ema_momentum = momentum


class HardExampleMining(keras.Model):
    """Trains a network on only the hardest digits of each batch: those with the largest loss.

    After a few epochs most digits are recognised so confidently that they teach nothing; a forward pass, a fraction of
    a step's work, finds those that do (online hard example mining, Shrivastava et al. 2016).

    Args:
        network: shares its weights with this model.
        count: number of digits to learn from in each batch.

    Raises:
        ValueError: Keras has a backend other than TensorFlow, whose training step has other arguments.
    """

    def __init__(self, network: keras.Model, count: int) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                f"expected hard_example_fraction 1 with {keras.backend.backend()}: choosing digits needs TensorFlow"
            )
        super().__init__()
        self.network, self.count = network, count

    def call(self, ink, training=None):
        """The network's probabilities."""
        return self.network(ink, training=training)

    def train_step(self, data: tuple) -> dict:
        """Choose the hardest digits by a forward pass, then learn from them."""
        unpacked: Any = keras.utils.unpack_x_y_sample_weight(data)
        ink, labels, _ = unpacked
        losses = keras.losses.categorical_crossentropy(labels, self.network(ink, training=False))
        top: Any = keras.ops.top_k(losses, self.count)
        _, hardest = top
        return super().train_step((keras.ops.take(ink, hardest, axis=0), keras.ops.take(labels, hardest, axis=0)))


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Labels, integers (N,), as float32 (N, 10)."""
    return np.eye(10, dtype=np.float32)[labels]


def fit(
    build: Callable[[], keras.Model],
    splits: Splits,
    recipe: Recipe,
    schedule: Callable[[Any, int], Schedule] = warmed_cosine,
    folder: Path | None = None,
    resume: bool = False,
) -> Trained:
    """Train a network with AdamW on the cross-entropy and keep the epoch with the lowest validation loss.

    Args:
        build: returns the untrained network, from float32 (N, 28, 28, 1) to ten probabilities.
        splits: the validation digits choose the epoch; the test digits aren't used.
        schedule: takes the recipe and the number of steps per epoch and returns the learning rate of a cosine recipe.
        folder: where to write `history.json`, `best.keras`, `final.keras`, `state.keras` (to resume from) and
            `recipe.json`; None writes nothing.
        resume: continue the interrupted run in `folder`.

    Raises:
        FileNotFoundError: there is nothing to resume.
        ValueError: resuming without a folder or with another recipe, or the best weights don't have the validation
            loss of the history.
    """
    circumstances = cards.circumstances()
    # Resumed on the same digits only; runs on MNIST needn't name it.
    recorded = describe(recipe) | ({} if splits.are_mnist else {"data": dict(splits.idx_sha256)})
    augment_in = _augmentation_by_epoch(recipe)
    digits = splits.train.first(recipe.limit)
    batch_size = min(recipe.batch_size, len(digits))
    style_count = min(round(recipe.style_fraction * batch_size), batch_size - 1)
    draw_styles = partial(load_styles().draw, count=style_count) if style_count else None
    own_count = batch_size - style_count
    steps = len(digits) // own_count
    validation = to_input(splits.validation.images), one_hot(splits.validation.labels)
    # XLA compiles convolutions for this processor several times slower than oneDNN runs them.
    compiled = {
        "loss": keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        "metrics": ["accuracy"],
        "jit_compile": False,
    }
    keras.utils.set_random_seed(recipe.random_seed)
    if resume:
        network, history, best_weights = run_state.restore(folder, recorded, steps)
    else:
        if folder:
            run_state.begin(folder, recorded)
        with layers_computing_in(precision(recipe)):
            network = build()
        history, best_weights = {}, []
        learning_rate: Any = recipe.learning_rate if recipe.schedule == "plateau" else schedule(recipe, steps)
        optimizer = AveragingAdamW(
            learning_rate,
            weight_decay=recipe.weight_decay,
            use_ema=recipe.ema_momentum > 0,
            ema_momentum=recipe.ema_momentum,
        )
        network.compile(optimizer, **compiled)
    log = run_state.Log(network, recipe, history, best_weights, folder)
    if log.epochs < recipe.epochs and not log.out_of_patience:
        learner = network
        if recipe.hard_example_fraction < 1:
            learner = HardExampleMining(network, max(1, round(recipe.hard_example_fraction * batch_size)))
            learner.compile(network.optimizer, **compiled)
        # Threads of OpenCV and NumPy would compete with the training step for the cores.
        cv2.setNumThreads(1)
        with threadpool_limits(1, "blas"):
            learner.fit(
                batches(digits, own_count, recipe.random_seed, augment_in, log.epochs, draw_styles),
                epochs=recipe.epochs,
                initial_epoch=log.epochs,
                steps_per_epoch=steps,
                shuffle=False,
                validation_data=validation,
                validation_batch_size=VALIDATION_BATCH,
                callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True), log] if recipe.ema_momentum else [log],
            )
        if folder:
            network.save(folder / "final.keras")
    network.set_weights(log.best_weights)
    _check_loss(network, validation, log.history["val_loss"][log.best_epoch - 1], LOSS_TOLERANCE[precision(recipe)])
    # Its layers compute in float32; the weights are float32 in either precision.
    best = build()
    best.set_weights(log.best_weights)
    return Trained(best, log.history, log.best_epoch, circumstances)


def _check_loss(
    network: keras.Model, validation: tuple[np.ndarray, np.ndarray], expected: float, tolerance: float
) -> None:
    """Check that the best epoch's weights have the validation loss of the history.

    Args:
        network: compiled, with those weights.
        tolerance: relative.

    Raises:
        ValueError: they have another loss, so they are another training's.
    """
    found = network.evaluate(*validation, batch_size=VALIDATION_BATCH, verbose=QUIET, return_dict=True)["loss"]
    # A training that diverged has NaN in both; float32 gives a loss near zero to seven decimals.
    if not np.isclose(found, expected, rtol=tolerance, atol=1e-6, equal_nan=True):
        raise ValueError(
            f"expected the best epoch's weights to have its validation loss, {expected:.5f}, got {found:.5f}: another "
            "process wrote to the run's folder; train again under another name"
        )


def _augmentation_by_epoch(recipe: Recipe) -> Callable[[int], Augment | None]:
    augment = augmentation.by_name(recipe.augmentation, recipe.leave_out)
    calmed = augment.calmed() if augment else None
    calm_from = round(recipe.epochs * (1 - recipe.calm_fraction))
    return lambda epoch: augment if epoch < calm_from else calmed


def describe(recipe: Recipe) -> dict:
    """A recipe as cards and runs record it: with this machine's precision, and what its names stand for."""
    augment = augmentation.by_name(recipe.augmentation, recipe.leave_out)
    return asdict(recipe) | {
        "leave_out": list(recipe.leave_out),
        "precision": precision(recipe),
        "augmentation_strengths": asdict(augment) if augment else {},
        **({"styles_sha256": STYLES_SHA256} if recipe.style_fraction else {}),
    }


def facts(trained: Trained, recipe: Recipe) -> dict:
    """What a card records of a training."""
    return {
        "architecture": trained.model.name,
        "parameters": trained.model.count_params(),
        "recipe": describe(recipe),
        "training": {
            "seconds": round(sum(trained.history["seconds"]), 1),
            "epochs": len(trained.history["seconds"]),
            "best_epoch": trained.best_epoch,
            "history": trained.history,
        },
        "circumstances": trained.circumstances,
    }
