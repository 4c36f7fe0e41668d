"""Inside: the drawing's path through the network, layer by layer, and the products behind one value."""

from html import escape
from math import ceil, sqrt

import numpy as np
import streamlit as st

from digits.explanations.activations import Layer, Network, Products
from digits.reporting import thumbnails
from panels import cache, gallery, page
from panels.cache import Model
from panels.draw import Drawing

SHOWN_MAPS = 64
SHOWN_INPUTS = 3
SIDE = 150


def show(drawing: Drawing, model: Model) -> None:
    """Show what every layer makes of the drawing, then one layer's maps, then how one of them came about."""
    if model.recogniser.export is None:
        st.info(f"{page.literal(model.name)} has no layers: it isn't a network.")
        return
    network = cache.network(model)
    found = network.activations(drawing.image)
    st.html("<p class='heading'>From the drawing to the answer</p>")
    gallery.show(
        [
            _entry(f"{index}", _as_map(values), _title(network, index))
            for index, (_, values) in enumerate(_path(network, found))
        ],
        "inside_path",
        lambda key: _choose(layer=int(key)),
    )
    st.caption(
        "The most active map of each layer, or all units of a dense one, in the order of computation. Red values are "
        "positive, blue ones negative. Click a picture to open its layer."
    )
    index = min(st.session_state.get("inside_layer", 0), len(found) - 1)
    layer, values = network.layers[index], found[index]
    st.html(f"<p class='heading'>{escape(layer.name)}: {layer.kind}, {_size(values)}</p>")
    gallery.show(
        [_entry(f"{channel}", _map(values, channel), f"{channel}") for channel in _strongest(values)],
        "inside_maps",
        lambda key: _choose(channel=int(key)),
    )
    if layer.kernel is not None:
        channel = min(st.session_state.get("inside_channel", _strongest(values)[0]), len(values) - 1)
        _show_products(
            network.products(drawing.image, index, channel), channel, layer.source == network.layers[0].source
        )


def _title(network: Network, index: int) -> str:
    """A layer's name, with its kind if it is the activation of the layer before, which has the same name."""
    layer = network.layers[index]
    repeats = index > 0 and network.layers[index - 1].name == layer.name
    return f"{layer.name} {layer.kind}" if repeats else layer.name


def _choose(layer: int | None = None, channel: int | None = None) -> None:
    if layer is not None:
        st.session_state.inside_layer = layer
        st.session_state.pop("inside_channel", None)
    else:
        st.session_state.inside_channel = channel


def _path(network: Network, found: list[np.ndarray]) -> list[tuple[Layer, np.ndarray]]:
    return [
        (layer, values[_strongest(values)[0]] if values.ndim == 3 else values)
        for layer, values in zip(network.layers, found, strict=True)
    ]


def _strongest(values: np.ndarray) -> list[int]:
    """Indices of the most active maps or units, the most active one first."""
    strength = np.abs(values).reshape(len(values), -1).mean(axis=1)
    return [int(each) for each in np.argsort(-strength, kind="stable")[:SHOWN_MAPS]]


def _size(values: np.ndarray) -> str:
    if values.ndim == 1:
        return f"{len(values)} units"
    return f"{len(values)} maps of {values.shape[1]}×{values.shape[2]}"


def _map(values: np.ndarray, channel: int) -> np.ndarray:
    """A map, or all units with one of them alone in colour."""
    if values.ndim == 3:
        return values[channel]
    return _as_map(np.where(np.arange(len(values)) == channel, values, 0))


def _as_map(values: np.ndarray) -> np.ndarray:
    """A map as it is; units in rows, as square as can be, the last row filled up with zeros."""
    if values.ndim == 2:
        return values
    side = ceil(sqrt(len(values)))
    return np.pad(values, (0, side**2 - len(values))).reshape(side, side)


def _entry(key: str, values: np.ndarray, reading: str) -> dict[str, str]:
    return {
        "key": key,
        "uri": thumbnails.data_uri(thumbnails.signed(values)),
        "reading": reading,
        "caption": f"{reading}: from {values.min():.2f} to {values.max():.2f}",
    }


def _show_products(products: Products, channel: int, sees_drawing: bool) -> None:
    if products.position:
        row, column = products.position
        st.html(f"<p class='heading'>The largest value of map {channel}, at row {row}, column {column}</p>")
        contributions = (products.seen * products.kernel).sum(axis=(1, 2))
        rows = [
            _product_row(
                "the drawing" if sees_drawing else f"map {products.inputs[each]}",
                products.seen[each],
                products.kernel[each],
            )
            for each in np.argsort(-np.abs(contributions), kind="stable")[:SHOWN_INPUTS]
        ]
    else:
        st.html(f"<p class='heading'>The value of unit {channel}</p>")
        contributions = products.seen * products.kernel
        rows = [_product_row("all inputs", _as_map(products.seen), _as_map(products.kernel))]
    st.html(page.table(["Input", "What it sees", "Weights", "Products", "Sum"], rows, "products"))
    is_part = products.position and len(rows) < len(contributions)
    part = f"The largest {len(rows)} contributions of {len(contributions)} input maps are shown. " if is_part else ""
    st.caption(
        f"{part}All products add up to {contributions.sum():+.2f}; with the bias of {products.bias:+.2f} that is "
        f"{products.value:.2f}."
    )


def _product_row(name: str, seen: np.ndarray, kernel: np.ndarray) -> str:
    pictures = "".join(
        f"<td>{page.picture(thumbnails.signed(values), f'{what} of {name}', SIDE)}</td>"
        for what, values in (("input", seen), ("weights", kernel), ("products", seen * kernel))
    )
    return f"<tr><th scope='row'>{escape(name)}</th>{pictures}<td>{(seen * kernel).sum():+.2f}</td></tr>"
