"""Fine-tuning: from a checkpoint to one that reads one person's hand, and MNIST's as well as before."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np

from digits import preprocess
from digits.augmentation import STRONG, Augmentation
from digits.data import Digits, Splits
from digits.training import one_hot

# Of a person's few digits each is seen many times, and should never look quite the same.
VARIED = Augmentation(rotation=10, scale=0.1, shear=0.1, shift=1.5, elastic=1.0, stroke=0.2)
# Varied copies of each digit that is kept aside, so that few of them tell rounds apart.
COPIES = 10
# Digits recognised at once.
BLOCK = 500
# How far to go from the base's weights to the tuned ones: the first that forgets little enough.
SHARES = (1.0, 0.85, 0.7, 0.55, 0.4, 0.25)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What decides a fine-tuning's result besides the digits."""

    warm_up_steps: int = 50
    """Steps in which the last layer alone learns."""
    warm_up_rate: float = 1e-3
    """Learning rate of these steps."""
    rounds: int = 12
    """Rounds with the deeper layers, at most."""
    round_steps: int = 25
    """Steps a round; after each the digits kept aside are looked at."""
    learning_rate: float = 5e-4
    """Learning rate of the first round, falling along a cosine."""
    batch_size: int = 48
    """Own digits a step."""
    rehearsed: int = 80
    """MNIST's digits a step, so that they aren't forgotten."""
    patience: int = 4
    """Stop after so many rounds in which the digits kept aside were read no better."""
    largest_loss: float = 0.001
    """How much accuracy on MNIST's validation digits may be lost."""
    kept_aside: float = 0.2
    """Share of the own digits that the best round is chosen by."""
    random_seed: int = 0
    """Seed of the order, the augmentation and the split."""

    def __post_init__(self) -> None:
        if min(self.warm_up_steps, self.rounds, self.round_steps, self.batch_size, self.patience) < 1:
            raise ValueError("expected steps, rounds, batch size and patience of at least 1")
        if not (self.learning_rate > 0 and self.warm_up_rate > 0 and 0 <= self.largest_loss <= 1):
            raise ValueError("expected learning rates above 0, and a largest loss of accuracy from 0 to 1")


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


def fine_tune(base: Path, mine: Digits, splits: Splits, recipe: Recipe) -> Tuned:
    """Fine-tune a checkpoint: its last layer alone first, then the deeper layers, MNIST's digits among the own ones.

    BatchNorm keeps the statistics that it has, which a few digits can't estimate. Some of the own digits are kept
    aside; the best round is the one that reads these best, and where none reads them better than the base, the base is
    what comes back. In the end the weights are mixed with the base's as far as MNIST's validation digits ask (WiSE-FT,
    Wortsman et al. 2022).

    Args:
        mine: one's own digits; of a class with one digit alone, that one is learnt from and looked at.

    Raises:
        ValueError: the checkpoint can't be fine-tuned.
    """
    mine, kept_aside = _divided(mine, recipe)
    # Before the model is opened, because Dropout takes its seed then.
    keras.utils.set_random_seed(recipe.random_seed)
    model = tunable(base)
    original = model.get_weights()
    # OpenCV's own threads would fight the training step for the cores.
    cv2.setNumThreads(1)
    # Varied, so that few digits tell more.
    copies = kept_aside.at(np.tile(np.arange(len(kept_aside)), COPIES))
    varied = VARIED(copies.images, np.random.default_rng([recipe.random_seed, 3]))
    watched = preprocess.to_input(varied), one_hot(copies.labels)
    loss = keras.losses.CategoricalCrossentropy()
    brier_before = float(np.mean((_probabilities(model, watched[0]) - watched[1]) ** 2))

    _train_only(model, [_last_dense(model)])
    model.compile(keras.optimizers.AdamW(recipe.warm_up_rate), loss, jit_compile=False)
    warm_up = _batches(mine, splits.train, recipe, stage=0)
    model.fit(warm_up, steps_per_epoch=recipe.warm_up_steps, shuffle=False, verbose=0)

    _train_only(model, _deeper_layers(model))
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.rounds * recipe.round_steps)
    # Brier's score is bounded: of a few digits a single ambiguous one doesn't decide, as it would by the cross-entropy.
    model.compile(keras.optimizers.AdamW(rate), loss, metrics=["mse"], jit_compile=False)
    stop = keras.callbacks.EarlyStopping("val_mse", mode="min", patience=recipe.patience, restore_best_weights=True)
    model.fit(
        _batches(mine, splits.train, recipe, stage=1),
        epochs=recipe.rounds,
        steps_per_epoch=recipe.round_steps,
        validation_data=watched,
        callbacks=[stop],
        shuffle=False,
        verbose=0,
    )
    is_better = stop.best < brier_before
    share = _mix(model, original, splits.validation, recipe.largest_loss) if is_better else 0.0
    if not share:
        model.set_weights(original)
    model.trainable = True
    return Tuned(model, share, stop.best_epoch + 1 if share else 0)


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


def assess(
    base: Path, mine: Digits, splits: Splits, recipe: Recipe, folds: int, done: Callable[[], None] = lambda: None
) -> Assessment:
    """Fine-tune several times, each time without another part of one's digits, and read that part.

    Args:
        folds: how many parts; each class has at least as many digits.
        done: called after each fine-tuning.
    """
    from sklearn.model_selection import StratifiedKFold

    before = predictions(tunable(base), mine) == mine.labels
    after, shares = np.zeros(len(mine), bool), []
    parts = StratifiedKFold(folds, shuffle=True, random_state=recipe.random_seed)
    for learnt, held_out in parts.split(mine.images, mine.labels):
        tuned = fine_tune(base, mine.at(learnt), splits, recipe)
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
    return _probabilities(model, preprocess.to_input(digits.images)).argmax(axis=1)


def _probabilities(model: keras.Model, ink: np.ndarray) -> np.ndarray:
    # `predict` would trace a graph for each of the many models.
    blocks = [model(ink[start : start + BLOCK], training=False) for start in range(0, len(ink), BLOCK)]
    return np.concatenate([keras.ops.convert_to_numpy(block) for block in blocks])


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
        images = np.concatenate([VARIED(mine.images[own], rng), STRONG(rehearsal.images[others], rng)])
        yield preprocess.to_input(images), one_hot(np.concatenate([mine.labels[own], rehearsal.labels[others]]))


def _last_dense(model: keras.Model) -> keras.layers.Layer:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][-1]


def _deeper_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """All but the first third of the convolutions, with what lies before them; BatchNorm isn't among them."""
    convolutions = [place for place, layer in enumerate(model.layers) if _is_convolution(layer)]
    first = convolutions[len(convolutions) // 3] if convolutions else 0
    return [layer for layer in model.layers[first:] if not isinstance(layer, keras.layers.BatchNormalization)]


def _is_convolution(layer: keras.layers.Layer) -> bool:
    return any(len(weight.shape) == 4 for weight in layer.weights)


def _train_only(model: keras.Model, chosen: list[keras.layers.Layer]) -> None:
    for layer in model.layers:
        layer.trainable = any(layer is each for each in chosen)


def _mix(model: keras.Model, original: list[np.ndarray], guard: Digits, largest_loss: float) -> float:
    """Move the weights back towards the original ones as far as it takes; give the share that is left of the way."""
    tuned = model.get_weights()

    def accuracy(share: float) -> float:
        model.set_weights([old + share * (new - old) for new, old in zip(tuned, original, strict=True)])
        return float(np.mean(predictions(model, guard) == guard.labels))

    least = accuracy(0.0) - largest_loss
    return next((share for share in SHARES if accuracy(share) >= least), 0.0)
