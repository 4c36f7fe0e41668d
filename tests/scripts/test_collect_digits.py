"""From photos of sheets and folders of loose pictures into a collection, as people do it."""

import io
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import collect_digits
from digits.handwriting import contact_sheet, importing
from tests.handwriting.test_sheet import boxes_of, filled, photographed
from tests.support import assert_one_line_error, digit_counts, folder_bytes


@pytest.fixture(scope="module")
def photo(tmp_path_factory, splits) -> Path:
    """A photo of a sheet with 90 digits, one of them in a wrong row, and a stroke from the first box to the second."""
    rng = np.random.default_rng(3)
    page, alone = filled("a4", splits.validation, rng, empty=0)
    boxes = boxes_of(filled("a4", splits.validation, rng, empty=100)[0])
    for number in range(0, 100, 11):
        page[boxes[number]] = 255
    page[boxes[42]] = alone[87]
    y, x = (side.stop for side in boxes[0])
    cv2.line(page, (x - 80, y - 150), (x + 80, y - 100), 40, 8)
    file = tmp_path_factory.mktemp("photo") / "mine.jpg"
    Image.fromarray(photographed(page, rng, turn=4)).save(file, quality=90)
    return file


@pytest.fixture
def loose(tmp_path, some_digits) -> Path:
    """A folder as one finds it: eight labelled pictures, one of them wrongly, two unlabelled, and what is none."""
    folder = tmp_path / "loose"
    names = ["7/a.png", "7/3_b.jpg", "sub/0/c.bmp", "5_anna.png", "5-2.png", "1.webp", "2.scan.png", "9x.PNG"]
    written = [7, 7, 0, 5, 5, 1, 2, 4]
    turns = {digit: iter(some_digits.images[some_digits.labels == digit]) for digit in range(10)}
    for name, digit in zip([*names, "2021.png", "anna.png"], [*written, 6, 8], strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        large = cv2.resize(next(turns[digit]), (140, 140), interpolation=cv2.INTER_CUBIC)
        Image.fromarray(255 - large).save(folder / name)
    (folder / "3.png").write_bytes((folder / "1.webp").read_bytes()[:90])
    (folder / "4.txt").write_text("not an image")
    (folder / ".hidden.png").write_bytes(b"")
    Image.new("L", (60, 60), 255).save(folder / "6_blank.png")
    return folder


@pytest.fixture
def run(tmp_path, capsys):
    """Run the script's `main` with options, its files below `tmp_path`; give what it printed."""

    def run(**options) -> str:
        folders = {"digits_dir": tmp_path / "mine", "output_dir": tmp_path / "out"}
        collect_digits.main(collect_digits.Options(**folders | options))
        return capsys.readouterr().out

    return run


def test_sheets_are_written_to_print(run_script, tmp_path):
    lines = run_script("collect_digits", "--sheet", "--output-dir", "out").stdout.splitlines()
    assert {Path(line).suffix for line in lines[:4]} == {".pdf", ".png"}
    assert set(folder_bytes(tmp_path)) == set(lines[:4])
    assert "src/collect_digits.py PHOTO" in lines[4]


def test_a_photo_is_shown_first_and_saved_on_demand(run_script, tmp_path, photo):
    arguments = (photo, "--digits-dir", "mine", "--output-dir", "out")
    shown = run_script("collect_digits", *arguments).stdout
    assert re.search(r"found +10 +9 +9 +9 +9 +9 +9 +9 +9 +9\n", shown)
    assert re.search(r"doubtful +2 +0 +0 +0 +1 +0 +0 +0 +0 +0\n", shown)
    assert shown.count("of mine.jpg: crosses the box's edge") == 2
    assert re.search(r"doubtful: 4 in box 3 of mine.jpg: read as 8, (> )?\d+\.\d % sure", shown)
    assert "nothing saved: no terminal to ask on; --yes saves 88 digits in mine" in shown
    assert set(folder_bytes(tmp_path)) == {"out/contact_sheet.png"}

    assert "saved 88 digits in mine\n" in run_script("collect_digits", *arguments, "--yes").stdout
    assert digit_counts(tmp_path / "mine") == [8, 9, 9, 9, 8, 9, 9, 9, 9, 9]


def test_saving_again_adds_what_is_new(run, tmp_path, loose):
    (loose / "7" / "copy.png").write_bytes((loose / "7" / "a.png").read_bytes())
    assert re.search("saved 7 digits in .*; 1 were already there", run(import_folder=loose, yes=True))
    before = folder_bytes(tmp_path / "mine")
    again = run(import_folder=loose, yes=True, keep_doubtful=True)
    assert re.search("saved 1 digit in .*; 8 were already there", again)
    assert before.items() < folder_bytes(tmp_path / "mine").items()


class Terminal(io.StringIO):
    """Somebody at the keyboard, who looks at the contact sheet before the answer."""

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        with Image.open("out/contact_sheet.png") as picture:
            assert min(picture.size) > 1000
        assert not Path("mine").exists()
        return super().readline()


@pytest.mark.parametrize(("answer", "count"), [("y\n", 7), ("n\n", 0), ("\n", 0), ("", 0)])
def test_whoever_sits_at_a_terminal_is_asked(run, tmp_path, loose, monkeypatch, answer, count):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert f"Save 7 digits to {tmp_path / 'mine'}? [y/N] " in run(import_folder=loose)
    assert sum(digit_counts(tmp_path / "mine")) == count


def test_a_folder_of_loose_pictures_is_imported(run_script, tmp_path, loose):
    process = run_script("collect_digits", "--import", loose, "--digits-dir", "mine", "--output-dir", "out", "--yes")
    assert {line.split(": ")[1]: line.split(": ")[2] for line in process.stderr.splitlines()} == {
        "2021.png and 1 more": "no digit in its name; --guess lets the model read it",
        "3.png": "not a valid PNG, JPEG, BMP, WEBP, TIFF, GIF, AVIF or PPM image",
        "4.txt": "not an image",
        "6_blank.png": "nothing is drawn on it",
    }
    assert re.search(r"doubtful: 9x\.PNG: read as 4, (> )?\d+\.\d % sure", process.stdout)
    assert "saved 7 digits in mine" in process.stdout
    assert digit_counts(tmp_path / "mine") == [1, 1, 1, 0, 0, 2, 0, 2, 0, 0]


def test_unlabelled_pictures_can_be_guessed(run, tmp_path, loose):
    arguments = {"import_folder": loose, "guess": True, "yes": True}
    shown = run(**arguments)
    assert re.search(r"doubtful: 2021.png: guessed, (> )?\d+\.\d %(, not sure|, looks like no digit)?\n", shown)
    assert re.search(r"doubtful: anna.png: guessed, (> )?\d+\.\d %(, not sure|, looks like no digit)?\n", shown)
    assert digit_counts(tmp_path / "mine") == [1, 1, 1, 0, 0, 2, 0, 2, 0, 0]
    run(**arguments, keep_doubtful=True)
    assert digit_counts(tmp_path / "mine") == [1, 1, 1, 0, 0, 2, 1, 2, 1, 1]


def test_a_picture_kept_as_another_digit_is_reported_and_the_rest_saved(run, tmp_path, loose):
    (loose / "2").mkdir()
    (loose / "2" / "same.png").write_bytes((loose / "7" / "a.png").read_bytes())
    shown = run(import_folder=loose, yes=True, keep_doubtful=True)
    assert re.search(r"not saved: 7/a.png: this drawing is already saved as a 2", shown)
    assert "saved 8 digits" in shown


def test_the_contact_sheet_frames_every_picture(some_digits):
    """Counted in the picture by the colours of the frames, as rectangles of the tiles' sizes."""
    for count, side in ((45, contact_sheet.TILE), (700, contact_sheet.SMALL_TILE)):
        candidates = [
            importing.Candidate(
                f"{place}.png", image, image, int(label), "read as 3, 99 % sure" if place % 9 == 0 else ""
            )
            for place, (image, label) in enumerate(zip(some_digits.images[:count], some_digits.labels, strict=False))
        ]
        page = contact_sheet.draw(candidates, "a title that is long " * 9)
        for colour, expected in (
            (contact_sheet.DOUBTFUL, -(-count // 9)),
            (contact_sheet.GOOD, count - -(-count // 9)),
        ):
            is_frame = np.all(page == colour, axis=2).astype(np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(is_frame, connectivity=4)
            assert np.sum((stats[1:, 2:4] == side).all(axis=1)) == expected


def test_one_bad_photo_is_reported_and_the_rest_read(run_script, tmp_path, photo):
    Image.new("L", (900, 900), 200).save(tmp_path / "blank.png")
    arguments = ("blank.png", photo, "--digits-dir", "mine", "--output-dir", "out", "--yes")
    process = run_script("collect_digits", *arguments, check=False)
    assert process.returncode == 2
    assert process.stderr.startswith("skipped: blank.png: found 0 of the sheet's 4 corner marks")
    assert "saved 88 digits" in process.stdout


def test_mistakes_are_explained_in_one_line(run_script, tmp_path):
    Image.new("L", (900, 900), 200).save(tmp_path / "blank.png")
    for arguments, words in (
        ((), ["expected one of: photos", "--import FOLDER", "--sheet"]),
        (("blank.png", "gone.jpg"), ["blank.png: found 0 of the sheet's 4 corner marks", "no image gone.jpg"]),
        (("blank.png", "--model", "typo"), ["no model called typo"]),
    ):
        process = run_script("collect_digits", *arguments, "--output-dir", "out", check=False)
        assert_one_line_error(process, *words)


def test_folders_that_cannot_be_imported_are_an_error_in_words(run, tmp_path, photo):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for options, words in (
        ({"import_folder": tmp_path / "gone"}, "no folder .*gone"),
        ({"import_folder": tmp_path / "empty"}, "expected pictures in folders 0 to 9, .* in .*empty"),
        ({"import_folder": tmp_path / "empty", "sheet": True}, "expected one of"),
        ({"import_folder": tmp_path / "empty", "photos": (photo,)}, "expected one of"),
        ({"photos": (photo,), "output_dir": tmp_path / "file"}, "can't write to the output folder"),
        ({"photos": (photo,), "digits_dir": tmp_path / "file", "yes": True}, "can't write to the output folder"),
    ):
        with pytest.raises(ValueError, match=words):
            run(**options)
