"""MNIST, its split and its cache."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from digits import data, paths
from digits.data import mnist


def test_embedded_file_is_official_mnist_with_its_published_counts():
    arrays = data.load_mnist()
    # Counts of each digit among the 60,000, as published with the data.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(arrays["y_train"]).tolist() == counts
    assert {name: data.idx_sha256(array) for name, array in arrays.items()} == data.OFFICIAL_SHA256


def test_one_changed_pixel_is_noticed(tmp_path):
    arrays = data.load_mnist()
    arrays["x_test"][1234, 5, 6] ^= 1
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match="x_test doesn't have the SHA-256"):
        data.load_mnist(tmp_path)


@pytest.mark.parametrize("names", [("x_test",), ("y_train", "x_test"), ("y_test", "x_train", "y_train", "x_test")])
def test_some_arrays_can_be_read_alone_and_only_they_are_verified(names, tmp_path):
    found = data.load_mnist(names=iter(names))
    assert tuple(found) == names
    assert {name: data.idx_sha256(array) for name, array in found.items()} == {
        name: data.OFFICIAL_SHA256[name] for name in names
    }
    changed = {name: np.zeros(1, np.uint8) for name in data.OFFICIAL_SHA256 if name not in names}
    np.savez(tmp_path / "mnist.npz", **found, **changed)
    assert tuple(data.load_mnist(tmp_path, names)) == names
    for name in changed:
        with pytest.raises(ValueError, match=f"{name} doesn't have the SHA-256"):
            data.load_mnist(tmp_path, [*names, name])


def test_array_that_mnist_does_not_have_is_refused():
    with pytest.raises(ValueError, match="expected the arrays x_test, z_test"):
        data.load_mnist(names=("x_test", "z_test"))


def test_truncated_file_is_noticed(tmp_path):
    (tmp_path / "mnist.npz").write_bytes((paths.DATA / "mnist.npz").read_bytes()[:1_000_000])
    with pytest.raises(ValueError, match="not a valid"):
        data.load_mnist(tmp_path)


def test_missing_file_says_how_to_restore_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="git checkout"):
        data.load_mnist(tmp_path)


def test_split_is_stratified_disjoint_and_always_the_same(splits):
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [55_000, 5_000, 10_000]
    whole = np.bincount(np.concatenate([splits.train.labels, splits.validation.labels]))
    assert np.abs(np.bincount(splits.validation.labels) - whole / 12).max() <= 1
    # A digest of the parts: another split would make every card's validation score incomparable.
    assert data.idx_sha256(splits.validation.images) == VALIDATION_SHA256
    original = data.load_mnist(names=["x_train"])["x_train"]
    indices = data.split_indices()
    assert np.array_equal(np.sort(np.concatenate(indices)), np.arange(60_000))
    for part, of_part in zip((splits.train, splits.validation), indices, strict=True):
        assert np.array_equal(part.images, original[of_part])


def test_split_is_the_one_that_scikit_learn_makes():
    labels = data.load_mnist(names=["y_train"])["y_train"]
    expected = train_test_split(np.arange(60_000), test_size=5_000, stratify=labels, random_state=data.SPLIT_SEED)
    for indices, wanted in zip(data.split_indices(), expected, strict=True):
        np.testing.assert_array_equal(indices, wanted)


@pytest.mark.parametrize("damage", [lambda indices: indices[:-1], lambda indices: np.zeros_like(indices)])
def test_damaged_split_is_noticed(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(mnist, "SPLIT", tmp_path / "split.npy")
    with pytest.raises(FileNotFoundError, match="git checkout"):
        data.split_indices()
    np.save(mnist.SPLIT, damage(np.load(paths.DATA / "split.npy")))
    with pytest.raises(ValueError, match="git checkout"):
        data.split_indices()


VALIDATION_SHA256 = "c9be2288adac2ae4ecb99e47a586ec777287bcc734d29268f8761d54414de325"


def test_cache_is_reused_and_rebuilt_when_stale_or_damaged(tmp_path, splits, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _, cache, from_cache = data.cached_splits()
    assert not from_cache
    cached, _, from_cache = data.cached_splits()
    assert from_cache
    np.testing.assert_array_equal(cached.validation.images, splits.validation.images)
    np.testing.assert_array_equal(cached.test.labels, splits.test.labels)

    cache.write_bytes(cache.read_bytes()[:5000])
    assert data.cached_splits()[2] is False
    changed = bytearray(cache.read_bytes())
    changed[1_000_000] ^= 1
    cache.write_bytes(changed)
    rebuilt, _, from_cache = data.cached_splits()
    assert not from_cache
    np.testing.assert_array_equal(rebuilt.train.images, splits.train.images)
    assert data.cached_splits()[2] is True
    with monkeypatch.context() as of_another_version:
        of_another_version.setattr(mnist, "CACHE_VERSION", mnist.CACHE_VERSION + 1)
        assert data.cached_splits()[2] is False

    # Another file of the same digits, then another split of them.
    np.savez(tmp_path / "mnist.npz", **data.load_mnist())
    np.save(tmp_path / "split.npy", np.roll(np.load(mnist.SPLIT), 1))
    assert data.cached_splits(tmp_path)[2] is False
    monkeypatch.setattr(mnist, "SPLIT", tmp_path / "split.npy")
    assert data.cached_splits()[2] is False
    np.testing.assert_array_equal(data.load_splits().validation.images[1:], splits.validation.images[:-1])
    assert len(list(cache.parent.glob("splits-*.npz"))) == 1


def test_a_source_that_is_damaged_after_it_was_cached_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mnist.npz").write_bytes((paths.DATA / "mnist.npz").read_bytes())
    data.load_splits(tmp_path)
    (tmp_path / "mnist.npz").write_bytes((paths.DATA / "mnist.npz").read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"mnist\.npz"):
        data.load_splits(tmp_path)
    (tmp_path / "mnist.npz").unlink()
    with pytest.raises(FileNotFoundError, match="git checkout"):
        data.load_splits(tmp_path)


def test_splits_are_loaded_where_no_cache_can_be_written(tmp_path, monkeypatch, splits):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("no folder")
    for _ in range(2):
        found, _, from_cache = data.cached_splits()
        assert not from_cache
    np.testing.assert_array_equal(found.test.images, splits.test.images)


def test_several_writers_of_one_cache_leave_a_whole_one(tmp_path, monkeypatch, splits):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: data.load_splits(), range(4)):
            np.testing.assert_array_equal(found.train.labels, splits.train.labels)
    assert data.cached_splits()[2] is True
    assert len(list((tmp_path / "digit-workbench").iterdir())) == 1, "no temporary file is left"


def test_download_is_retried_verified_and_kept(tmp_path, monkeypatch):
    import keras

    arrays = data.load_mnist()
    tries = []

    def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise Exception("URL fetch failure")
        return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])

    monkeypatch.setattr(keras.datasets.mnist, "load_data", flaky)
    monkeypatch.setattr(mnist, "RETRY_SECONDS", 0)
    data.download_mnist(tmp_path)
    assert len(tries) == 3
    np.testing.assert_array_equal(data.load_mnist(tmp_path)["x_test"], arrays["x_test"])


def test_download_of_other_data_is_refused_and_not_kept(tmp_path, monkeypatch):
    import keras

    arrays = data.load_mnist()
    other = (arrays["x_train"], arrays["y_train"][::-1]), (arrays["x_test"], arrays["y_test"])
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: other)
    with pytest.raises(ValueError, match="y_train doesn't have the SHA-256"):
        data.download_mnist(tmp_path)
    assert not list(tmp_path.iterdir())


def test_download_without_network_gives_up_with_advice(tmp_path, monkeypatch):
    import keras

    def unreachable():
        raise Exception("URL fetch failure: Name or service not known")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", unreachable)
    monkeypatch.setattr(mnist, "RETRY_SECONDS", 0)
    with pytest.raises(ConnectionError, match="--source embedded"):
        data.download_mnist(tmp_path)


def test_representative_samples_go_from_typical_to_unusual(splits):
    chosen = data.representative(splits.train, 7, 10)
    assert (splits.train.labels[chosen] == 7).all()
    sevens = splits.train.images[splits.train.labels == 7].astype(float)
    distances = np.linalg.norm(splits.train.images[chosen] - sevens.mean(axis=0), axis=(1, 2))
    assert np.all(np.diff(distances) > 0)
