"""The shipped networks in PyTorch, explained by Captum: `captum.py` runs this in an environment of its own.

It knows nothing of the project: `captum_peer.py IN.npz OUT.npz` takes the network's name, Keras's weights in order,
the ink, and gives logits and maps, in the precision of the ink.
"""

import sys

import numpy as np
import torch
from captum import attr
from torch import nn

BLOCK = 10
STEPS = 32


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.branch = nn.Sequential(*convolution(channels, channels, 1), *convolution(channels, channels, 1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden + self.branch(hidden)


class FlattenChannelsLast(nn.Module):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden.permute(0, 2, 3, 1).flatten(1)


def convolution(channels: int, filters: int, padding: int = 0, pooled: bool = False) -> list[nn.Module]:
    pool = [nn.MaxPool2d(2)] if pooled else []
    return [nn.Conv2d(channels, filters, 3, padding=padding), *pool, nn.ReLU()]


def mnist_cnn() -> tuple[nn.Sequential, nn.Module]:
    """The network, and the layer that Grad-CAM looks at."""
    first = [*convolution(1, 32, pooled=True), *convolution(32, 64), *convolution(64, 64, padding=1, pooled=True)]
    *last, seen = convolution(64, 96, padding=1)
    return nn.Sequential(*first, *last, seen, FlattenChannelsLast(), nn.Linear(2400, 10)), seen


def mnist_advanced() -> tuple[nn.Sequential, nn.Module]:
    first = [*convolution(1, 32, pooled=True), *convolution(32, 64), *convolution(64, 64, padding=1)]
    blocks, seen = [*convolution(64, 96, padding=1, pooled=True), Residual(96)], Residual(96)
    return nn.Sequential(*first, *blocks, seen, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10)), seen


def set_weights(network: nn.Sequential, weights: list[np.ndarray]) -> None:
    """Fill the layers in order with Keras's weights, which have the channels last."""
    remaining = iter(weights)
    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        order = (3, 2, 0, 1) if isinstance(layer, nn.Conv2d) else (1, 0)
        given = next(remaining).transpose(order), next(remaining)
        for parameter, value in zip((layer.weight, layer.bias), given, strict=True):
            if parameter.shape != value.shape:
                raise ValueError(f"{layer} got weights of shape {value.shape}")
            parameter.data = torch.from_numpy(np.ascontiguousarray(value))
    if next(remaining, None) is not None:
        raise ValueError("there are more weights than layers")


def explain(network: nn.Sequential, seen: nn.Module, ink: torch.Tensor) -> dict[str, torch.Tensor]:
    logits = network(ink).detach()
    target = logits.argmax(1)
    integrated = attr.IntegratedGradients(network)
    ways = {
        "grad_cam": lambda: attr.LayerGradCam(network, seen).attribute(ink, target, relu_attributions=False),
        "saliency": lambda: attr.Saliency(network).attribute(ink, target, abs=False),
        "input_x_gradient": lambda: attr.InputXGradient(network).attribute(ink, target),
        "integrated_gradients": lambda: integrated.attribute(ink, 0, target, n_steps=STEPS, method="gausslegendre"),
    }
    return {"logits": logits} | {name: way().detach()[:, 0] for name, way in ways.items()}


if __name__ == "__main__":
    # Beside other work, two threads that spin while they wait for each other take six times as long.
    torch.set_num_threads(1)
    given = np.load(sys.argv[1])
    network, seen = {"mnist_cnn": mnist_cnn, "mnist_advanced": mnist_advanced}[str(given["name"])]()
    ink = torch.from_numpy(given["ink"]).permute(0, 3, 1, 2)
    set_weights(network, [given[f"weight_{index}"] for index in range(given["count"])])
    network.to(ink.dtype).eval()
    blocks = [explain(network, seen, block.requires_grad_()) for block in ink.split(BLOCK)]
    np.savez(sys.argv[2], **{name: torch.cat([block[name] for block in blocks]).numpy() for name in blocks[0]})
