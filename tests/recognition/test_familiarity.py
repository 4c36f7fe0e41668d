"""What looks like a digit to a model, and the file in the user's cache that spares the second start the computation."""

import os
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity

from digits import data, paths, preprocess
from digits.checkpoints import recognizer
from digits.checkpoints.recognizer import Recognizer
from digits.images import SIDE
from digits.recognition import familiarity, stored
from digits.recognition.verdict import judge


@pytest.fixture
def small(monkeypatch, splits):
    """Images to compare with that don't take seconds: 500 digits, of which 300 are the sample, and 200 drawings."""
    drawings = data.style_arrays("nondigit_images")["nondigit_images"]
    images = splits.train.images[:500], drawings[:: len(drawings) // 200]
    monkeypatch.setattr(familiarity, "SAMPLE_SIZE", 300)
    monkeypatch.setattr(familiarity, "COMPONENTS_STEP", 2)
    monkeypatch.setattr(familiarity, "compared_images", lambda: images)
    return images


@pytest.mark.parametrize("name", ["mnist_advanced", "mnist_cnn"])
def test_likeness_is_to_digits_and_not_to_other_drawings(name, small, splits, cache):
    """Scikit-learn's PCA and cosines, each digit of the sample without itself."""
    model = recognizer.load(name)
    digits, others = (familiarity.features(model, images) for images in small)
    pca = PCA(min(96, digits.shape[1]), whiten=True, svd_solver="full").fit(np.concatenate([digits, others])[::2])

    def expected(features: np.ndarray, skip: int = 0) -> np.ndarray:
        near, far = (
            np.sort(cosine_similarity(*map(pca.transform, (features, each))))[:, ::-1] for each in (digits, others)
        )
        return near[:, skip : skip + 5].mean(axis=1) - 0.5 * far[:, :5].mean(axis=1)

    images = np.concatenate([splits.validation.images[:100], others_held_out()[:100]])
    reference, seen = familiarity.reference(model), familiarity.features(model, images)
    np.testing.assert_allclose(reference.likeness(seen), expected(seen), atol=0.02)
    least = np.quantile(expected(digits[:300], skip=1), 0.01)
    assert reference.least == pytest.approx(least, abs=0.02)
    likeness = reference.likeness(seen)
    assert [verdict.is_familiar for verdict in judge(model, images)] == list(likeness >= reference.least)
    assert [verdict.distance for verdict in judge(model, images)] == pytest.approx(list(1 - likeness))


def others_held_out() -> np.ndarray:
    drawings = data.style_arrays("nondigit_images", "nondigit_held_out")
    return drawings["nondigit_images"][drawings["nondigit_held_out"]][::10]


@pytest.mark.parametrize("scale", [0, 1e-6, 1])
def test_features_that_hardly_vary_say_nothing(scale, rng):
    """A network may have units that are never active, or copies of others."""
    features = rng.normal(size=(200, 6)).astype(np.float32)
    features = np.column_stack([features, features[:, :2], np.full(200, 3), scale * features[:, 0]]).astype(np.float32)
    mean, whitening = familiarity._whitening(features)
    whitened = (features - mean) @ whitening
    deviations = np.sort(whitened.std(axis=0))[::-1]
    np.testing.assert_allclose(deviations[:6], 1, atol=1e-3)
    np.testing.assert_allclose(deviations[6:], 0, atol=0.05)


def drawn(*strokes: list[tuple[float, float]], width: int = 16) -> np.ndarray:
    """Strokes on the page's canvas, as the model sees them."""
    page = np.full((280, 280), 255, np.uint8)
    for stroke in strokes:
        cv2.polylines(page, [np.round(stroke).astype(np.int32)], False, 0, width, cv2.LINE_AA)
    return preprocess.prepare(page).image


ANGLES = np.linspace(0, 2 * np.pi, 60)
HEART = [
    (140 + 104 * np.sin(a) ** 3, 130 - 6.5 * (13 * np.cos(a) - 5 * np.cos(2 * a) - 2 * np.cos(3 * a) - np.cos(4 * a)))
    for a in ANGLES
]
NO_DIGITS = {
    "A": ([(80, 230), (140, 50), (200, 230)], [(105, 160), (175, 160)]),
    "B": (
        [(90, 50), (90, 230)],
        [(90, 50), (160, 60), (170, 95), (150, 130), (90, 138), (170, 150), (185, 190), (90, 230)],
    ),
    "E": ([(200, 60), (90, 60), (90, 220), (200, 220)], [(90, 140), (170, 140)]),
    "heart": (HEART,),
    "triangle": ([(140, 60), (220, 210), (60, 210), (140, 60)],),
    "square": ([(70, 70), (210, 70), (210, 210), (70, 210), (70, 70)],),
    "check mark": ([(70, 150), (120, 210), (220, 70)],),
    "plus": ([(140, 70), (140, 210)], [(70, 140), (210, 140)]),
    "tap": ([(140, 140), (140, 140)],),
}
DIGITS = {
    "0": ([(140 + 55 * np.cos(a), 140 + 80 * np.sin(a)) for a in ANGLES],),
    "flagged 1": ([(90, 130), (150, 60), (150, 220)],),
    "1 with a foot": ([(100, 120), (150, 60), (150, 220)], [(100, 220), (200, 220)]),
    "open 4": ([(100, 60), (90, 150), (200, 150)], [(170, 70), (170, 230)]),
    "crossed 7": ([(80, 70), (200, 70), (120, 220)], [(110, 150), (190, 150)]),
}


@pytest.mark.parametrize(
    ("strokes", "is_digit"),
    [*((each, False) for each in NO_DIGITS.values()), *((each, True) for each in DIGITS.values())],
    ids=[*NO_DIGITS, *DIGITS],
)
def test_drawings_are_told_from_digits(strokes, is_digit):
    verdicts = judge(
        recognizer.load("mnist_advanced"), np.stack([drawn(*strokes, width=width) for width in (4, 16, 32)])
    )
    assert [verdict.is_familiar for verdict in verdicts] == [is_digit] * 3


def test_digits_in_styles_that_were_held_out_are_familiar(splits):
    styles = data.load_styles(held_out=True)
    flagged = styles.digits.images[np.char.find(styles.source, "1-flag") >= 0][::5]
    model = recognizer.load("mnist_advanced")
    for images in (flagged, styles.digits.images[::20], splits.validation.images[::20]):
        assert np.mean([verdict.is_familiar for verdict in judge(model, images)]) >= 0.95
    assert np.mean([verdict.is_familiar for verdict in judge(model, others_held_out())]) < 0.2


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
def computed(monkeypatch, small) -> list[str]:
    """The names of models whose reference was computed."""
    found = []
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
    np.testing.assert_array_equal(again.digits, first.digits)
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


def change_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def write_other_arrays(file: Path) -> None:
    np.savez(file, mean=np.zeros(3, np.float32))


@pytest.mark.parametrize("damage", [cut, empty, overwrite, change_a_byte, write_other_arrays])
def test_a_damaged_file_is_replaced(cache, computed, damage):
    first = familiarity.reference(load())
    (file,) = files(cache)
    content = file.read_bytes()
    damage(file)
    again = familiarity.reference(load())
    assert computed == ["mnist_cnn"] * 2
    np.testing.assert_array_equal(again.digits, first.digits)
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
        file = cache / f"{age}-1.familiarity.npz"
        file.touch()
        modified = time.time() - 100 - age
        os.utime(file, (modified, modified))
    (cache / "export-2.onnx").touch()
    familiarity.reference(load())
    left = {file.name for file in files(cache)}
    assert len(left) == stored.KEPT_FILES + 1
    assert {"export-2.onnx", "0-1.familiarity.npz", f"{load().sha256}-{familiarity.VERSION}.familiarity.npz"} <= left
    assert "29-1.familiarity.npz" not in left


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
