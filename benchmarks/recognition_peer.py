"""The shipped CNN in PyTorch, recognising: `recognition.py` runs this in an environment of its own.

It knows nothing of the project: `recognition_peer.py ROUNDS` prints the seconds of rounds over 10,000 images, and of
one image, as JSON. Speed doesn't depend on the weights, so they are random.
"""

import json
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

IMAGES = 10_000
BLOCK = 100
ONE_IMAGE_ROUNDS = 200


def mnist_cnn() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3), nn.ReLU()),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(64, 96, 3, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(2400, 10), nn.Softmax(dim=1)),
    )


def seconds(work: Callable[[], object], rounds: int) -> list[float]:
    measured = []
    for turn in range(rounds + 1):
        started = time.perf_counter()
        work()
        if turn:  # the first turn makes the plans
            measured.append(time.perf_counter() - started)
    return measured


if __name__ == "__main__":
    model, images = mnist_cnn().eval(), torch.rand(IMAGES, 1, 28, 28)
    with torch.inference_mode():
        result = {
            "all": seconds(lambda: [model(block) for block in images.split(BLOCK)], int(sys.argv[1])),
            "one": seconds(lambda: model(images[:1]), ONE_IMAGE_ROUNDS),
        }
    print(json.dumps(result))
