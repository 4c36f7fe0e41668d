"""Pictures that are uploaded or taken, and MNIST's own: read rightly, or refused in a sentence."""

from io import BytesIO
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from digits import data

from . import visitor


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def digit_on_paper(image: np.ndarray, is_light: bool = False) -> Image.Image:
    """A test digit as a drawing, 280 pixels wide; dark on light unless `is_light`."""
    enlarged = Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC)
    return enlarged if is_light else Image.eval(enlarged, lambda level: 255 - level)


def scribble() -> Image.Image:
    paper = Image.new("L", (280, 280), 255)
    points = np.random.default_rng(0).integers(20, 260, (40, 2)).tolist()
    ImageDraw.Draw(paper).line([tuple(point) for point in points], fill=0, width=6)
    return paper


def pictures_of_digits() -> dict[str, tuple[int, bytes]]:
    """A file of each kind with the digit that MNIST says it shows; no two neighbours show the same."""
    test = data.load_test()
    papers = [digit_on_paper(test.images[np.argmax(test.labels == digit)]) for digit in range(10)]
    light = digit_on_paper(test.images[np.argmax(test.labels == 2)], is_light=True)
    ink_alone = Image.new("RGBA", (280, 280), "navy")
    ink_alone.putalpha(Image.eval(papers[6], lambda level: 255 - level))
    deep = Image.fromarray(np.asarray(papers[7], np.uint16) * 257)
    # Lying on its head in the file: whoever overlooks the orientation reads a 9.
    orientation = Image.Exif()
    orientation[0x0112] = 3
    photo = encoded(papers[6].rotate(180).convert("RGB").resize((1200, 1200)), "JPEG", exif=orientation)
    return {
        "dark_on_light.png": (1, encoded(papers[1], "PNG")),
        "light_on_dark.png": (2, encoded(light, "PNG")),
        "photo.JPG": (6, photo),
        "scan.bmp": (4, encoded(papers[4], "BMP")),
        "transparent.png": (6, encoded(ink_alone, "PNG")),
        "sixteen_bit.png": (7, encoded(deep, "PNG")),
        "picture.webp": (8, encoded(papers[8], "WEBP")),
        "grey.jpeg": (9, encoded(papers[9], "JPEG")),
    }


def test_pictures_are_read_rightly_or_refused_in_a_sentence(page):
    visitor.use_source(page, "Upload")
    visitor.expect_nothing(page)
    for name, (digit, content) in pictures_of_digits().items():
        visitor.upload(visitor.main(page), name, content)
        visitor.expect_answer(page, digit)
    visitor.keep(page, "upload")

    one = encoded(digit_on_paper(np.pad(np.full((20, 3), 255, np.uint8), ((4, 4), (12, 13)))), "PNG")
    photo = encoded(scribble(), "JPEG")
    refused = {
        "blank.png": (encoded(Image.new("L", (280, 280), 255), "PNG"), "nothing is drawn"),
        "film.png": (encoded(Image.new("L", (280, 280)), "PCX"), "not a valid PNG"),
        "vast.png": (encoded(Image.new("1", (10_000, 5_001)), "PNG"), "over 50 million pixels"),
        "torn.jpg": (photo[: len(photo) // 2], "not a valid JPEG image: it is damaged"),
        "speck.png": (encoded(Image.new("L", (1, 1)), "PNG"), "nothing is drawn"),
        "letter.png": (b"Dear reader,\n", "not a valid PNG"),
    }
    for name, (content, words) in refused.items():
        visitor.upload(visitor.main(page), name, content)
        visitor.expect_sentence(page, words)
        visitor.expect_nothing(page)
    visitor.upload(visitor.main(page), "one.png", one)
    visitor.expect_answer(page, 1)
    visitor.upload(visitor.main(page), "notes.txt", b"not even called a picture")
    expect(visitor.main(page).get_by_text("files are not allowed")).to_be_visible()
    visitor.upload(visitor.main(page), "scribble.png", encoded(scribble(), "PNG"))
    visitor.until(page, ".verdict", "Looks like no digit")
    visitor.upload(visitor.main(page), "seven.png", encoded(digit_on_paper(data.load_test().images[0]), "PNG"))
    visitor.until(page, ".verdict.sure", "7")
    visitor.upload(visitor.main(page), "cat.png", Path(skimage.data_dir, "chelsea.png").read_bytes())
    expect(page.locator(".verdict.sure")).to_have_count(0)
    visitor.wait_until_idle(page)
    assert page.locator(".verdict.sure").count() == 0


def test_samples_tell_their_true_digit_and_the_camera_takes_a_photo(page):
    visitor.use_source(page, "Samples")
    labels = data.load_test().labels
    for digit in (0, 9):
        visitor.choose_sample(page, digit)
        visitor.expect_answer(page, digit)
        expect(visitor.verdict(page)).to_contain_text(f"The true digit is {digit}: right.")
    before = visitor.sample(page)
    visitor.main(page).get_by_role("button", name="A random test digit").click()
    expect(visitor.sample_picture(page)).not_to_have_attribute("alt", f"test digit {before}")
    visitor.wait_until_idle(page)
    label = labels[visitor.sample(page)]
    expect(visitor.verdict(page)).to_contain_text(f"The true digit is {label}")
    assert visitor.downloaded_verdict(page)["true_digit"] == label

    visitor.use_source(page, "Camera")
    page.wait_for_function("document.querySelector('video')?.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA")
    visitor.main(page).get_by_role("button", name="Take Photo").click()
    expect(visitor.main(page).get_by_role("button", name="Clear photo")).to_be_visible()
    expect(visitor.main(page).get_by_alt_text("the original picture")).to_be_visible()
    expect(visitor.verdict(page)).not_to_contain_text(visitor.NOTHING_DRAWN)
