"""Training a Keras model on digits: batches augmented beside the step, a history, and a state to resume from."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
from threadpoolctl import threadpool_limits

from digits import augmentation, files
from digits.checkpoints import cards
from digits.data import Digits, Splits
from digits.images import to_input
from digits.training import recipe as training_recipe
from digits.training import run_state

# As Linux names them.
BFLOAT16_IN_HARDWARE = ("amx_bf16", "avx512_bf16")
VALIDATION_BATCH = 500
# Relative, of the kept network's validation loss. On one processor it is the same to the last digit. A run may be
# resumed on another: the shipped networks, evaluated anew in bfloat16, differed from their histories by up to 0.2 %.
LOSS_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-3}

Augment = Callable[[np.ndarray, np.random.Generator, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Trained:
    """A finished training: the best model by validation loss, and how it went, epoch by epoch.

    Attributes:
        history: `loss`, `accuracy`, `val_loss`, `val_accuracy`, `learning_rate` and `seconds` (of the epoch with its
            validation), each a list with one number an epoch.
        best_epoch: the epoch whose weights the model has, counted from 1.
        circumstances: device, library versions and commit, as they were when the training began.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    circumstances: dict


def batches(
    digits: Digits, batch_size: int, seed: int, augment_in: Callable[[int], Augment | None], first_epoch: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless training batches: ink float32 (batch, 28, 28, 1) and one-hot labels float32 (batch, 10).

    Order and augmentation of an epoch depend on `seed` and the epoch alone, so that a resumed run sees what an
    uninterrupted one would. The digits left over after the last whole batch sit the epoch out.

    Args:
        augment_in: takes the epoch, gives how its digits are changed.
    """
    for epoch in itertools.count(first_epoch):
        rng = np.random.default_rng([seed, epoch])
        order, augment = rng.permutation(len(digits)), augment_in(epoch)
        for start in range(0, len(digits) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            images, labels = digits.images[chosen], digits.labels[chosen]
            yield to_input(augment(images, rng, labels) if augment else images), one_hot(labels)


def warmed_cosine(
    options: training_recipe.TrainingOptions, steps_an_epoch: int
) -> keras.optimizers.schedules.CosineDecay:
    """One epoch of warming up from a tenth of the learning rate, then a cosine down to nothing."""
    return keras.optimizers.schedules.CosineDecay(
        options.learning_rate / 10,
        decay_steps=max(1, options.epochs - 1) * steps_an_epoch,
        warmup_target=options.learning_rate,
        warmup_steps=steps_an_epoch,
    )


@keras.saving.register_keras_serializable("digits")
class WarmRestarts(keras.optimizers.schedules.LearningRateSchedule):
    """Several cosines down to nothing, each twice as long as the last (Loshchilov and Hutter 2017) and warmed up.

    Without warming up, a network without BatchNorm fell back to chance at a restart.

    Args:
        learning_rate: the highest; a cosine begins at a tenth of it.
        steps: of all the cosines together.
        cycles: how many there are.
        warmup_steps: of each of them.

    Raises:
        ValueError: the first cosine would be over before it is warmed up.
    """

    def __init__(self, learning_rate: float, steps: int, cycles: int, warmup_steps: int) -> None:
        self._config = {
            "learning_rate": learning_rate,
            "steps": steps,
            "cycles": cycles,
            "warmup_steps": warmup_steps,
        }
        self._first = steps / (2**cycles - 1)
        if self._first <= warmup_steps:
            raise ValueError(f"expected more epochs or fewer --cycles: the first of {cycles} has no time to warm up")
        self._restarts = [self._first * (2**cycle - 1) for cycle in range(1, cycles)]

    def __call__(self, step):
        """The learning rate of a step, counted from 0."""
        step = keras.ops.cast(step, "float32")
        scale = 2.0 ** sum(keras.ops.cast(step >= restart, "float32") for restart in self._restarts)
        since, length = step - self._first * (scale - 1), self._first * scale
        highest, warmup = self._config["learning_rate"], self._config["warmup_steps"]
        done = keras.ops.clip((since - warmup) / (length - warmup), 0, 1)
        cosine = highest * (1 + keras.ops.cos(np.pi * done)) / 2
        return keras.ops.minimum(cosine, highest * (0.1 + 0.9 * since / warmup))

    def get_config(self) -> dict:
        """What makes the same schedule again."""
        return self._config


@keras.saving.register_keras_serializable("digits")
class AveragingAdamW(keras.optimizers.AdamW):
    """AdamW whose average of the weights is a short one at first: of about the last tenth of the steps.

    Its momentum rises as in TensorFlow's `ExponentialMovingAverage` with `num_updates`. With a high one from the start,
    the untrained weights count for epochs: after 100 steps with 0.995 they make up 0.6 of the average.
    """

    def _update_model_variables_moving_average(self, trainable_variables: list) -> None:
        highest, steps = self.ema_momentum, keras.ops.cast(self.iterations, "float32")
        self.ema_momentum = keras.ops.minimum(highest, (1 + steps) / (10 + steps))
        super()._update_model_variables_moving_average(trainable_variables)
        self.ema_momentum = highest


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Labels (N,) as float32 (N, 10)."""
    return np.eye(10, dtype=np.float32)[labels]


def fit(
    build: Callable[[], keras.Model],
    schedule: Callable[[training_recipe.TrainingOptions, int], keras.optimizers.schedules.LearningRateSchedule],
    splits: Splits,
    options: training_recipe.TrainingOptions,
) -> Trained:
    """Train by the options' recipe: AdamW on the cross-entropy, the epoch with the lowest validation loss kept.

    Keeps `history.json`, `best.keras`, `final.keras` and `state.keras` (to resume from) under
    `options.report_dir / options.name`.

    Args:
        build: makes the untrained model.
        schedule: takes the options and the number of steps an epoch, gives the learning rate.

    Raises:
        FileNotFoundError: the options ask to resume, and there is nothing to resume from.
        ValueError: the run to resume had other options, or the weights kept don't have the history's best loss.
    """
    circumstances = cards.circumstances()
    augment_in = _augmentation_by_epoch(options)
    folder = files.output_folder(options.report_dir / options.name)
    digits = splits.train.first(options.limit)
    batch_size = min(options.batch_size, len(digits))
    steps = len(digits) // batch_size
    validation = to_input(splits.validation.images), one_hot(splits.validation.labels)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=options.label_smoothing)
    keras.utils.set_random_seed(options.random_seed)
    if options.resume:
        model, history = run_state.restore(folder, recipe(options), steps)
    else:
        run_state.begin(folder, recipe(options))
        with layers_computing_in(precision(options)):
            model = build()
        history = {}
        model.compile(
            AveragingAdamW(
                schedule(options, steps),
                weight_decay=options.weight_decay,
                use_ema=options.averaging > 0,
                ema_momentum=options.averaging,
            ),
            loss,
            metrics=["accuracy"],
            # XLA compiles convolutions for this processor several times slower than oneDNN runs them.
            jit_compile=False,
        )
    if options.hardest < 1:
        learn_from_hardest(model, max(1, round(options.hardest * batch_size)))

    log = run_state.Log(folder, options.patience, options.random_seed, history)
    if log.epochs < options.epochs and not log.out_of_patience:
        # Threads of OpenCV and NumPy would fight the training step for the cores.
        cv2.setNumThreads(1)
        with threadpool_limits(1, "blas"):
            model.fit(
                batches(digits, batch_size, options.random_seed, augment_in, log.epochs),
                epochs=options.epochs,
                initial_epoch=log.epochs,
                steps_per_epoch=steps,
                shuffle=False,
                validation_data=validation,
                validation_batch_size=VALIDATION_BATCH,
                callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True), log] if options.averaging else [log],
            )
        model.save(folder / "final.keras")
    kept = keras.saving.load_model(folder / "best.keras", compile=False)
    best_loss = log.history["val_loss"][log.best_epoch - 1]
    _check_loss(kept, loss, validation, best_loss, LOSS_TOLERANCE[precision(options)])
    # The weights are float32 in either precision.
    best = build()
    best.set_weights(kept.get_weights())
    return Trained(best, log.history, log.best_epoch, circumstances)


def _check_loss(
    kept: keras.Model,
    loss: keras.losses.Loss,
    validation: tuple[np.ndarray, np.ndarray],
    expected: float,
    within: float,
) -> None:
    """Check that the network kept as the best has the validation loss that the history says.

    Args:
        within: relative tolerance.

    Raises:
        ValueError: it has another, so it comes from another training.
    """
    kept.compile(loss=loss, jit_compile=False)
    found = kept.evaluate(*validation, batch_size=VALIDATION_BATCH, verbose=0)
    # Of a training that diverged both are NaN; float32 gives a loss near zero to seven decimals.
    if not np.isclose(found, expected, rtol=within, atol=1e-6, equal_nan=True):
        raise ValueError(
            f"expected the kept network to have its epoch's validation loss, {expected:.5f}, got {found:.5f}: another "
            "process wrote to the folder of the run; train again under another --name"
        )


def _augmentation_by_epoch(options: training_recipe.TrainingOptions) -> Callable[[int], Augment | None]:
    augment = augmentation.by_name(options.augmentation, options.leave_out)
    calmed = augment.calmed() if augment else None
    calm_from = round(options.epochs * (1 - options.calm))
    return lambda epoch: augment if epoch < calm_from else calmed


def precision(options: training_recipe.TrainingOptions) -> str:
    """The precision that the options' `auto` means on this machine.

    Processors that multiply matrices of bfloat16 in hardware (Intel's AMX, AVX-512's BF16 instructions) train faster in
    them, others slower. Weights, their averages and their updates are float32 all the same.
    """
    if options.precision != "auto":
        return options.precision
    flags = Path("/proc/cpuinfo")
    processor = flags.read_text(encoding="utf-8") if flags.is_file() else ""
    return "bfloat16" if any(flag in processor for flag in BFLOAT16_IN_HARDWARE) else "float32"


@contextmanager
def layers_computing_in(precision: str) -> Iterator[None]:
    """Within the block, layers are made that compute in `float32`, or in `bfloat16` with weights of float32."""
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(earlier)


def recipe(options: training_recipe.TrainingOptions) -> dict:
    """What decides the result of a training: the options less the folders, with the augmentation's strengths."""
    left_out = ("resume", "score_test", *_folders(options))
    kept = {key: value for key, value in asdict(options).items() if key not in left_out}
    augment = augmentation.by_name(options.augmentation, options.leave_out)
    return kept | {
        "leave_out": list(options.leave_out),
        "precision": precision(options),
        "augmentation_strengths": asdict(augment) if augment else {},
    }


def learn_from_hardest(model: keras.Model, count: int) -> None:
    """Let each training step learn from the `count` digits of its batch that have the largest loss.

    After a few epochs most digits are read so surely that they teach nothing; a forward pass, a fraction of a step's
    work, finds those that do (online hard example mining, Shrivastava et al. 2016).

    Raises:
        ValueError: Keras has another backend than TensorFlow, whose training step is another.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"expected --hardest 1 with {keras.backend.backend()}: choosing digits needs TensorFlow")
    learn = model.train_step

    def train_step(batch: tuple) -> dict:
        ink, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
        losses = keras.losses.categorical_crossentropy(labels, model(ink, training=False))
        _, hardest = keras.ops.top_k(losses, count)
        return learn((keras.ops.take(ink, hardest, axis=0), keras.ops.take(labels, hardest, axis=0)))

    model.train_step = train_step


def facts(trained: Trained, options: training_recipe.TrainingOptions) -> dict:
    """What the card says of a training."""
    return {
        "architecture": trained.model.name,
        "parameters": trained.model.count_params(),
        "recipe": recipe(options),
        "training": {
            "seconds": round(sum(trained.history["seconds"]), 1),
            "epochs": len(trained.history["seconds"]),
            "best_epoch": trained.best_epoch,
            "history": trained.history,
        },
        "circumstances": trained.circumstances,
    }


def _folders(options: training_recipe.TrainingOptions) -> list[str]:
    return [key for key, value in asdict(options).items() if isinstance(value, Path)]
