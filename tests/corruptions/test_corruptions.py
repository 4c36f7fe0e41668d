"""Corruptions: one contract for all of them, and each formula against another library, a closed form or a count."""

import io
from dataclasses import fields

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats
from skimage import feature, transform

from digits.augmentation import Augmentation
from digits.checkpoints import recognizer
from digits.corruptions import CHUNK, CORRUPTIONS, SEVERITIES, blur, pixels, select
from digits.corruptions.streams import Streams

ROWS, COLUMNS = np.indices((28, 28))
DETERMINISTIC = {
    *("gaussian_blur", "downsampling", "jpeg", "scale", "thicker", "thinner", "canny_edges"),
    *("brightness", "low_contrast", "faint_ink", "stripe"),
}
# Function defaults of Mu and Gilmer's corruptions.py, in the units used here.
MNIST_C = {
    "shot_noise": 3,
    "impulse_noise": 100 * 0.17,
    "glass_blur": 2,
    "motion_blur": 3,
    "shear": 0.4,
    "scale": 100 * 0.7,
    "rotate": np.rad2deg(0.4),
    "brightness": 100 * 0.5,
    "translate": 3,
    "stripe": 7,
    "fog": 3,
    "spatter": 50,
    "dotted_line": 100,
    "zigzag": 100,
    "canny_edges": 100,
}

every_corruption = pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS)


def damage(name, images, amount, seed=0, indices=None) -> np.ndarray:
    """What a corruption makes of `images`, as floats."""
    return CORRUPTIONS[name].at(images, amount, np.random.default_rng(seed), indices).astype(float)


def pages(value: int, count: int) -> np.ndarray:
    return np.full((count, 28, 28), value, np.uint8)


def twice(count: int) -> np.ndarray:
    """Indices by which the second half of a batch meets the same damage as the first."""
    return np.tile(np.arange(count), 2)


@pytest.fixture(scope="module")
def digits_100(some_digits) -> np.ndarray:
    return some_digits.images[:100]


@pytest.fixture(scope="module")
def recognizers() -> list[recognizer.Recognizer]:
    return [recognizer.load(name) for name in ("mnist_cnn", "mnist_advanced")]


@every_corruption
def test_gives_new_images_of_the_same_kind(corruption, digits_100):
    before = digits_100.copy()
    for severity in SEVERITIES:
        damaged = corruption(digits_100, severity, np.random.default_rng(1))
        assert damaged.shape == digits_100.shape
        assert damaged.dtype == np.uint8
        assert not np.array_equal(damaged, digits_100)
        np.testing.assert_array_equal(digits_100, before)


@every_corruption
def test_severity_0_is_a_copy(corruption, digits_100, rng):
    same = corruption(digits_100, 0, rng)
    np.testing.assert_array_equal(same, digits_100)
    assert not np.shares_memory(same, digits_100)


@every_corruption
def test_layout_in_memory_does_not_matter(corruption, digits_100):
    transposed = digits_100.transpose(0, 2, 1)
    expected = corruption(np.ascontiguousarray(transposed), 2, np.random.default_rng(2))
    np.testing.assert_array_equal(corruption(transposed, 2, np.random.default_rng(2)), expected)


@every_corruption
def test_no_images_give_no_images(corruption, rng):
    assert corruption(np.empty((0, 28, 28), np.uint8), 3, rng).shape == (0, 28, 28)


@every_corruption
def test_seed_decides_what_is_random(corruption, digits_100):
    first, again, other = (corruption(digits_100, 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (corruption.name in DETERMINISTIC)


@every_corruption
def test_damage_of_an_image_depends_on_its_index_alone(corruption, some_digits):
    images = some_digits.images[: 2 * CHUNK + 20]
    whole = corruption(images, 4, np.random.default_rng(3))
    for part in ([7, 3, 90], [CHUNK], range(50, 2 * CHUNK)):
        rows = np.array(part)
        np.testing.assert_array_equal(corruption(images[rows], 4, np.random.default_rng(3), part), whole[rows])


@every_corruption
def test_damage_grows_with_severity(corruption, digits_100):
    distances = [
        np.abs(corruption(digits_100, severity, np.random.default_rng(4)) - digits_100.astype(float)).mean()
        for severity in (0, *SEVERITIES)
    ]
    assert np.all(np.diff(distances) > 0), distances


# Counts of photons at two rates have little in common.
@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - DETERMINISTIC - {"shot_noise"}))
def test_stronger_severity_is_more_of_the_same_damage(name, digits_100):
    (weaker, stronger, another) = (
        CORRUPTIONS[name](digits_100, severity, np.random.default_rng(seed)).astype(float)
        for severity, seed in ((4, 5), (5, 5), (5, 6))
    )
    assert np.abs(stronger - weaker).mean() < 0.8 * np.abs(another - weaker).mean()


@every_corruption
def test_severity_1_keeps_the_label(corruption, some_digits, recognizers, rng):
    damaged = corruption(some_digits.images, 1, rng)
    accuracies = [np.mean(model.predict_proba(damaged).argmax(axis=1) == some_digits.labels) for model in recognizers]
    assert max(accuracies) >= 0.95


@every_corruption
def test_levels_move_away_from_neutral(corruption):
    assert len(corruption.levels) == len(SEVERITIES)
    steps = np.diff([corruption.neutral, *corruption.levels])
    assert np.all(steps > 0) or np.all(steps < 0)


@every_corruption
def test_augmentations_it_is_likened_to_exist(corruption):
    families = {field.name for field in fields(Augmentation)}
    assert families.issuperset(corruption.seen_with + corruption.related_to)


def test_table_has_28_names():
    assert len(CORRUPTIONS) == 28
    assert all(name == corruption.name for name, corruption in CORRUPTIONS.items())


def test_mnist_c_is_complete_and_at_its_own_levels():
    levels = {name: c.amount(c.mnist_c) for name, c in CORRUPTIONS.items() if c.mnist_c is not None}
    assert levels == pytest.approx(MNIST_C, abs=0.05)


@pytest.mark.parametrize("severity", [6, -1])
def test_unknown_severity_is_refused(severity, digits_100, rng):
    with pytest.raises(ValueError, match=f"severity must be 0 to 5, got {severity}"):
        CORRUPTIONS["fog"](digits_100, severity, rng)


@pytest.mark.parametrize("severity", [0, 3])
@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 28, 28)), np.zeros((2, 28, 28, 1), np.uint8), np.zeros((28, 28), np.uint8), pages(0, 2)[:, :, :27]],
    ids=["float", "channel", "single", "narrow"],
)
def test_other_images_are_refused(images, severity, rng):
    with pytest.raises(ValueError, match=r"uint8 \(N, 28, 28\), got (float64|uint8) \("):
        CORRUPTIONS["rotate"](images, severity, rng)


def test_wrong_number_of_indices_is_refused(digits_100, rng):
    with pytest.raises(ValueError, match="got 99 for 100"):
        CORRUPTIONS["fog"](digits_100, 1, rng, range(99))


def test_select_finds_names_in_the_tables_order():
    for names in (["zigzag", "fog", "rotate"], {"fog", "zigzag", "rotate"}, iter(["fog", "rotate", "zigzag"])):
        assert [corruption.name for corruption in select(names)] == ["rotate", "fog", "zigzag"]
    assert not select([])


def test_select_says_which_names_there_are():
    with pytest.raises(ValueError, match="fogg") as error:
        select(["fog", "fogg"])
    assert all(name in str(error.value).split("there are: ")[1].split(", ") for name in CORRUPTIONS)


def test_gaussian_noise_is_normal():
    added = damage("gaussian_noise", pages(128, 200), 20) - 128
    # Five standard errors of 156,800 pixels; rounding adds 1/12 to the variance.
    assert added.mean() == pytest.approx(0, abs=5 * 20 / np.sqrt(added.size))
    assert added.std() == pytest.approx(np.sqrt(400 + 1 / 12), abs=5 * 20 / np.sqrt(2 * added.size))
    assert stats.skew(added, axis=None) == pytest.approx(0, abs=5 * np.sqrt(6 / added.size))
    assert stats.kurtosis(added, axis=None) == pytest.approx(0, abs=5 * np.sqrt(24 / added.size))
    beside = np.corrcoef(added[:, :, 1:].ravel(), added[:, :, :-1].ravel())[0, 1]
    assert beside == pytest.approx(0, abs=5 / np.sqrt(added.size))


def test_shot_noise_counts_photons():
    # 51 of 255 at 60 photons in full ink: 12 expected, 4.25 grey levels each.
    shot = damage("shot_noise", pages(51, 200), 60)
    counts = np.round(shot / 4.25).astype(int)
    np.testing.assert_allclose(shot, np.minimum(counts * 4.25, 255), atol=0.51)
    expected = stats.poisson(12).pmf(np.arange(3, 24)) * counts.size
    observed = np.bincount(counts.ravel(), minlength=60)[3:24]
    assert np.all(np.abs(observed - expected) < 4.5 * np.sqrt(expected))
    assert counts.mean() == pytest.approx(12, abs=5 * np.sqrt(12 / counts.size))
    assert counts.var() == pytest.approx(12, rel=5 * np.sqrt(2 / counts.size))


def test_shot_noise_clips_ink_and_leaves_paper():
    full = damage("shot_noise", pages(255, 100), 3) == 255
    share = stats.poisson(3).sf(2)
    assert full.mean() == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / full.size))
    assert not damage("shot_noise", pages(0, 100), 3).any()


def test_impulse_noise_is_half_black_half_white():
    noisy = damage("impulse_noise", pages(128, 200), 17)
    assert set(np.unique(noisy)) == {0, 128, 255}
    for extreme in (0, 255):
        tolerance = 5 * np.sqrt(0.085 * 0.915 / noisy.size)
        assert np.mean(noisy == extreme) == pytest.approx(0.085, abs=tolerance)


@pytest.mark.parametrize("sigma", [0.5, 1.5, 3])
def test_gaussian_blur_is_that_of_scipy(sigma, digits_100, rng):
    images = np.concatenate([digits_100[:20], rng.integers(0, 256, (5, 28, 28), np.uint8)])
    expected = ndimage.gaussian_filter(images.astype(float), sigma, axes=(1, 2), mode="constant")
    assert np.abs(damage("gaussian_blur", images, sigma) - expected).max() < 2


def displacements(sources: np.ndarray) -> np.ndarray:
    """How often a pixel comes from (dy, dx) away, each up to 3: (N, 49) shares; `sources` is (N, 2, 28, 28)."""
    moved = (sources - np.stack([ROWS, COLUMNS])).reshape(-1, 2, 784)
    offsets = [(y - 3, x - 3) for y, x in np.ndindex(7, 7)]
    return np.stack([np.mean((moved[:, 0] == y) & (moved[:, 1] == x), axis=1) for y, x in offsets], axis=1)


def test_glass_blur_swaps_as_mnist_c_does(monkeypatch, rng):
    """Their loop, written plainly: half the pixels swap, with an offset of -1 or 0 along each axis."""
    count = 150
    plain = np.tile(np.stack([ROWS, COLUMNS]), (count, 1, 1, 1))
    for image in plain:
        chosen = rng.random((2, 28, 28)) < 0.5
        offsets = rng.integers(-1, 1, (2, 28, 28, 2))
        for turn in range(2):
            for h in range(27, 1, -1):
                for w in range(27, 1, -1):
                    if chosen[turn, h, w]:
                        y, x = (h, w) + offsets[turn, h, w]
                        image[:, h, w], image[:, y, x] = image[:, y, x].copy(), image[:, h, w].copy()

    monkeypatch.setattr(blur, "blurred_images", lambda images, sigma: images.copy())
    ramps = np.repeat(np.stack([ROWS, COLUMNS]).astype(np.uint8) * 9, count, axis=0)
    shuffled = damage("glass_blur", ramps, 2, indices=twice(count)) / 9
    shuffled = np.stack([shuffled[:count], shuffled[count:]], axis=1)
    places = (shuffled[:, 0] * 28 + shuffled[:, 1]).reshape(count, -1)
    np.testing.assert_array_equal(np.sort(places, axis=1), np.tile(np.arange(784), (count, 1)))
    np.testing.assert_array_equal(shuffled[:, 0, 0], 0)
    np.testing.assert_array_equal(shuffled[:, 1, :, 0], 0)

    ours, theirs = displacements(shuffled), displacements(plain)
    error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / count)
    assert np.all(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) <= 4.5 * error + 1e-4)


def test_glass_blur_blurs_before_and_after(digits_100):
    expected = digits_100.astype(float)
    for _ in range(2):
        expected = ndimage.gaussian_filter(expected, 0.7, axes=(1, 2), mode="constant")
    assert np.abs(blur.glass_blur(digits_100, 0, Streams(0, range(100))) - expected).max() < 2.5


@pytest.mark.parametrize("sigma", [1, 3, 5])
def test_motion_blur_is_half_a_gaussian_to_one_side(sigma):
    point = pages(0, 400)
    point[:, 14, 27] = 255
    smeared = damage("motion_blur", point, sigma)
    mass = smeared.sum(axis=(1, 2))
    # Each pixel is rounded.
    assert mass.mean() == pytest.approx(255, abs=2)
    assert np.ptp(mass) < 10

    x = ((COLUMNS - 27) * smeared).sum(axis=(1, 2)) / mass
    y = ((ROWS - 14) * smeared).sum(axis=(1, 2)) / mass
    steps = np.arange(min(20, 4 * sigma) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    # What is less than half a grey level of the far tail is lost.
    np.testing.assert_allclose(np.hypot(x, y), np.average(steps, weights=weights), atol=0.16)
    assert np.all(x < 0)
    angles = np.rad2deg(np.arctan2(y, -x))
    assert np.abs(angles).max() < 45 + 6
    assert stats.kstest(angles, stats.uniform(-45, 90).cdf).pvalue > 0.01


@pytest.mark.parametrize("side", CORRUPTIONS["downsampling"].levels)
def test_downsampling_averages_areas_and_interpolates(side, digits_100):
    ends = np.arange(side + 1) * 28 / side
    overlap = np.minimum(ends[1:, None], np.arange(1, 29)) - np.maximum(ends[:-1, None], np.arange(28))
    shrink = np.clip(overlap, 0, None) * side / 28
    middles = (ends[1:] + ends[:-1]) / 2
    enlarge = np.stack([np.interp(np.arange(28) + 0.5, middles, unit) for unit in np.eye(side)], axis=1)
    both = enlarge @ shrink
    coarse = damage("downsampling", digits_100, side)
    assert np.abs(coarse - both @ digits_100 @ both.T).max() < 1.6
    np.testing.assert_array_equal(damage("downsampling", pages(77, 1), side), 77)


@pytest.mark.parametrize("quality", CORRUPTIONS["jpeg"].levels)
def test_jpeg_is_that_of_pillow(quality, digits_100):
    opened = []
    for image in digits_100[:30]:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        opened.append(np.asarray(Image.open(file), float))
    assert np.abs(damage("jpeg", digits_100[:30], quality) - opened).max() <= 2


MATRICES = {
    "rotate": lambda sign, degrees: transform.AffineTransform(rotation=sign * np.deg2rad(degrees)).params,
    "shear": lambda sign, factor: np.array([[1, sign * factor, 0], [0, 1, 0], [0, 0, 1]]),
    "scale": lambda sign, percent: transform.AffineTransform(scale=100 / percent).params,
}


@pytest.mark.parametrize("severity", [2, 5])
@pytest.mark.parametrize("name", MATRICES)
def test_geometry_is_that_of_scikit_image(name, severity, digits_100):
    amount = CORRUPTIONS[name].levels[severity - 1]
    warped = damage(name, digits_100, amount)
    there, back = (transform.AffineTransform(translation=(shift, shift)).params for shift in (-13.5, 13.5))
    differences = []
    for sign in (-1, 1):
        matrix = back @ MATRICES[name](sign, amount) @ there
        expected = np.stack([transform.warp(image, matrix, preserve_range=True) for image in digits_100.astype(float)])
        differences.append(np.abs(warped - expected).mean(axis=(1, 2)))
    assert np.min(differences, axis=0).max() < 1
    if name != "scale":
        # Each image is clearly of one sign, and the signs are balanced to four standard deviations.
        assert np.max(differences, axis=0).min() > 3
        assert np.sum(differences[0] < differences[1]) == pytest.approx(50, abs=20)


def test_translation_is_by_whole_pixels_along_both_axes(digits_100):
    moved = damage("translate", digits_100, 3)
    padded = np.pad(digits_100, ((0, 0), (3, 3), (3, 3)))
    same = {
        (y, x): np.all(moved == padded[:, 3 - y : 31 - y, 3 - x : 31 - x], axis=(1, 2))
        for y in (-3, 3)
        for x in (-3, 3)
    }
    assert np.all(np.sum(list(same.values()), axis=0) == 1)
    for corner in same.values():
        assert corner.sum() == pytest.approx(25, abs=4 * np.sqrt(100 * 0.25 * 0.75))


def test_elastic_displaces_by_its_amount_and_smoothly():
    """Ramps along both axes show the displacement, in a middle far enough from the edge."""
    count, steepness = 600, 7
    ramps = np.repeat(np.stack([ROWS, COLUMNS]).astype(np.uint8) * steepness, count, axis=0)
    for amount in (0.5, 1, 2.5):
        displaced = (damage("elastic", ramps, amount, indices=twice(count)) - ramps) / steepness
        middle = displaced.reshape(2, count, 28, 28)[:, :, 10:18, 10:18]
        np.testing.assert_allclose(np.sqrt(np.square(middle).mean(axis=(1, 2, 3))), amount, rtol=0.06)
        # White noise blurred by s has an autocorrelation of exp(-d² / 4s²), here with s = 4.
        correlation = (middle[..., 4:] * middle[..., :-4]).mean() / np.square(middle).mean()
        assert correlation == pytest.approx(np.exp(-1 / 4), abs=0.04)
        assert np.corrcoef(middle[0].ravel(), middle[1].ravel())[0, 1] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("name", "sign"), [("thicker", 1), ("thinner", -1)], ids=["thicker", "thinner"])
def test_stroke_changes_its_width_by_the_amount(name, sign):
    bar = pages(0, 1)[0]
    bar[:, 11:17] = 255
    disc = (255 * np.clip(7.5 - np.hypot(ROWS - 13.5, COLUMNS - 13.5), 0, 1)).astype(np.uint8)[None]
    diameter = 2 * np.sqrt(disc.sum(dtype=float) / 255 / np.pi)
    for amount in CORRUPTIONS[name].levels:
        upright, lying = damage(name, np.stack([bar, bar.T]), amount)
        assert upright[14].sum() / 255 == pytest.approx(6 + sign * amount, abs=0.1)
        np.testing.assert_allclose(upright, lying.T, atol=1)
        area = damage(name, disc, amount).sum() / 255
        assert 2 * np.sqrt(area / np.pi) == pytest.approx(diameter + sign * amount, abs=0.3)


@pytest.mark.parametrize("fainter", [1, 10])
def test_canny_edges_are_those_of_scikit_image(fainter, digits_100):
    """At a tenth of the ink, both of Canny's thresholds matter; the two libraries thin plateaus differently."""
    images = digits_100 // fainter
    edges = damage("canny_edges", images, 100)
    assert set(np.unique(edges)) == {0, 255}
    expected = np.stack([feature.canny(image / 255, sigma=1) for image in images])
    assert np.sum((edges > 0) & expected) / np.sum((edges > 0) | expected) > 0.91
    np.testing.assert_allclose(damage("canny_edges", images, 40), 0.6 * images + 0.4 * edges, atol=0.51)


CLOSED_FORMS = {
    "brightness": lambda images, percent: np.minimum(images + 2.55 * percent, 255),
    "low_contrast": lambda images, percent: (images * percent + 127.5 * (100 - percent)) / 100,
    "faint_ink": lambda images, percent: images * percent / 100,
    "stripe": lambda images, columns: np.where((columns > COLUMNS) | (columns > 27 - COLUMNS), 255 - images, images),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_form(name, digits_100):
    for amount in CORRUPTIONS[name].levels:
        expected = CLOSED_FORMS[name](digits_100.astype(float), amount)
        np.testing.assert_allclose(damage(name, digits_100, amount), expected, atol=0.501)


def test_uneven_light_is_a_plane_that_darkens_paper_only():
    count = 300
    shaded = damage("uneven_light", np.concatenate([pages(0, count), pages(100, count)]), 50, indices=twice(count))
    paper, grey = shaded[:count], shaded[count:]
    assert np.all(paper.min(axis=(1, 2)) <= 1)
    np.testing.assert_allclose(paper.max(axis=(1, 2)), 127.5, atol=0.6)
    np.testing.assert_allclose(grey, 100 + 155 * paper / 255, atol=0.9)
    np.testing.assert_array_equal(damage("uneven_light", pages(255, 3), 80), 255)

    terms = np.stack([np.ones(784), COLUMNS.ravel(), ROWS.ravel()], axis=1)
    (_, right, down), *_ = np.linalg.lstsq(terms, paper.reshape(count, -1).T)
    residual = paper.reshape(count, -1).T - terms @ np.linalg.lstsq(terms, paper.reshape(count, -1).T)[0]
    assert np.abs(residual).max() < 0.7
    assert stats.kstest(np.arctan2(down, right), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.01


def plasma_of_white(white: np.ndarray, weight: float) -> np.ndarray:
    """The field f that fog added to white pages: (1 + w f) / (1 + w) of full ink is left."""
    return (white / 255 * (1 + weight) - 1) / weight


def test_fog_adds_a_field_and_rescales(digits_100):
    images = np.concatenate([pages(255, 100), digits_100, digits_100 // 2, pages(0, 100)])
    white, full, half, black = np.split(damage("fog", images, 3, indices=np.tile(np.arange(100), 4)), 4)
    field = plasma_of_white(white, 3)
    for clean, foggy in ((digits_100, full), (digits_100 // 2, half)):
        brightest = clean.max(axis=(1, 2), keepdims=True).astype(float)
        expected = (clean + 255 * 3 * field) * (brightest / (brightest + 255 * 3))
        np.testing.assert_allclose(foggy, expected, atol=1.3)
    assert not black.any()


def plasma_maps(count: int, rng: np.random.Generator) -> np.ndarray:
    """Whole maps of 256×256 from 0 to 1, point by point from the definition of midpoint displacement on a torus."""
    maps, step, reach = np.zeros((count, 256, 256)), 256, 1.0
    while step > 1:
        half = step // 2
        for row in range(0, 256, step):
            for column in range(0, 256, step):
                corners = [maps[:, (row + y) % 256, (column + x) % 256] for y in (0, step) for x in (0, step)]
                maps[:, row + half, column + half] = np.mean(corners, axis=0) + rng.uniform(-reach, reach, count)
        for row in range(0, 256, half):
            for column in range(half - row % step, 256, step):
                around = [(half, 0), (-half, 0), (0, half), (0, -half)]
                near = [maps[:, (row + y) % 256, (column + x) % 256] for y, x in around]
                maps[:, row, column % 256] = np.mean(near, axis=0) + rng.uniform(-reach, reach, count)
        step, reach = half, reach / 1.4**2
    maps -= maps.min(axis=(1, 2), keepdims=True)
    return maps / maps.max(axis=(1, 2), keepdims=True)


def test_fog_is_the_corner_of_a_plasma_fractal(rng):
    ours = plasma_of_white(damage("fog", pages(255, 300), 3), 3)
    theirs = plasma_maps(300, rng)[:, :28, :28]
    # Half a grey level of rounding is 0.0026.
    assert -0.003 < ours.min() < 0.05
    assert 0.95 < ours.max() < 1.003
    assert stats.kstest(ours.mean(axis=(1, 2)), theirs.mean(axis=(1, 2))).pvalue > 0.01
    for spread in (np.std, np.ptp):
        assert stats.ttest_ind(spread(ours, axis=(1, 2)), spread(theirs, axis=(1, 2))).pvalue > 0.01
    # Neighbours differ as much, too: the finest octave is there.
    steps = [np.abs(np.diff(field, axis=axis)).mean() for field in (ours, theirs) for axis in (1, 2)]
    assert np.ptp(steps) < 0.05 * np.mean(steps)


def line_places(profile: np.ndarray) -> np.ndarray:
    """Where a row profile, 0 to 1, has whole lines: centroids of its separate peaks of mass 1."""
    labels, count = ndimage.label(profile > 0.01)
    numbers = np.arange(1, count + 1)
    whole = np.abs(ndimage.sum_labels(profile, labels, numbers) - 1) < 0.05
    return np.array(ndimage.center_of_mass(profile, labels, numbers))[whole, 0]


def ruling_spacings(profiles: np.ndarray) -> np.ndarray:
    """The spacing of the lines in each profile; fails where it isn't the same all over the page."""
    gaps = [np.diff(line_places(profile)) for profile in profiles]
    assert max(np.ptp(gap) for gap in gaps) < 0.1
    return np.array([gap.mean() for gap in gaps])


def test_ruled_paper_has_parallel_lines_evenly_spaced():
    ruled = damage("ruled_paper", pages(0, 400), 60)
    np.testing.assert_array_equal(ruled, np.repeat(ruled[:, :, :1], 28, axis=2))
    assert ruled.max() == 153
    spacings = ruling_spacings(ruled[:, :, 0] / 153)
    assert stats.kstest(spacings, stats.uniform(6, 3).cdf).pvalue > 0.01
    first = [line_places(profile)[0] for profile in ruled[:, :, 0] / 153]
    assert np.ptp(first) > 5
    np.testing.assert_array_equal(damage("ruled_paper", pages(255, 2), 75), 255)


def test_squared_paper_has_lines_both_ways():
    squared = damage("squared_paper", pages(0, 400), 60)
    assert squared.max() == 153
    down, across = squared.min(axis=2), squared.min(axis=1)
    np.testing.assert_array_equal(squared, np.maximum(down[:, :, None], across[:, None, :]))
    spacings = ruling_spacings(down / 153)
    np.testing.assert_allclose(ruling_spacings(across / 153), spacings, atol=0.05)
    assert stats.kstest(spacings, stats.uniform(5, 2).cdf).pvalue > 0.01
    np.testing.assert_array_equal(damage("squared_paper", pages(255, 2), 75), 255)


def centroids(lines: np.ndarray) -> np.ndarray:
    """Mean row of the ink in each column of each page."""
    return (lines * np.arange(28)[:, None]).sum(axis=1) / lines.sum(axis=1)


def within_page(lines: np.ndarray) -> np.ndarray:
    return lines[~lines[:, [0, 27]].any(axis=(1, 2))]


def test_dotted_line_is_straight_with_every_other_pair_of_columns():
    lines = damage("dotted_line", pages(0, 400), 40)
    assert lines.max() == 102
    drawn = lines.max(axis=1) > 0
    np.testing.assert_array_equal(drawn, np.tile((np.arange(28) % 4 >= 2) & (np.arange(28) < 27), (400, 1)))
    columns = np.flatnonzero(drawn[0])
    places = centroids(within_page(lines)[:, :, columns])
    slope, start = np.polyfit(columns, places.T, 1)
    assert np.abs(places.T - start - slope * columns[:, None]).max() < 0.2
    # MNIST-C's profile, 1 + log(1 - d / 2.3), falls to one half 0.9 pixels from the middle.
    width = within_page(lines)[:, :, columns].sum(axis=1).mean(axis=1) / 102
    np.testing.assert_allclose(width[np.abs(slope) < 0.2], 1.8, atol=0.15)


def test_dotted_line_starts_and_ends_anywhere():
    lines = damage("dotted_line", pages(0, 2000), 100)
    start, end = (lines[:, :, column].argmax(axis=1) for column in (2, 26))
    assert start.mean() == pytest.approx(13.5, abs=0.8)
    assert end.mean() == pytest.approx(13.5, abs=0.9)
    # Column 2 is 2 / 27 of the way from one uniform row to the other, column 26 is 26 / 27 of it.
    assert start.std() == pytest.approx(np.hypot(25, 2) / np.sqrt(12), rel=0.06)
    assert end.std() == pytest.approx(np.hypot(26, 1) / np.sqrt(12), rel=0.06)
    assert np.corrcoef(start, end)[0, 1] == pytest.approx((25 + 52) / (25 * 26), abs=0.1)


def test_zigzag_turns_every_4_pixels():
    lines = within_page(damage("zigzag", pages(0, 400), 60))
    assert lines.max() == 153
    assert not lines[:, :, [0, 1, 27]].any()
    columns = np.arange(3, 25)
    places = centroids(lines[:, :, columns])
    slope, start = np.polyfit(columns, places.T, 1)
    waves = places - start[:, None] - slope[:, None] * columns
    assert np.abs(slope).max() < 5 / 23 + 0.1
    gaps = np.concatenate([np.diff(np.flatnonzero(np.diff(np.sign(np.diff(wave))))) for wave in waves])
    assert set(gaps) <= {3, 4, 5}
    # Along the line it is 4; a column is up to 2 % longer.
    assert 3.85 < gaps.mean() < 4.05
    assert waves.max(axis=1).mean() == pytest.approx(2, abs=0.15)
    assert waves.min(axis=1).mean() == pytest.approx(-2, abs=0.15)


def mud_of_white(white: np.ndarray) -> np.ndarray:
    """How much mud lies on white pages: full mud is 63."""
    return (255 - white) / (255 - 63)


@pytest.mark.parametrize("percent", [30, 50, 70])
def test_spatter_covers_as_much_as_mnist_c_formula(percent, rng):
    """Against scikit-image's chain in SciPy, far enough from the edge for borders not to matter."""
    middle = np.s_[:, 8:20, 8:20]
    ours = mud_of_white(damage("spatter", pages(255, 800), percent))[middle]
    smooth = ndimage.gaussian_filter(rng.standard_normal((800, 28, 28)), 1, axes=(1, 2))
    above = smooth > np.quantile(smooth[middle], 1 - percent / 100)
    theirs = ndimage.gaussian_filter(above.astype(float), 1.5, axes=(1, 2))[middle]
    theirs[theirs < 0.8] = 0
    for first, second in ((ours, theirs), (ours > 0, theirs > 0)):
        assert stats.ttest_ind(first.mean(axis=(1, 2)), second.mean(axis=(1, 2))).pvalue > 0.001


def test_spatter_is_mud_of_63():
    count = 100
    images = np.concatenate([pages(255, count), pages(0, count), pages(150, count)])
    on_ink, on_paper, on_grey = np.split(damage("spatter", images, 70, indices=np.tile(np.arange(count), 3)), 3)
    mud = mud_of_white(on_ink)
    assert on_ink.min() == on_paper.max() == 63
    assert mud[mud > 0].min() == pytest.approx(0.8, abs=0.003)
    np.testing.assert_allclose(on_paper, 63 * mud, atol=0.7)
    np.testing.assert_allclose(on_grey, 150 + (63 - 150) * mud, atol=0.8)


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_blurred_noise_has_the_stated_deviation(sigma, rng):
    stated = pixels.blurred_deviation(sigma)
    # The integral of the squared Gaussian over the plane is 1 / 4πσ²; the edges are too near for that at σ = 4.
    if sigma == 1:
        assert stated[14, 14] == pytest.approx(1 / (2 * sigma * np.sqrt(np.pi)), rel=0.005)
    noise = rng.standard_normal((4000, 28, 28))
    blurred = ndimage.gaussian_filter(noise, sigma, axes=(1, 2), mode="mirror")
    np.testing.assert_allclose(blurred.std(axis=0), stated, rtol=0.06)


@pytest.mark.parametrize("side", CORRUPTIONS["occlusion"].levels)
def test_occlusion_is_one_square_of_one_shade(side):
    count = 300
    covered = damage("occlusion", np.concatenate([pages(0, count), pages(255, count)]), side, indices=twice(count))
    on_paper, on_ink = covered[:count], covered[count:]
    squares = on_paper == on_ink
    assert np.all(on_paper[~squares] == 0)
    assert np.all(on_ink[~squares] == 255)
    rows, columns = squares.any(axis=2), squares.any(axis=1)
    np.testing.assert_array_equal(squares, rows[:, :, None] & columns[:, None, :])
    for ends in (rows, columns):
        assert np.all(ends.sum(axis=1) == side)
        first = ends.argmax(axis=1)
        assert np.all(first + side == 28 - ends[:, ::-1].argmax(axis=1))
        assert stats.kstest(first + side / 2, stats.uniform(8, 12).cdf).pvalue > 0.001
    shades = np.array([np.unique(page[square]) for page, square in zip(on_paper, squares, strict=True)])
    assert shades.shape == (count, 1)
    assert stats.kstest(shades[:, 0], stats.uniform(0, 255).cdf).pvalue > 0.01


def test_stream_of_an_index_ignores_its_neighbours():
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
