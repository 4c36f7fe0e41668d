"""The shipped networks in PyTorch, explained by Captum: `captum.py` runs this in an environment of its own.

It knows nothing of the project: `captum_peer.py IN.npz OUT.npz` takes the network's name, Keras's weights in order,
BatchNorm's epsilon and the ink, and gives logits and maps, in the precision of the ink.
"""

import sys

import numpy as np
import torch
from torch import nn

from captum import attr

BLOCK = 10
STEPS = 32


class Separable(nn.Sequential):
    def __init__(self, channels: int, filters: int, epsilon: float):
        depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        pointwise = nn.Conv2d(channels, filters, 1, bias=False)
        super().__init__(depthwise, pointwise, nn.BatchNorm2d(filters, epsilon), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, channels: int, epsilon: float):
        super().__init__()
        self.branch = Separable(channels, channels, epsilon)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden + self.branch(hidden)


class FlattenChannelsLast(nn.Module):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden.permute(0, 2, 3, 1).flatten(1)


def convolution(channels: int, filters: int, epsilon: float, padding: int = 0) -> list[nn.Module]:
    plain = nn.Conv2d(channels, filters, 3, padding=padding, bias=False)
    return [plain, nn.BatchNorm2d(filters, epsilon), nn.ReLU()]


def mnist_cnn(epsilon: float) -> tuple[nn.Sequential, nn.Module]:
    """The network, and the layer that Grad-CAM looks at."""
    first = [*convolution(1, 16, epsilon), nn.MaxPool2d(2), *convolution(16, 48, epsilon), nn.MaxPool2d(2)]
    *last, seen = convolution(48, 96, epsilon, padding=1)
    return nn.Sequential(*first, *last, seen, FlattenChannelsLast(), nn.Linear(2400, 10)), seen


def mnist_advanced(epsilon: float) -> tuple[nn.Sequential, nn.Module]:
    first = [*convolution(1, 32, epsilon), nn.MaxPool2d(2), *convolution(32, 64, epsilon), nn.MaxPool2d(2)]
    *blocks, seen = [Separable(64, 224, epsilon), *(Residual(224, epsilon) for _ in range(3))]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(224, 10)]
    return nn.Sequential(*first, *blocks, seen, *head), seen


def set_weights(network: nn.Sequential, weights: list[np.ndarray]) -> None:
    """Fill the layers in order with Keras's weights, which have the channels last."""
    remaining = iter(weights)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            filled = [layer.weight, layer.bias, layer.running_mean, layer.running_var]
            given = [next(remaining) for _ in filled]
        elif isinstance(layer, nn.Conv2d):
            kernel = next(remaining)
            order = (3, 2, 0, 1) if layer.groups == 1 else (2, 3, 0, 1)
            filled, given = [layer.weight], [kernel.transpose(order)]
        elif isinstance(layer, nn.Linear):
            filled, given = [layer.weight, layer.bias], [next(remaining).T, next(remaining)]
        else:
            continue
        for parameter, value in zip(filled, given, strict=True):
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
    network, seen = {"mnist_cnn": mnist_cnn, "mnist_advanced": mnist_advanced}[str(given["name"])](
        given["epsilon"].item()
    )
    ink = torch.from_numpy(given["ink"]).permute(0, 3, 1, 2)
    set_weights(network, [given[f"weight_{index}"] for index in range(given["count"])])
    network.to(ink.dtype).eval()
    blocks = [explain(network, seen, block.requires_grad_()) for block in ink.split(BLOCK)]
    np.savez(sys.argv[2], **{name: torch.cat([block[name] for block in blocks]).numpy() for name in blocks[0]})
