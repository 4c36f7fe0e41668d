"""What augmentation costs: training steps with it beside the same steps without it, in turn.

Each trainer's own network, batch size, hard-example mining and augmentation; the median of the paired ratios
over several rounds.
"""

import statistics
import time

import cv2
import harness
import keras
import numpy as np
from threadpoolctl import threadpool_limits

import train_advanced
import train_cnn
from digits import data
from digits.augmentation import BY_NAME
from digits.training import architectures, loop, precision

ROUNDS = 15
STEPS = 40


def seconds_of_steps(model: keras.Model, digits: data.Digits, batch_size: int, augment, seed: int) -> float:
    batches, ends = loop.batches(digits, batch_size, seed, lambda _: augment), []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter()))
    with threadpool_limits(1, "blas"):
        model.fit(batches, steps_per_epoch=STEPS, epochs=1, shuffle=False, verbose=0, callbacks=[clock])
    # Not from beginning to end: TensorFlow takes seconds now and then to let go of what fed it.
    return STEPS * float(np.median(np.diff(ends)))


def measure(build, recipe, digits: data.Digits) -> dict:
    with precision.layers_computing_in(precision.precision(recipe)):
        model = build()
    if recipe.hard_example_fraction < 1:
        model = loop.HardExampleMining(model, round(recipe.hard_example_fraction * recipe.batch_size))
    model.compile(keras.optimizers.AdamW(1e-3), "categorical_crossentropy", jit_compile=False)
    augment = BY_NAME[recipe.augmentation]
    # Once each, so that the graph is traced before anything is timed.
    for each in (None, augment):
        seconds_of_steps(model, digits, recipe.batch_size, each, seed=0)
    pairs = []
    for seed in range(ROUNDS):
        order = (None, augment) if seed % 2 else (augment, None)
        seconds = {each: seconds_of_steps(model, digits, recipe.batch_size, each, seed) for each in order}
        pairs.append((seconds[augment], seconds[None]))
    ratios = [with_it / without for with_it, without in pairs]
    alone = digits.first(10_000)
    started = time.perf_counter()
    for start in range(0, len(alone), recipe.batch_size):
        part = slice(start, start + recipe.batch_size)
        augment(alone.images[part], np.random.default_rng(start), alone.labels[part])
    return {
        "augmentation": recipe.augmentation,
        "batch_size": recipe.batch_size,
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_quartiles": [round(quartile, 3) for quartile in statistics.quantiles(ratios)[::2]],
        "images_a_second_with": round(recipe.batch_size * STEPS / statistics.median(pair[0] for pair in pairs)),
        "images_a_second_without": round(recipe.batch_size * STEPS / statistics.median(pair[1] for pair in pairs)),
        "augmented_alone_images_a_second": round(len(alone) / (time.perf_counter() - started)),
    }


if __name__ == "__main__":
    cv2.setNumThreads(1)
    digits = data.load_splits().train
    harness.keep(
        "augmentation",
        {
            "train_cnn": measure(architectures.cnn, train_cnn.RECIPE, digits),
            "train_advanced": measure(architectures.residual_cnn, train_advanced.RECIPE, digits),
        },
    )
