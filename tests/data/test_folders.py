"""The one scanner of image folders: what counts as an image, in which order, and what is ignored."""

from pathlib import Path

import pytest

from digits.data import folders


def names(scan: folders.Scan) -> tuple[list[str], list[str]]:
    return [path.name for path in scan.images], [path.name for path in scan.others]


def test_images_are_recognised_by_suffix_and_sorted_and_hidden_names_are_ignored(tmp_path):
    for name in ("b.png", "A.JPG", "c.webp", "d.bmp", "e.jpeg", "notes.txt", "png", "._b.png", ".DS_Store", ".x.png"):
        (tmp_path / name).touch()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "inner.png").touch()
    images = ["A.JPG", "b.png", "c.webp", "d.bmp", "e.jpeg", "gone.png"]
    assert names(folders.scan(tmp_path)) == (images, ["folder.png", "notes.txt", "png"])


def test_subfolders_are_searched_on_request_but_hidden_ones_never(tmp_path):
    for path in ("a.png", "more/b.png", "more/deep/c.svg", "more/deep/d.png", ".git/e.png", "more/.trash/f.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert names(folders.scan(tmp_path, recursive=True)) == (["a.png", "b.png", "d.png"], ["c.svg"])
    assert names(folders.scan(tmp_path)) == (["a.png"], ["more"])


def test_a_folder_whose_own_name_is_hidden_is_read(tmp_path):
    (tmp_path / ".pictures").mkdir()
    (tmp_path / ".pictures" / "a.png").touch()
    assert names(folders.scan(tmp_path / ".pictures", recursive=True)) == (["a.png"], [])


@pytest.fixture
def put(tmp_path):
    """Make empty files; the scanner opens none."""

    def put(*paths: str, folder: Path = tmp_path) -> Path:
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).touch()
        return folder

    return put


def labels(found: folders.LabelledScan, folder: Path) -> dict[str, int]:
    return {picture.path.relative_to(folder).as_posix(): picture.digit for picture in found.pictures}


@pytest.mark.parametrize(
    ("name", "digit"),
    [
        ("7/anna.png", 7),
        ("7/3_anna.png", 7),
        ("7/anna/b.png", 7),
        ("anna/7/b.png", 7),
        ("seven/a.png", 7),
        ("SEVEN/A.PNG", 7),
        ("digit_7/a.png", 7),
        ("Digit-7/a.png", 7),
        ("class7/a.jpeg", 7),
        ("7_train/a.png", 7),
        ("train/7/a.png", 7),
        ("testing/seven/a.png", 7),
        ("7 - seven/a.png", 7),
        ("Sample008/a.png", 7),
        ("Sample001/img001-001.png", 0),
        ("Sample010/a.png", 9),
        ("7_anna.png", 7),
        ("7_0.PNG", 7),
        ("seven_2.png", 7),
        ("digit_7_003.png", 7),
        ("3.jpg", 3),
        ("5-2.png", 5),
        ("0 anna.png", 0),
        ("2021.png", None),
        ("42/anna.png", None),
        ("07/anna.png", None),
        ("anna7.png", None),
        ("writer_7/anna.png", None),
        ("Sample011/a.png", None),
        ("7_or_1/a.png", None),
        ("onepiece/a.png", None),
        ("onepiece.png", None),
        ("img_7.png", None),
        ("digit_10/a.png", None),
        ("٣.png", None),
        ("²/a.png", None),
        ("7/1/a.png", None),
        ("sample/7/a.png", None),
    ],
)
def test_names_say_digits(tmp_path, put, name, digit):
    found = folders.scan_labelled(put(name))
    assert labels(found, tmp_path) == ({} if digit is None else {name: digit})
    assert (name in found.passed_over) == (digit is None)


def test_the_folder_that_is_named_counts_too(tmp_path, put):
    (tmp_path / "7").mkdir()
    put("a.png", "3_b.png", "deep/c.png", folder=tmp_path / "7")
    assert set(labels(folders.scan_labelled(tmp_path / "7"), tmp_path).values()) == {7}


def test_labels_from_names_of_every_kind_come_together(tmp_path, put):
    put("0/a.png", "more/one/b.png", "2_c.JPG", "more/3.png", "4/notes.txt", "README.md", "other.png")
    found = folders.scan_labelled(tmp_path)
    assert labels(found, tmp_path) == {"0/a.png": 0, "more/one/b.png": 1, "2_c.JPG": 2}
    assert found.unlabelled == [tmp_path / "more" / "3.png", tmp_path / "other.png"]
    assert found.passed_over == {
        "4/notes.txt": "not an image",
        **dict.fromkeys(("more/3.png", "other.png"), folders.UNLABELLED),
    }


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([f"{index}_{index * 3 % 10}.png" for index in range(13)], "indices"),
        ([f"{index}.png" for index in range(11)], "indices"),
        (["3_7.png", "8123_1.png", "417_3.png"], "indices"),
        ([f"{folder}/a.png" for folder in range(1, 11)], "folders 1 to 10"),
        ([f"Sample{folder:03}/a.png" for folder in range(10)], "Sample000"),
        (["train/1/a.png", "test/1/a.png"], "name the folder of one"),
        (["1_train/a.png", "1_test/a.png"], "name the folder of one"),
    ],
)
def test_what_could_be_labelled_in_two_ways_is_refused(tmp_path, put, names, reason):
    found = folders.scan_labelled(put(*names))
    assert not found.pictures
    assert found.passed_over.keys() == set(names)
    assert reason in folders.refusal(tmp_path, found.passed_over)


def test_parts_are_told_apart_on_request(tmp_path, put):
    put("training/1/a.png", "testing/1/b.png", "val/1/c.png")
    found = folders.scan_labelled(tmp_path, one_part=False)
    assert {picture.path.name: picture.part for picture in found.pictures} == {
        "a.png": "train",
        "b.png": "test",
        "c.png": "validation",
    }


def test_linked_folders_are_read_once(tmp_path, put):
    put("elsewhere/a.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "7").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "elsewhere")
    assert labels(folders.scan_labelled(tmp_path / "set"), tmp_path / "set") == {"7/a.png": 7}


def test_a_missing_folder_is_empty(tmp_path):
    found = folders.scan_labelled(tmp_path / "nowhere")
    assert (found.pictures, found.unlabelled, found.passed_over) == ([], [], {})
