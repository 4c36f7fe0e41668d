"""Real digits drawn large: kept once, read back as recognisers read them; nothing outside the collection is touched."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import data, files, preprocess
from digits.handwriting import collection
from tests.support import digit_counts, folder_bytes


def drawn(digit: np.ndarray, side: int = 280) -> np.ndarray:
    """A digit as someone draws it: dark on light, and large."""
    return 255 - cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def drawing(some_digits) -> np.ndarray:
    return drawn(some_digits.images[0])


def test_drawings_come_back_as_labelled_digits(some_digits, tmp_path):
    """What the recognisers read is what preparing each drawing gives, and near MNIST's own image."""
    digits = some_digits.first(60)
    for image, label in zip(digits.images, digits.labels, strict=True):
        path = collection.save(drawn(image), int(label), tmp_path)
        assert path.parent == tmp_path / str(label)
        np.testing.assert_array_equal(np.asarray(Image.open(path)), drawn(image))
    found = data.load_labelled(tmp_path)
    assert digit_counts(tmp_path) == np.bincount(digits.labels, minlength=10).tolist()
    np.testing.assert_array_equal(np.sort(found.labels), np.sort(digits.labels))
    expected = {preprocess.prepare(drawn(image)).image.tobytes() for image in digits.images}
    assert {image.tobytes() for image in found.images} == expected
    listed = {entry.path: entry for entry in collection.entries(tmp_path)}
    assert {entry.image.tobytes() for entry in listed.values()} == expected
    assert not any(entry.problem for entry in listed.values())


def test_saving_twice_keeps_one(drawing, tmp_path):
    first = collection.save(drawing, 3, tmp_path)
    before = first.stat().st_mtime_ns
    assert collection.save(np.asfortranarray(drawing), np.uint8(3), tmp_path) == first
    assert first.stat().st_mtime_ns == before
    assert digit_counts(tmp_path) == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_the_name_tells_pixels_and_shape_apart(drawing, tmp_path):
    changed = drawing.copy()
    changed[0, 0] -= 1
    reshaped = drawing.reshape(392, 200)
    assert len({collection.save(each, 3, tmp_path).name for each in (drawing, changed, reshaped)}) == 3


def test_a_drawing_is_kept_as_one_digit_only(drawing, tmp_path):
    path = collection.save(drawing, 3, tmp_path)
    with pytest.raises(ValueError, match=rf"already saved as a 3 \(3/{path.name}\)"):
        collection.save(drawing, 5, tmp_path)
    assert sum(digit_counts(tmp_path)) == 1
    collection.remove(path.name, 3, tmp_path)
    assert collection.save(drawing, 5, tmp_path).parent.name == "5"


@pytest.mark.parametrize("side", [401, 900, 1555])
def test_a_large_picture_is_kept_small_and_means_the_same(some_digits, tmp_path, side):
    picture = drawn(some_digits.images[1], side)[: side - 40]
    path = collection.save(picture, 4, tmp_path)
    assert max(np.asarray(Image.open(path)).shape) == preprocess.WORKING_SIDE
    (entry,) = collection.entries(tmp_path)
    np.testing.assert_array_equal(entry.image, preprocess.prepare(picture).image)
    assert collection.save(picture, 4, tmp_path) == path


@pytest.mark.parametrize("digit", [-1, 10, 3.5, "3", "../3", None, float("nan")])
def test_what_is_no_digit_is_refused(drawing, tmp_path, digit):
    with pytest.raises(ValueError, match="expected a digit from 0 to 9"):
        collection.save(drawing, digit, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("digit", [3.0, np.int64(3)])
def test_a_digit_of_another_type_comes_to_the_same_folder(drawing, tmp_path, digit):
    collection.save(drawing, digit, tmp_path)
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["3"]


@pytest.mark.parametrize(
    "drawing",
    [
        np.zeros((280, 280), np.float32),
        np.zeros((280, 280, 3), np.uint8),
        np.zeros((0, 280), np.uint8),
        np.zeros(280, np.uint8),
        [[0, 255]],
        "drawing.png",
    ],
)
def test_what_is_no_grey_picture_is_refused(tmp_path, drawing):
    with pytest.raises(ValueError, match=r"expected a drawing as uint8 \(height, width\)"):
        collection.save(drawing, 3, tmp_path)


@pytest.mark.parametrize("shape", [(280, 280), (1, 1), (1, 2000), (2000, 1)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_is_refused(tmp_path, shape, level):
    with pytest.raises(ValueError, match="nothing is drawn"):
        collection.save(np.full(shape, level, np.uint8), 3, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_full_collection_refuses(some_digits, tmp_path, monkeypatch):
    monkeypatch.setattr(collection, "LARGEST_COUNT", 3)
    first = [collection.save(drawn(some_digits.images[place]), place, tmp_path) for place in range(3)]
    with pytest.raises(ValueError, match="the collection is full: it has 3 pictures"):
        collection.save(drawn(some_digits.images[3]), 3, tmp_path)
    # One that is kept takes no room.
    assert collection.save(drawn(some_digits.images[0]), 0, tmp_path) == first[0]
    collection.remove(first[1].name, 1, tmp_path)
    collection.save(drawn(some_digits.images[3]), 3, tmp_path)


def test_entries_are_ordered_by_digit_and_then_by_time(some_digits, tmp_path):
    saved = [collection.save(drawn(some_digits.images[turn]), (7, 2)[turn % 2], tmp_path) for turn in range(8)]
    assert [entry.path for entry in collection.entries(tmp_path)] == saved[1::2] + saved[::2]


def test_a_missing_folder_is_an_empty_collection(tmp_path):
    assert collection.entries(tmp_path / "none") == []
    assert digit_counts(tmp_path / "none") == [0] * 10
    with pytest.raises(ValueError, match="there is no picture"):
        collection.remove("a.png", 3, tmp_path / "none")


def test_files_that_cannot_be_read_are_listed_with_the_reason(drawing, tmp_path):
    good = collection.save(drawing, 3, tmp_path)
    (good.parent / "half.png").write_bytes(good.read_bytes()[:300])
    (good.parent / "text.jpg").write_text("not an image")
    (good.parent / "empty.png").touch()
    (good.parent / "gone.png").symlink_to(tmp_path / "nowhere.png")
    Image.new("L", (50, 50), 255).save(good.parent / "blank.PNG")
    found = {entry.path.name: entry for entry in collection.entries(tmp_path)}
    assert set(found) == {good.name, "half.png", "text.jpg", "empty.png", "gone.png", "blank.PNG"}
    assert digit_counts(tmp_path)[3] == 6
    assert found.pop(good.name).problem == ""
    assert found["blank.PNG"].problem == "nothing is drawn on it"
    for name in ("half.png", "text.jpg", "empty.png"):
        assert found[name].problem.startswith("not a valid PNG")
    assert "no image" in found["gone.png"].problem
    for name, entry in found.items():
        assert entry.image is None
        collection.remove(name, 3, tmp_path)
    assert [entry.path for entry in collection.entries(tmp_path)] == [good]


def test_only_pictures_of_digits_are_listed(drawing, tmp_path):
    path = collection.save(drawing, 3, tmp_path)
    (tmp_path / "README.md").write_text("how to add your own")
    (path.parent / "notes.txt").write_text("mine")
    for stray in (
        path.with_name(f".{path.name}"),
        tmp_path / "10" / "a.png",
        tmp_path / "03" / "a.png",
        tmp_path / "a.png",
    ):
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(path.read_bytes())
    assert [entry.path for entry in collection.entries(tmp_path)] == [path]


def test_a_file_that_changed_is_read_again(some_digits, tmp_path):
    path = collection.save(drawn(some_digits.images[0]), 3, tmp_path)
    (before,) = collection.entries(tmp_path)
    assert before.image is before.image
    assert not before.image.flags.writeable
    Image.fromarray(drawn(some_digits.images[1])).save(path)
    (after,) = collection.entries(tmp_path)
    np.testing.assert_array_equal(after.image, preprocess.prepare(drawn(some_digits.images[1])).image)


@pytest.mark.parametrize("digit", [3, 4, "3", "..", None])
@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "*", "*.png", "../4/kept.png", "/etc/hostname", "kept", "KEPT.png", "notes.txt", "kept.png\0"],
)
def test_nothing_but_an_entry_can_be_removed(drawing, tmp_path, name, digit):
    folder = tmp_path / "my_digits"
    collection.save(drawing, 3, folder).rename(folder / "3" / "kept.png")
    (folder / "4").mkdir()
    for other in (folder / "3" / "notes.txt", folder / "secret.png", tmp_path / "outside.png"):
        other.write_text("keep me")
    (folder / "4" / "kept.png").write_bytes(b"keep me")
    before = folder_bytes(tmp_path)
    for tried in (name, f"../../{name}", str(folder / "3" / "kept.png"), "../secret.png", "../../outside.png"):
        with pytest.raises(ValueError, match="there is no picture"):
            collection.remove(tried, digit, folder)
    assert folder_bytes(tmp_path) == before


def test_removing_takes_one_file_of_its_digit(drawing, some_digits, tmp_path):
    path, other = collection.save(drawing, 3, tmp_path), collection.save(drawn(some_digits.images[1]), 3, tmp_path)
    with pytest.raises(ValueError, match=f"there is no picture '{path.name}' of a 4"):
        collection.remove(path.name, 4, tmp_path)
    collection.remove(path.name, 3, tmp_path)
    with pytest.raises(ValueError, match="there is no picture"):
        collection.remove(path.name, 3, tmp_path)
    assert set(folder_bytes(tmp_path)) == {f"3/{other.name}"}


@pytest.mark.parametrize("blocked", ["my_digits", "my_digits/3"])
def test_a_folder_that_cannot_be_written_is_an_error_in_words(drawing, tmp_path, blocked):
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_text("a file in its place")
    with pytest.raises(ValueError, match="can't write to the output folder"):
        collection.save(drawing, 3, tmp_path / "my_digits")
    assert collection.entries(tmp_path / "my_digits") == []


def test_a_save_that_fails_leaves_nothing(drawing, tmp_path, monkeypatch):
    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        collection.save(drawing, 3, tmp_path)
    assert folder_bytes(tmp_path) == {}


def test_a_collection_that_another_process_is_changing_is_waited_for(drawing, tmp_path, monkeypatch):
    holder = (
        "import sys; from pathlib import Path; from digits import files\nwith files.locked(Path(sys.argv[1]), ''): "
    )
    wait = "print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holder + wait, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdin
        assert other.stdout.readline() == "held\n"
        with monkeypatch.context() as patient:
            patient.setattr(collection, "CHANGING", 0.1)
            for change in (
                lambda: collection.save(drawing, 3, tmp_path),
                lambda: collection.remove("a.png", 3, tmp_path),
            ):
                with pytest.raises(ValueError, match="another process is writing"):
                    change()
        threading.Timer(0.2, other.stdin.close).start()
        collection.save(drawing, 3, tmp_path)
    assert len(collection.entries(tmp_path)) == 1


def test_many_threads_save_and_list_at_once(some_digits, tmp_path, monkeypatch):
    """Eight threads keep the same drawings, every second one as another digit: each is kept once, as one of the two."""
    drawings = [drawn(image, 56) for image in some_digits.images[:20]]
    gate, refused, surprises = threading.Barrier(8), [], []
    write = files.write_png

    def write_slowly(path: Path, image: np.ndarray) -> None:
        time.sleep(0.005)
        write(path, image)

    monkeypatch.setattr(files, "write_png", write_slowly)

    def visit(number: int) -> None:
        gate.wait()
        try:
            for place, drawing in enumerate(drawings):
                try:
                    collection.save(drawing, place % 5 + 5 * (number % 2), tmp_path)
                except ValueError as error:
                    refused.append(str(error))
                assert not any(entry.problem for entry in collection.entries(tmp_path))
        except BaseException as error:
            surprises.append(error)

    visitors = [threading.Thread(target=visit, args=[number]) for number in range(8)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert not surprises
    assert len(refused) == 4 * len(drawings)
    assert all("already" in message for message in refused)
    names = [entry.path.name for entry in collection.entries(tmp_path)]
    assert len(names) == len(set(names)) == len(drawings)
    assert len(folder_bytes(tmp_path)) == len(drawings)
