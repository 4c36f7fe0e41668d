"""Sheets on desks: flat sheets with real digits, seen in perspective, so that their corners and contents are known."""

import cv2
import numpy as np
import pytest

from digits import preprocess
from digits.checkpoints import recognizer
from digits.preprocess.page import find_page
from tests.preprocess.test_preprocess import difference, large, shadow_on_one_half, squared_paper

SIDE = 600


def plain(rng: np.random.Generator) -> np.ndarray:
    return np.full((SIDE, SIDE), rng.uniform(30, 130))


def wood(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE))
    return 105 + 30 * np.sin((rows + 0.4 * columns) / rng.uniform(5, 20)) + rng.normal(0, 5, (SIDE, SIDE))


def checks(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE)) // int(rng.integers(15, 50))
    return np.where((rows + columns) % 2, 150.0, 60.0)


def flat_sheet(image: np.ndarray, lines: int = 0) -> np.ndarray:
    sheet = np.full((400, 520), 225.0)
    sheet[100:300, 150:350] *= 1 - 0.75 * large(image, 200) / 255
    if lines:
        cv2.rectangle(sheet, (15, 15), (504, 384), 60, lines)
    return sheet


def photographed(
    sheet: np.ndarray, desk: np.ndarray, rng: np.random.Generator, turn: float, shift: float = 0, size: float = 0.75
) -> tuple[np.ndarray, np.ndarray]:
    """A photo of a sheet that is turned, in degrees, and seen at an angle; and its corners on it, (4, 2)."""
    height, width = sheet.shape
    flat = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    radians = np.radians(turn)
    turned = (flat - (width / 2, height / 2)) @ np.array(
        [[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]]
    )
    corners = (size * turned + rng.uniform(-15, 15, (4, 2)) + SIDE / 2 + shift).astype(np.float32)
    to_photo = cv2.getPerspectiveTransform(flat, corners)
    seen = cv2.warpPerspective(sheet, to_photo, (SIDE, SIDE), flags=cv2.INTER_AREA)
    on_sheet = cv2.warpPerspective(np.ones_like(sheet), to_photo, (SIDE, SIDE))
    photo = desk * (1 - on_sheet) + seen + rng.normal(0, 3, desk.shape)
    return np.clip(photo, 0, 255).astype(np.uint8), corners


@pytest.mark.parametrize("desk", [plain, wood, checks])
def test_a_sheet_is_found_where_it_lies(desk, some_digits, rng):
    for index, turn in enumerate((0, 1, -3, 8, -20, 35)):
        photo, corners = photographed(flat_sheet(some_digits.images[index]), desk(rng), rng, turn)
        page = find_page(photo)
        assert page
        # Without the strip that is cut off along its edges.
        height, width = page.grey.shape
        found = np.float32([[[0, 0], [width, 0], [width, height], [0, height]]])
        np.testing.assert_allclose(cv2.perspectiveTransform(found, page.to_picture)[0], corners, atol=22)


@pytest.mark.parametrize("lines", [0, 4])
@pytest.mark.parametrize("desk", [plain, wood, checks])
def test_a_digit_on_a_sheet_on_a_desk_is_the_same_digit(desk, lines, some_digits, rng):
    model = recognizer.load("mnist_cnn")
    turns = rng.uniform(-30, 30, 20)
    photos = [
        photographed(flat_sheet(image, lines), desk(rng), rng, turn)[0]
        for image, turn in zip(some_digits.images, turns, strict=False)
    ]
    images = np.stack([preprocess.prepare(photo).image for photo in photos])
    assert np.sum(model.predict_proba(images).argmax(axis=1) == some_digits.labels[:20]) >= 18


def test_a_sheet_partly_outside_the_picture_is_straightened(some_digits, rng):
    for image in some_digits.images[:5]:
        sheet = flat_sheet(image)
        photo, _ = photographed(sheet, plain(rng), rng, turn=15, shift=120)
        prepared = preprocess.prepare(photo)
        assert "rectified" in prepared.steps[0]
        assert difference(prepared.image, preprocess.prepare(sheet.astype(np.uint8)).image) < 20


def test_steps_say_that_a_sheet_was_rectified(some_digits, rng):
    photo, _ = photographed(flat_sheet(some_digits.images[0]), wood(rng), rng, turn=5)
    assert preprocess.prepare(photo).steps[0].startswith("rectified the sheet of paper")
    # Switched off with the other steps that remove what surrounds the paper.
    assert not any(
        "rectified" in step for step in preprocess.prepare(photo, preprocess.EnabledSteps(frame=False)).steps
    )


def test_no_sheet_is_found_where_there_is_none(some_digits, rng):
    for image in some_digits.images[:100]:
        for picture in (large(image), 255 - large(image), cv2.dilate(large(image), np.ones((15, 15), np.uint8))):
            assert find_page(picture) is None
    page = flat_sheet(some_digits.images[3])[:, 60:460]
    for damaged in (page, squared_paper(page), shadow_on_one_half(page)):
        assert find_page(np.clip(damaged, 0, 255).astype(np.uint8)) is None
    empty, _ = photographed(np.full((400, 520), 225.0), plain(rng), rng, turn=5)
    assert find_page(empty) is None
