"""The PyTorch examples' MNIST network, trained by its own recipe: `time_to_accuracy.py` runs this in its environment.

It knows nothing of the project: `time_to_accuracy_peer.py IN.npz OUT.json` takes ink and labels to train on and to
validate on, and gives seconds and accuracy, epoch by epoch. The network and recipe are those of
https://github.com/pytorch/examples/blob/main/mnist/main.py : Adadelta with a rate of 1 that shrinks to 0.7 of itself
each epoch, batches of 64, 14 epochs. (The example shuffles on a GPU alone; here, too.)
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

EPOCHS = 14
BATCH = 64
MEAN, DEVIATION = 0.1307, 0.3081


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def tensors(data: dict[str, np.ndarray], part: str) -> tuple[torch.Tensor, torch.Tensor]:
    ink = (torch.from_numpy(data[f"{part}_ink"]).permute(0, 3, 1, 2) - MEAN) / DEVIATION
    return ink.contiguous(), torch.from_numpy(data[f"{part}_labels"].astype(np.int64))


def accuracy(model: nn.Module, ink: torch.Tensor, labels: torch.Tensor) -> float:
    model.eval()
    with torch.no_grad():
        right = sum(
            (model(part).argmax(1) == true).sum()
            for part, true in zip(ink.split(1000), labels.split(1000), strict=True)
        )
    return int(right) / len(labels)


def train(data: dict[str, np.ndarray]) -> dict[str, list[float]]:
    torch.manual_seed(0)
    (ink, labels), validation = tensors(data, "train"), tensors(data, "validation")
    model = network()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    shrink = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)
    history = {"seconds": [], "val_accuracy": []}
    for epoch in range(EPOCHS):
        started = time.perf_counter()
        model.train()
        for chosen in torch.randperm(len(ink)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(ink[chosen]), labels[chosen]).backward()
            optimizer.step()
        shrink.step()
        history["val_accuracy"].append(accuracy(model, *validation))
        history["seconds"].append(time.perf_counter() - started)
        print(f"PyTorch, epoch {epoch + 1}: {history['val_accuracy'][-1]:.2%}", flush=True)
    return history


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    with np.load(source) as stored:
        target.write_text(json.dumps(train(dict(stored))), encoding="utf-8")
