"""Fine-tuning a checkpoint on one person's handwriting, so that it still recognises MNIST as well as before."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from digits.augmentation import STRONG, Augmentation
from digits.data import Digits, Splits
from digits.images import to_input
from digits.training.loop import QUIET, one_hot

# Each of a person's few digits is seen many times, and should never look quite the same.
VARIED = Augmentation(rotation=13, scale=0.13, shear=0.13, shift=2, elastic=1.0, stroke=1)
# For MNIST's digits among them, as at the end of the base's own training.
REHEARSED = STRONG.calmed()
# Augmented copies of each held-out digit, so that even a few digits tell rounds apart.
COPIES = 10
# Digits recognised at once.
BLOCK = 500
# How far to move from the base's weights to the tuned ones; the first value that forgets little enough is taken. It is
# never 1, because the last part of the way gains less than it costs.
SHARES = (0.85, 0.7, 0.55, 0.4, 0.25)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What decides the result of a fine-tuning, besides the digits.

    Raises:
        ValueError: a value is out of range.
    """

    warm_up_steps: int = 25
    """Steps that train only the last layer."""
    warm_up_learning_rate: float = 1e-3
    """Learning rate of these steps."""
    rounds: int = 4
    """Largest number of rounds that train the deeper layers."""
    steps_per_round: int = 25
    """Steps per round, after which the held-out digits are evaluated."""
    learning_rate: float = 2e-3
    """Initial learning rate of the rounds, with cosine decay."""
    ema_momentum: float = 0.95
    """Momentum of the moving average that replaces the weights after each round."""
    batch_size: int = 32
    """Own digits per step."""
    rehearsal_size: int = 64
    """MNIST digits per step, so that they aren't forgotten."""
    patience: int = 2
    """Stop after this many rounds without a better result on the held-out digits."""
    largest_accuracy_drop: float = 0.0007
    """How much accuracy on MNIST's validation digits may be lost."""
    held_out_fraction: float = 0.2
    """Fraction of the own digits that choose the best round."""
    random_seed: int = 0
    """Seed of the order, the augmentation and the held-out digits."""

    @property
    def most_steps(self) -> int:
        """The most steps that train the deeper layers."""
        return self.rounds * self.steps_per_round

    def __post_init__(self) -> None:
        if min(self.warm_up_steps, self.rounds, self.steps_per_round, self.batch_size, self.patience) < 1:
            raise ValueError("expected steps, rounds, batch size and patience of at least 1")
        if not (self.learning_rate > 0 and self.warm_up_learning_rate > 0 and 0 <= self.ema_momentum <= 1):
            raise ValueError("expected learning rates above 0, and an EMA momentum from 0 to 1")
        if not (0 <= self.largest_accuracy_drop <= 1 and 0 < self.held_out_fraction < 1):
            raise ValueError("expected a largest accuracy drop from 0 to 1, and a held-out fraction between them")


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model.

    Attributes:
        model: the fine-tuned network.
        share: how far its weights are from the base's to the tuned ones, from 0, the base itself, to 1.
        rounds: number of rounds up to the best one.
    """

    model: keras.Model
    share: float
    rounds: int


def tunable(path: Path) -> keras.Model:
    """Open a `.keras` checkpoint that can be fine-tuned.

    Raises:
        ValueError: it doesn't end in ten probabilities behind a dense layer.
    """
    model: Any = keras.saving.load_model(path, compile=False)
    if model.output_shape != (None, 10) or not _dense_layers(model):
        # The file may be a copy in the user's cache.
        raise ValueError(
            "the base can't be fine-tuned: expected ten outputs behind a dense layer; choose another --base"
        )
    return model


class FineTuner:
    """Fine-tunes one checkpoint, as often as needed: first only its last layer, then the deeper layers.

    Batches mix own digits with MNIST's. BatchNorm keeps its statistics, which a few digits can't estimate. The best
    round is chosen by held-out own digits; if none is better than the base, the base is returned. Finally the weights
    are averaged with the base's, as far as needed to keep the accuracy on MNIST's validation digits (WiSE-FT, Wortsman
    et al. 2022).

    Args:
        base: a `.keras` checkpoint.
        stepped: called after each of the `Recipe.most_steps` steps that train the deeper layers.

    Raises:
        ValueError: the checkpoint can't be fine-tuned.
    """

    def __init__(self, base: Path, splits: Splits, recipe: Recipe, stepped: Callable[[], None] = lambda: None) -> None:
        self.base, self.splits, self.recipe, self.stepped = base, splits, recipe, stepped
        # Before the model is loaded, because dropout takes its seed then.
        keras.utils.set_random_seed(recipe.random_seed)
        self._model = tunable(base)
        # One compiled model for all fine-tunings, because tracing its graph takes seconds; each starts from this state.
        deeper = _deeper_layers(self._model)
        for layer in self._model.layers:
            layer.trainable = any(layer is each for each in deeper)
        rate: Any = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.most_steps)
        # The average of the last steps' weights is better on new digits than the weights of any step.
        average = {"ema_momentum": recipe.ema_momentum, "ema_overwrite_frequency": recipe.steps_per_round}
        # The Brier score is bounded, so one ambiguous digit among a few doesn't decide, as it would with cross-entropy.
        _compile(self._model, keras.optimizers.AdamW(rate, use_ema=True, **average), metrics=["mse"])
        dense = _dense_layers(self._model)[-1]
        self._features = keras.Model(self._model.inputs, dense.input)
        self._head = keras.Model(dense.input, self._model.outputs)
        _compile(self._head, keras.optimizers.AdamW(recipe.warm_up_learning_rate))
        # All that a fine-tuning changes: weights, dropout's seeds and the optimizers' state.
        changed = (self._model.variables, self._model.optimizer.variables, self._head.optimizer.variables)
        self._state = [(variable, variable.numpy()) for variable in itertools.chain(*changed)]
        self._weights = self._model.get_weights()
        self._guarded = self._accuracy_on_mnist()

    def tune(self, mine: Digits) -> Tuned:
        """Fine-tune on own digits; the only digit of a class is both trained on and held out."""
        mine, held_out = _divided(mine, self.recipe)
        for variable, value in self._state:
            variable.assign(value)
        # Threads of OpenCV would compete with the training step for the cores.
        cv2.setNumThreads(1)
        copies = held_out.at(np.tile(np.arange(len(held_out)), COPIES))
        varied = VARIED(copies.images, np.random.default_rng([self.recipe.random_seed, 3]))
        watched = to_input(varied), one_hot(copies.labels)
        brier_before = np.mean((self._model.predict(watched[0], verbose=QUIET) - watched[1]) ** 2)
        self._warm_up(mine)
        stop = self._train(mine, watched)
        share = self._mix() if stop.best < brier_before else 0.0
        model = tunable(self.base)
        if share:
            model.set_weights(self._model.get_weights())
        return Tuned(model, share, stop.best_epoch + 1 if share else 0)

    def _warm_up(self, mine: Digits) -> None:
        batches = itertools.islice(_batches(mine, self.splits.train, self.recipe, 0), self.recipe.warm_up_steps)
        images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        size = self.recipe.batch_size + self.recipe.rehearsal_size
        features = self._features.predict(images, batch_size=size, verbose=QUIET)
        self._head.fit(features, labels, batch_size=size, shuffle=False, verbose=QUIET)

    def _train(self, mine: Digits, watched: tuple[np.ndarray, np.ndarray]) -> keras.callbacks.EarlyStopping:
        patience = self.recipe.patience
        stop = keras.callbacks.EarlyStopping("val_mse", mode="min", patience=patience, restore_best_weights=True)
        self._model.fit(
            _batches(mine, self.splits.train, self.recipe, 1),
            epochs=self.recipe.rounds,
            steps_per_epoch=self.recipe.steps_per_round,
            validation_data=watched,
            validation_batch_size=BLOCK,
            callbacks=[stop, keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: self.stepped())],
            shuffle=False,
            verbose=QUIET,
        )
        return stop

    def _mix(self) -> float:
        """Average the weights with the base's as far as needed; return how far from the base's they stay."""
        tuned = self._model.get_weights()
        for share in SHARES:
            mixed = (old + share * (new - old) for new, old in zip(tuned, self._weights, strict=True))
            self._model.set_weights(list(mixed))
            if self._accuracy_on_mnist() >= self._guarded - self.recipe.largest_accuracy_drop:
                return share
        return 0.0

    def _accuracy_on_mnist(self) -> float:
        guard = self.splits.validation
        probabilities = self._model.predict(to_input(guard.images), batch_size=BLOCK, verbose=QUIET)
        return float(np.mean(probabilities.argmax(axis=1) == guard.labels))


def _divided(mine: Digits, recipe: Recipe) -> tuple[Digits, Digits]:
    """Own digits to train on and held-out ones; the only digit of a class is in both."""
    rng = np.random.default_rng([recipe.random_seed, 2])
    trained_on, held_out = [], []
    for digit in np.unique(mine.labels):
        indices = rng.permutation(np.flatnonzero(mine.labels == digit))
        count = max(1, round(recipe.held_out_fraction * len(indices)))
        held_out.extend(indices[:count])
        trained_on.extend(indices[count:] if len(indices) > count else indices)
    return mine.at(np.array(trained_on)), mine.at(np.array(held_out))


def predictions(model: keras.Model, digits: Digits) -> np.ndarray:
    """The predicted digits, integers (N,)."""
    ink = to_input(digits.images)
    # `predict` would trace a graph for each model.
    blocks = [model(ink[start : start + BLOCK], training=False) for start in range(0, len(ink), BLOCK)]
    return np.concatenate([np.asarray(block) for block in blocks]).argmax(axis=1)


def _batches(mine: Digits, rehearsal: Digits, recipe: Recipe, stage: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches of own digits, balanced by class, and MNIST digits without end.

    Each stage has its own random numbers, because Keras prefetches an unpredictable number of batches.
    """
    rng = np.random.default_rng([recipe.random_seed, stage])
    by_class = [indices for digit in range(10) if len(indices := np.flatnonzero(mine.labels == digit))]
    while True:
        classes = rng.integers(len(by_class), size=recipe.batch_size)
        own = np.array([rng.choice(by_class[each]) for each in classes])
        others = rng.integers(len(rehearsal), size=recipe.rehearsal_size)
        images = np.concatenate([VARIED(mine.images[own], rng), REHEARSED(rehearsal.images[others], rng)])
        yield to_input(images), one_hot(np.concatenate([mine.labels[own], rehearsal.labels[others]]))


def _dense_layers(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def _deeper_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """All layers from the second third of the convolutions on, without BatchNorm."""
    ranks = [{len(weight.shape) for weight in layer.weights} for layer in model.layers]
    convolutions = [index for index, of_weights in enumerate(ranks) if 4 in of_weights]
    first = convolutions[len(convolutions) // 3] if convolutions else 0
    return [layer for layer in model.layers[first:] if not isinstance(layer, keras.layers.BatchNormalization)]


def _compile(model: keras.Model, optimizer: keras.optimizers.Optimizer, **options) -> None:
    options["jit_compile"] = False
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(), **options)
    optimizer.build(model.trainable_variables)
