"""The streams of random numbers: independent of each other and of what was drawn before."""

import numpy as np
import pytest
from scipy import stats

from digits.corruptions.streams import Streams


def test_stream_of_an_index_does_not_depend_on_its_neighbours():
    alone, among = Streams(7, [5]), Streams(7, np.array([9, 5, 1]))
    for draw in (lambda s: s.normal(28, 28), lambda s: s.uniform(2, 3, 5), lambda s: s.uniform(0, 1), Streams.signs):
        np.testing.assert_array_equal(draw(alone)[0], draw(among)[1])


def test_stream_does_not_depend_on_how_much_was_drawn_before():
    """Draws of odd length leave buffered words behind; the next draw must not see them."""
    short, long = Streams(7, [0, 1]), Streams(7, [0, 1])
    short.uniform(0, 1)
    long.normal(101)
    np.testing.assert_array_equal(short.normal(50), long.normal(50))


def test_draws_do_not_overlap():
    streams = Streams(7, [3, 4])
    drawn = np.concatenate([streams.uniform(0, 1, 1000) for _ in range(3)])
    # Of 6000 numbers of 24 bits, about one pair is equal by chance.
    assert len(np.unique(drawn)) > 5980


def test_draws_keys_and_indices_are_unrelated():
    streams, other = Streams(7, range(50)), Streams(8, range(50))
    first, second, elsewhere = streams.normal(2000), streams.normal(2000), other.normal(2000)
    correlation = np.corrcoef(np.concatenate([first, second, elsewhere]))
    assert np.abs(correlation[~np.eye(150, dtype=bool)]).max() < 5.5 / np.sqrt(2000)


def test_streams_have_their_distributions():
    streams = Streams(3, range(200))
    assert stats.kstest(streams.normal(300).ravel(), "norm").pvalue > 0.01
    assert stats.kstest(streams.uniform(-2, 5, 300).ravel(), stats.uniform(-2, 7).cdf).pvalue > 0.01
    assert stats.kstest(Streams(3, range(5000)).uniform(-2, 5), stats.uniform(-2, 7).cdf).pvalue > 0.01
    signs = streams.signs(300)
    assert set(np.unique(signs)) == {-1, 1}
    assert signs.mean() == pytest.approx(0, abs=5 / np.sqrt(signs.size))


def test_streams_have_the_stated_shapes():
    streams = Streams(3, range(4))
    assert streams.normal(28, 28).shape == (4, 28, 28)
    assert streams.uniform(0, 1).shape == (4,)
    assert streams.uniform(0, 1, 2).shape == (4, 2)
    assert streams.signs().dtype == streams.normal(2).dtype == streams.uniform(0, 1).dtype == np.float32
