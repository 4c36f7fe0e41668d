"""Ensembles: one network that answers as the mean of its members' logits, and shows what all of them see."""

import keras
import numpy as np
import pytest

from digits.checkpoints import layer_graph
from digits.images import to_input
from digits.training import architectures, ensembles


@pytest.fixture(scope="module")
def members() -> list[keras.Model]:
    """Three untrained networks; random biases, so that a lost one would be missed."""
    rng = np.random.default_rng(0)
    made = [architectures.residual_cnn() for _ in range(3)]
    for member in made:
        member.set_weights([weight + rng.normal(0, 0.02, weight.shape) for weight in member.get_weights()])
    return made


@pytest.fixture(scope="module")
def ensemble(members) -> keras.Model:
    return ensembles.averaged(members, "three")


def logits_of(model: keras.Model, ink: np.ndarray) -> np.ndarray:
    return keras.Model(model.inputs[0], model.get_layer("logits").output)(ink, training=False).numpy()


def test_the_logits_are_the_mean_of_the_members(members, ensemble, some_digits):
    ink = to_input(some_digits.images[:20])
    expected = np.mean([logits_of(member, ink) for member in members], axis=0)
    assert np.ptp(expected, axis=1).min() > 0.1
    np.testing.assert_allclose(logits_of(ensemble, ink), expected, atol=1e-5)
    assert ensemble.count_params() == 10 + 3 * (members[0].count_params() - 10)


def test_its_head_is_linear_in_the_maps_of_all(ensemble):
    parts = layer_graph.analyse(ensemble)
    assert parts.maps[parts.feature_layer].shape[1:] == (5, 5, 3 * 96)
    assert parts.head.kernel.shape == (1, 1, 3 * 96, 10)


def test_members_that_flatten_their_maps_are_refused(members):
    with pytest.raises(ValueError, match="average their last feature map, cnn doesn't"):
        ensembles.averaged([*members, architectures.cnn()], "mixed")
