"""What looks like a digit to a model, and the file in the user's cache that spares the second start the computation."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from digits import paths
from digits.checkpoints import recognizer
from digits.checkpoints.recognizer import Recognizer
from digits.images import SIDE
from digits.recognition import familiarity, stored
from digits.recognition.verdict import judge


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist_advanced", "mnist_cnn"])
def test_familiar_is_what_99_of_100_training_digits_are(name, splits, rng):
    """Scikit-learn's cosines, each digit of the sample without itself."""
    model = recognizer.load(name)
    sample = familiarity.features(model, splits.train.images[::11])
    among = cosine_similarity(sample)
    np.fill_diagonal(among, -1)
    least = np.quantile(np.partition(among, -5)[:, -5:].mean(axis=1), 0.01)
    noise = rng.integers(0, 256, (20, SIDE, SIDE), dtype=np.uint8)
    images = np.concatenate([splits.validation.images[:60], noise])
    cosines = cosine_similarity(familiarity.features(model, images), sample)
    expected = np.partition(cosines, -5)[:, -5:].mean(axis=1) >= least
    assert expected[:60].sum() > 50
    assert expected[60:].sum() < 10
    assert [verdict.is_familiar for verdict in judge(model, images)] == list(expected)


def test_likeness_is_a_mean_of_the_highest_cosines(rng):
    some, others = rng.normal(size=(4, 7)).astype(np.float32), rng.normal(size=(30, 7)).astype(np.float32)
    ordered = np.sort(cosine_similarity(some, others), axis=1)[:, ::-1]
    for count, skip in ((1, 0), (5, 0), (5, 1), (30, 0), (29, 1)):
        expected = ordered[:, skip : skip + count].mean(axis=1)
        np.testing.assert_allclose(familiarity.likeness(some, others, count, skip), expected, rtol=1e-5)


def test_models_without_convolutions_find_everything_familiar(rng):
    noise = rng.integers(0, 256, (20, SIDE, SIDE), dtype=np.uint8)
    for name in ("mnist_mlp", "mnist_random_forest"):
        model = recognizer.load(name)
        assert not familiarity.can_judge(model)
        assert all(verdict.is_familiar for verdict in judge(model, noise))


# The cache


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder for this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "digit-workbench"


@pytest.fixture
def computed(monkeypatch, splits) -> list[str]:
    """The names of models whose reference was computed, from a sample that doesn't take seconds."""
    found = []
    monkeypatch.setattr(familiarity, "SAMPLE_SIZE", 300)
    monkeypatch.setattr(familiarity, "training_sample", lambda: splits.train.first(300))
    compute = familiarity._compute
    monkeypatch.setattr(familiarity, "_compute", lambda model: found.append(model.name) or compute(model))
    return found


def load() -> Recognizer:
    """A recogniser of its own, as another process would have."""
    return recognizer.load("mnist_cnn")


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_the_reference_is_computed_once_and_then_read(cache, computed):
    first = familiarity.reference(load())
    (file,) = files(cache)
    assert load().sha256 in file.name
    again = familiarity.reference(load())
    assert computed == ["mnist_cnn"]
    np.testing.assert_array_equal(again.features, first.features)
    assert again.least == first.least


def test_a_model_in_memory_asks_for_no_file_again(cache, computed):
    model = load()
    first = familiarity.reference(model)
    for file in files(cache):
        file.unlink()
    assert familiarity.reference(model) is first


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def overwrite(file: Path) -> None:
    file.write_bytes(b"something else")


def write_other_rows(file: Path) -> None:
    np.save(file, np.zeros((3, 5), np.float32))


def write_other_numbers(file: Path) -> None:
    np.save(file, np.zeros((300, 2401), np.float64))


def write_no_numbers(file: Path) -> None:
    np.save(file, np.full((300, 2401), np.nan, np.float32))


@pytest.mark.parametrize("damage", [cut, empty, overwrite, write_other_rows, write_other_numbers, write_no_numbers])
def test_a_damaged_file_is_replaced(cache, computed, damage):
    first = familiarity.reference(load())
    (file,) = files(cache)
    content = file.read_bytes()
    damage(file)
    again = familiarity.reference(load())
    assert computed == ["mnist_cnn"] * 2
    np.testing.assert_array_equal(again.features, first.features)
    assert files(cache) == [file]
    assert file.read_bytes() == content


def test_a_file_of_another_version_or_model_is_left_alone(cache, computed, monkeypatch):
    familiarity.reference(load())
    monkeypatch.setattr(familiarity, "VERSION", familiarity.VERSION + 1)
    familiarity.reference(load())
    familiarity.reference(recognizer.load("mnist_advanced"))
    assert computed == ["mnist_cnn", "mnist_cnn", "mnist_advanced"]
    assert len(files(cache)) == 3


def test_without_a_cache_the_verdict_is_the_same(tmp_path, computed, some_digits, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    expected = [verdict.as_json() for verdict in judge(load(), some_digits.images[:20])]
    # A file where the folder should be can't be written to by anybody, root included.
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert [verdict.as_json() for verdict in judge(load(), some_digits.images[:20])] == expected
    assert computed == ["mnist_cnn"] * 2


def test_a_model_that_came_as_bytes_leaves_no_file(cache, computed):
    familiarity.reference(replace(load(), sha256=""))
    assert computed == ["mnist_cnn"]
    assert not files(cache)


def test_only_the_newest_files_stay(cache, computed):
    cache.mkdir(parents=True)
    for age in range(30):
        file = cache / f"{age}-1.familiarity.npy"
        file.touch()
        os.utime(file, (time.time() - 100 - age,) * 2)
    (cache / "export-2.onnx").touch()
    familiarity.reference(load())
    left = {file.name for file in files(cache)}
    assert len(left) == stored.KEPT_FILES + 1
    assert {"export-2.onnx", "0-1.familiarity.npy", f"{load().sha256}-{familiarity.VERSION}.familiarity.npy"} <= left
    assert "29-1.familiarity.npy" not in left


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_cache_is_in_the_users_home_without_an_absolute_xdg_cache_home(value, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert paths.cache_folder() == tmp_path / ".cache" / "digit-workbench"


def test_cache_is_in_the_temporary_folder_without_a_home(monkeypatch, tmp_path):
    def no_home(_class: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", classmethod(no_home))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert paths.cache_folder() == tmp_path / "digit-workbench"
