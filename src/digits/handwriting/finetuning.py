"""Fine-tuning: from a checkpoint to one that reads one person's hand, and MNIST's as well as before."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np

from digits.augmentation import STRONG, Augmentation
from digits.data import Digits, Splits
from digits.images import to_input
from digits.training.loop import one_hot

# Of a person's few digits each is seen many times, and should never look quite the same.
VARIED = Augmentation(rotation=13, scale=0.13, shear=0.13, shift=2, elastic=1.0, stroke=1)
# MNIST's among them, changed as at the end of the base's own training.
REHEARSED = STRONG.calmed()
# Varied copies of each digit that is kept aside, so that few of them tell rounds apart.
COPIES = 10
# Digits recognised at once.
BLOCK = 500
# How far to go from the base's weights to the tuned ones: the first that forgets little enough. Never all the way: the
# last part gains less than it costs.
SHARES = (0.85, 0.7, 0.55, 0.4, 0.25)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What decides a fine-tuning's result besides the digits."""

    warm_up_steps: int = 25
    """Steps in which the last layer alone learns."""
    warm_up_rate: float = 1e-3
    """Learning rate of these steps."""
    rounds: int = 4
    """Rounds with the deeper layers, at most."""
    round_steps: int = 25
    """Steps a round; after each the digits kept aside are looked at."""
    learning_rate: float = 2e-3
    """Learning rate of the first round, falling along a cosine."""
    momentum: float = 0.95
    """Of the weights' moving average, which takes the weights' place after each round."""
    batch_size: int = 32
    """Own digits a step."""
    rehearsed: int = 64
    """MNIST's digits a step, so that they aren't forgotten."""
    patience: int = 2
    """Stop after so many rounds in which the digits kept aside were read no better."""
    largest_loss: float = 0.0007
    """How much accuracy on MNIST's validation digits may be lost."""
    kept_aside: float = 0.2
    """Share of the own digits that the best round is chosen by."""
    random_seed: int = 0
    """Seed of the order, the augmentation and the split."""

    def __post_init__(self) -> None:
        if min(self.warm_up_steps, self.rounds, self.round_steps, self.batch_size, self.patience) < 1:
            raise ValueError("expected steps, rounds, batch size and patience of at least 1")
        if not (self.learning_rate > 0 and self.warm_up_rate > 0 and 0 <= self.momentum <= 1):
            raise ValueError("expected learning rates above 0, and a momentum from 0 to 1")
        if not (0 <= self.largest_loss <= 1 and 0 < self.kept_aside < 1):
            raise ValueError("expected a largest loss of accuracy from 0 to 1, and a share kept aside between them")


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model.

    Attributes:
        model: reads the person's hand.
        share: how far it went from the base's weights to the tuned ones; 0 is the base itself.
        rounds: with the deeper layers, up to the best one.
    """

    model: keras.Model
    share: float
    rounds: int


def tunable(path: Path) -> keras.Model:
    """Open a `.keras` checkpoint that can be fine-tuned.

    Raises:
        ValueError: it doesn't end in ten probabilities behind a dense layer.
    """
    model = keras.saving.load_model(path, compile=False)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    if model.output_shape != (None, 10) or not dense:
        raise ValueError(f"{path.name} can't be fine-tuned: expected ten outputs behind a dense layer")
    return model


class FineTuner:
    """Fine-tunes one checkpoint, as often as wanted: its last layer alone first, then the deeper layers.

    Among the own digits are MNIST's. BatchNorm keeps the statistics that it has, which a few digits can't estimate.
    Some of the own digits are kept aside; the best round is the one that reads these best, and where none reads them
    better than the base, the base is what comes back. In the end the weights are mixed with the base's as far as
    MNIST's validation digits ask (WiSE-FT, Wortsman et al. 2022).

    Raises:
        ValueError: the checkpoint can't be fine-tuned.
    """

    def __init__(self, base: Path, splits: Splits, recipe: Recipe) -> None:
        self.base, self.splits, self.recipe = base, splits, recipe
        # Before the model is opened, because Dropout takes its seed then.
        keras.utils.set_random_seed(recipe.random_seed)
        self._model = tunable(base)
        # One compiled model for all fine-tunings, because tracing its graph takes seconds; they begin with this state.
        _train_only(self._model, _deeper_layers(self._model))
        rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.rounds * recipe.round_steps)
        # The average of the last steps' weights reads new digits better than the weights of any step.
        average = {"use_ema": True, "ema_momentum": recipe.momentum, "ema_overwrite_frequency": recipe.round_steps}
        # Brier's score is bounded: of a few digits an ambiguous one doesn't decide, as it would by the cross-entropy.
        _compile(self._model, keras.optimizers.AdamW(rate, **average), metrics=["mse"])
        dense = _last_dense(self._model)
        self._features = keras.Model(self._model.inputs, dense.input)
        self._head = keras.Model(dense.input, self._model.outputs)
        _compile(self._head, keras.optimizers.AdamW(recipe.warm_up_rate))
        self._state = [(variable, variable.numpy()) for variable in self._variables()]
        self._weights = self._model.get_weights()
        self._guarded = self._accuracy_on_mnist()

    def tune(self, mine: Digits) -> Tuned:
        """Fine-tune on one's own digits; of a class with one digit alone, that one is learnt from and looked at."""
        mine, kept_aside = _divided(mine, self.recipe)
        for variable, value in self._state:
            variable.assign(value)
        # OpenCV's own threads would fight the training step for the cores.
        cv2.setNumThreads(1)
        # Varied, so that few digits tell more.
        copies = kept_aside.at(np.tile(np.arange(len(kept_aside)), COPIES))
        varied = VARIED(copies.images, np.random.default_rng([self.recipe.random_seed, 3]))
        watched = to_input(varied), one_hot(copies.labels)
        brier_before = np.mean((self._model.predict(watched[0], verbose=0) - watched[1]) ** 2)
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
        size = self.recipe.batch_size + self.recipe.rehearsed
        features = self._features.predict(images, batch_size=size, verbose=0)
        self._head.fit(features, labels, batch_size=size, shuffle=False, verbose=0)

    def _train(self, mine: Digits, watched: tuple[np.ndarray, np.ndarray]) -> keras.callbacks.EarlyStopping:
        patience = self.recipe.patience
        stop = keras.callbacks.EarlyStopping("val_mse", mode="min", patience=patience, restore_best_weights=True)
        self._model.fit(
            _batches(mine, self.splits.train, self.recipe, 1),
            epochs=self.recipe.rounds,
            steps_per_epoch=self.recipe.round_steps,
            validation_data=watched,
            validation_batch_size=BLOCK,
            callbacks=[stop],
            shuffle=False,
            verbose=0,
        )
        return stop

    def _mix(self) -> float:
        """Move the weights back towards the base's as far as it takes; give the share that is left of the way."""
        tuned = self._model.get_weights()
        for share in SHARES:
            mixed = (old + share * (new - old) for new, old in zip(tuned, self._weights, strict=True))
            self._model.set_weights(list(mixed))
            if self._accuracy_on_mnist() >= self._guarded - self.recipe.largest_loss:
                return share
        return 0.0

    def _accuracy_on_mnist(self) -> float:
        guard = self.splits.validation
        probabilities = self._model.predict(to_input(guard.images), batch_size=BLOCK, verbose=0)
        return float(np.mean(probabilities.argmax(axis=1) == guard.labels))

    def _variables(self) -> list[keras.Variable]:
        """All that a fine-tuning changes: weights, Dropout's seeds, and what the optimizers remember."""
        return self._model.variables + self._model.optimizer.variables + self._head.optimizer.variables


@dataclass(frozen=True)
class Assessment:
    """How own digits are read that weren't learnt from, each of them once.

    Attributes:
        before, after: which are read rightly by the base and by models that were fine-tuned on others, bool (N,).
        shares: of the fine-tunings, `Tuned.share`.
    """

    before: np.ndarray
    after: np.ndarray
    shares: tuple[float, ...]


def assess(tuner: FineTuner, mine: Digits, folds: int, done: Callable[[], None]) -> Assessment:
    """Fine-tune several times, each time without another part of one's digits, and read that part.

    Args:
        folds: how many parts; each class has at least as many digits.
        done: called after each fine-tuning.
    """
    from sklearn.model_selection import StratifiedKFold

    before = predictions(tunable(tuner.base), mine) == mine.labels
    after, shares = np.zeros(len(mine), bool), []
    parts = StratifiedKFold(folds, shuffle=True, random_state=tuner.recipe.random_seed)
    for learnt, held_out in parts.split(mine.images, mine.labels):
        tuned = tuner.tune(mine.at(learnt))
        after[held_out] = predictions(tuned.model, mine.at(held_out)) == mine.labels[held_out]
        shares.append(tuned.share)
        done()
    return Assessment(before, after, tuple(shares))


def _divided(mine: Digits, recipe: Recipe) -> tuple[Digits, Digits]:
    """Own digits to learn from and to choose the best round by: of each class, or all of it where there is only one."""
    rng = np.random.default_rng([recipe.random_seed, 2])
    learnt, aside = [], []
    for digit in np.unique(mine.labels):
        places = rng.permutation(np.flatnonzero(mine.labels == digit))
        count = max(1, round(recipe.kept_aside * len(places)))
        aside.extend(places[:count])
        learnt.extend(places[count:] if len(places) > count else places)
    return mine.at(np.array(learnt)), mine.at(np.array(aside))


def predictions(model: keras.Model, digits: Digits) -> np.ndarray:
    """A Keras model's answers to digits, (N,)."""
    ink = to_input(digits.images)
    # `predict` would trace a graph for each of the many models.
    blocks = [model(ink[start : start + BLOCK], training=False) for start in range(0, len(ink), BLOCK)]
    return np.concatenate([keras.ops.convert_to_numpy(block) for block in blocks]).argmax(axis=1)


def _batches(mine: Digits, rehearsal: Digits, recipe: Recipe, stage: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches of one's own digits, every class as often, and MNIST's.

    Each stage has its own, because Keras fetches some ahead, and how many is chance.
    """
    rng = np.random.default_rng([recipe.random_seed, stage])
    by_class = [places for digit in range(10) if len(places := np.flatnonzero(mine.labels == digit))]
    while True:
        classes = rng.integers(len(by_class), size=recipe.batch_size)
        own = np.array([rng.choice(by_class[each]) for each in classes])
        others = rng.integers(len(rehearsal), size=recipe.rehearsed)
        images = np.concatenate([VARIED(mine.images[own], rng), REHEARSED(rehearsal.images[others], rng)])
        yield to_input(images), one_hot(np.concatenate([mine.labels[own], rehearsal.labels[others]]))


def _last_dense(model: keras.Model) -> keras.layers.Layer:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][-1]


def _deeper_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """All but the first third of the convolutions, with what lies before them; BatchNorm isn't among them."""
    convolutions = [place for place, layer in enumerate(model.layers) if _is_convolution(layer)]
    first = convolutions[len(convolutions) // 3] if convolutions else 0
    return [layer for layer in model.layers[first:] if not isinstance(layer, keras.layers.BatchNormalization)]


def _is_convolution(layer: keras.layers.Layer) -> bool:
    return any(len(weight.shape) == 4 for weight in layer.weights)


def _compile(model: keras.Model, optimizer: keras.optimizers.Optimizer, **options) -> None:
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(), jit_compile=False, **options)
    optimizer.build(model.trainable_variables)


def _train_only(model: keras.Model, chosen: list[keras.layers.Layer]) -> None:
    for layer in model.layers:
        layer.trainable = any(layer is each for each in chosen)
