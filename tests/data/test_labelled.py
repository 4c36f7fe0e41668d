"""Labelled digits in the forms in which people have them: read alike, or refused with what came."""

import gzip
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from digits import corruptions, data
from digits.data import hdf5, labelled
from digits.data.names import WORDS
from digits.data.normalisation import with_light_ink
from digits.untrusted import confinement


@pytest.fixture(scope="module")
def digits(splits) -> data.Digits:
    return splits.validation.first(60)


@pytest.fixture
def without_child(monkeypatch) -> None:
    """HDF5 files are copied by this process instead of a confined one, which is faster."""

    def copy(_module, file, folder, _kind):
        return hdf5.copy(file, folder / "digits.npz")

    monkeypatch.setattr(confinement, "run", copy)


def write_npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def write_hdf5(path: Path, **arrays: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array.astype("S") if array.dtype.kind == "U" else array
    return path


def write_idx(path: Path, array: np.ndarray, code: int = 8) -> Path:
    content = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_csv(path: Path, rows: np.ndarray, header: str = "", delimiter: str = ",") -> Path:
    np.savetxt(path, rows, "%s", delimiter, header=header, comments="", encoding="utf-8")
    return path


def table(digits: data.Digits, last: bool = False) -> np.ndarray:
    columns = [digits.labels[:, None], digits.images.reshape(-1, 784)]
    return np.hstack(columns[::-1] if last else columns).astype(int)


PIXELS = ",".join(f"pixel{number}" for number in range(784))
IMAGE_FORMS = {
    "as MNIST": lambda images: images,
    "flat": lambda images: images.reshape(-1, 784),
    "channel last": lambda images: images[..., None],
    "channel first": lambda images: images[:, None],
    "RGB": lambda images: np.repeat(images[..., None], 3, axis=3),
    "RGB first": lambda images: np.repeat(images[:, None], 3, axis=1),
    "0 to 1": lambda images: (images / 255).astype(np.float32),
    "0 to 1, half": lambda images: (images / 255).astype(np.float16),
    "-1 to 1": lambda images: images / 127.5 - 1,
    "int64": lambda images: images.astype(np.int64),
    "float 0 to 255": lambda images: images.astype(np.float64),
    "16 bits": lambda images: images.astype(np.uint16) * 257,
    "big-endian": lambda images: images.astype(">i4"),
    "not contiguous": lambda images: np.asfortranarray(images),
    "dark on light": lambda images: 255 - images,
    "0 to 1, dark on light": lambda images: 1 - images / 255,
}
LABEL_FORMS = {
    "int64": lambda labels: labels.astype(np.int64),
    "float": lambda labels: labels.astype(float),
    "column": lambda labels: labels[:, None],
    "row": lambda labels: labels[None],
    "one-hot": lambda labels: np.eye(10)[labels],
    "one-hot, bool": lambda labels: np.eye(10, dtype=bool)[labels],
    "text": lambda labels: labels.astype(str),
    "words": lambda labels: np.array(WORDS)[labels],
    "bytes": lambda labels: labels.astype("S"),
}
NAMES = [
    ("x_test", "y_test"),
    ("X", "y"),
    ("images", "labels"),
    ("data", "target"),
    ("test_images", "test_labels"),
    ("Xtrain".replace("t", "_T"), "y_Train"),
    ("testImages", "testLabels"),
]


@pytest.mark.usefixtures("without_child")
@pytest.mark.parametrize("form", IMAGE_FORMS)
@pytest.mark.parametrize("write", [write_npz, write_hdf5])
def test_images_of_every_form_are_the_same(tmp_path, digits, form, write):
    path = write(tmp_path / "digits", x_test=IMAGE_FORMS[form](digits.images), y_test=digits.labels)
    path = path if path.exists() else path.with_name("digits.npz")
    loaded = data.load_labelled(path)
    # Half precision has 11 bits.
    np.testing.assert_allclose(loaded.images.astype(int), digits.images, atol=form.endswith("half"))
    assert loaded.images.dtype == np.uint8
    np.testing.assert_array_equal(loaded.labels, digits.labels)


@pytest.mark.usefixtures("without_child")
@pytest.mark.parametrize("form", LABEL_FORMS)
@pytest.mark.parametrize("write", [write_npz, write_hdf5])
def test_labels_of_every_form_are_the_same(tmp_path, digits, form, write):
    path = write(tmp_path / "digits.npz", x_test=digits.images, y_test=LABEL_FORMS[form](digits.labels))
    loaded = data.load_labelled(str(path))
    np.testing.assert_array_equal(loaded.labels, digits.labels)
    assert loaded.labels.dtype == np.uint8


@pytest.mark.usefixtures("without_child")
@pytest.mark.parametrize("names", NAMES)
def test_arrays_are_found_by_their_names(tmp_path, digits, names):
    arrays = {names[0]: digits.images, names[1]: digits.labels, "target_names": np.array(WORDS), "n": np.zeros(3)}
    for write, name in ((write_npz, "a.npz"), (write_hdf5, "a.h5")):
        np.testing.assert_array_equal(data.load_labelled(write(tmp_path / name, **arrays)).images, digits.images)


def test_groups_of_hdf5_are_parts_and_the_test_part_comes_first(tmp_path, digits):
    half, rest = digits.at(np.arange(30)), digits.at(np.arange(30, 60))
    arrays = {
        "train/data": half.images,
        "train/target": half.labels,
        "test/data": rest.images,
        "test/target": rest.labels,
    }
    read, lines = data.read_labelled(write_hdf5(tmp_path / "a.h5", **arrays))
    np.testing.assert_array_equal(read.images, rest.images)
    assert lines == [f"{tmp_path / 'a.h5'}: 30 test digits, HDF5", "passed over: train: other parts of the data set"]


def test_hdf5_is_read_in_a_process_with_limits(tmp_path, digits, monkeypatch):
    monkeypatch.setitem(confinement.LIMITS, "data set", (50, 20_000_000, 10**6))
    with pytest.raises(ValueError, match=r"a\.h5 can't be read: it needs too much memory"):
        data.load_labelled(write_hdf5(tmp_path / "a.h5", x=digits.images, y=digits.labels))


@pytest.mark.parametrize(
    ("header", "last", "delimiter"),
    [
        (f"label,{PIXELS}", False, ","),
        (f"{PIXELS},class", True, ","),
        ("", False, ","),
        ("", True, ","),
        ("", False, ";"),
    ],
)
def test_csv_with_and_without_headings(tmp_path, digits, header, last, delimiter):
    path = write_csv(tmp_path / "train.csv", table(digits, last), header, delimiter)
    for file in (path, tmp_path / "train.csv.gz"):
        file.write_bytes(path.read_bytes() if file == path else gzip.compress(path.read_bytes()))
        loaded = data.load_labelled(file)
        np.testing.assert_array_equal(loaded.images, digits.images)
        np.testing.assert_array_equal(loaded.labels, digits.labels)


def test_csv_with_row_numbers_words_and_fractions(tmp_path, digits):
    rows = [
        [str(number), *(f"{pixel / 255:.6g}" for pixel in image.ravel()), WORDS[label]]
        for number, (image, label) in enumerate(zip(digits.images, digits.labels, strict=True))
    ]
    path = write_csv(tmp_path / "mine.csv", np.array(rows), f"id,{PIXELS},label")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    loaded = data.load_labelled(path)
    np.testing.assert_array_equal(loaded.images, digits.images)
    np.testing.assert_array_equal(loaded.labels, digits.labels)


@pytest.mark.parametrize("header", ["", f"label,{PIXELS}"])
@pytest.mark.parametrize(
    "change",
    [
        lambda row: row + ",0",
        lambda row: row[:-2],
        lambda row: "a" + row,
        lambda row: row[1:],
        lambda row: row[:-1] + "true",
        lambda row: row.replace(",0,", ",,", 1),
    ],
)
def test_csv_with_a_row_of_another_kind_is_refused(tmp_path, digits, header, change):
    path = write_csv(tmp_path / "a.csv", table(digits), header)
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:5], change(rows[5]), *rows[6:]]))
    with pytest.raises(ValueError, match=r"a\.csv"):
        data.load_labelled(path)


@pytest.mark.parametrize("suffix", ["-images-idx3-ubyte", "-images-idx3-ubyte.gz", "-images.idx3-ubyte"])
def test_idx_file_is_read_with_the_labels_beside_it(tmp_path, digits, suffix):
    images = write_idx(tmp_path / f"t10k{suffix}", digits.images)
    labels = write_idx(tmp_path / f"t10k{suffix.replace('images', 'labels').replace('idx3', 'idx1')}", digits.labels)
    write_idx(tmp_path / "train-labels-idx1-ubyte", digits.labels[::-1].copy())
    for path in (images, labels, tmp_path):
        loaded = data.load_labelled(path)
        np.testing.assert_array_equal(loaded.images, digits.images)
        np.testing.assert_array_equal(loaded.labels, digits.labels)


def test_idx_of_other_numbers_and_pairs_of_npy(tmp_path, digits):
    write_idx(tmp_path / "my-images.idx", (digits.images / 255).astype(">f4"), 13)
    write_idx(tmp_path / "my-labels.idx", digits.labels.astype(">i4"), 12)
    np.save(tmp_path / "x_test.npy", digits.images)
    np.save(tmp_path / "y_test.npy", digits.labels)
    for name in ("my-images.idx", "x_test.npy"):
        loaded = data.load_labelled(tmp_path / name)
        np.testing.assert_array_equal(loaded.images, digits.images)
        np.testing.assert_array_equal(loaded.labels, digits.labels)


def test_folder_of_files_has_the_parts_that_their_names_say(tmp_path, digits):
    write_csv(tmp_path / "train.csv", table(digits), f"label,{PIXELS}")
    write_csv(tmp_path / "test.csv", table(digits)[:, 1:], PIXELS)
    write_csv(tmp_path / "sample_submission.csv", np.array([[1, 0]]), "ImageId,Label")
    read, lines = data.read_labelled(tmp_path)
    np.testing.assert_array_equal(read.labels, digits.labels)
    assert any("test.csv: no labels" in line for line in lines)
    with pytest.raises(ValueError, match=r"expected labels for the pixels in .*test\.csv as a column called label"):
        data.load_labelled(tmp_path / "test.csv")


def test_a_folder_with_several_files_is_ambiguous_unless_their_names_say_the_parts(tmp_path, digits):
    for name in ("train.npz", "test.npz"):
        write_npz(tmp_path / name, images=digits.images, labels=np.roll(digits.labels, name == "test.npz"))
    np.testing.assert_array_equal(data.load_labelled(tmp_path).labels, np.roll(digits.labels, 1))
    (tmp_path / "test.npz").rename(tmp_path / "train.h5")
    with pytest.raises(ValueError, match=r"several files in .* may be the train digits"):
        data.load_labelled(tmp_path)
    (tmp_path / "train.h5").rename(tmp_path / "a.npz")
    (tmp_path / "train.npz").rename(tmp_path / "b.npz")
    with pytest.raises(ValueError, match=r"found none.*name one of its files, such as .*a\.npz"):
        data.load_labelled(tmp_path)
    (tmp_path / "a.npz").unlink()
    np.testing.assert_array_equal(data.load_labelled(tmp_path).labels, digits.labels)


def test_how_a_set_was_read_is_said_in_a_line(tmp_path, digits):
    path = write_npz(tmp_path / "a.npz", X=1 - digits.images[..., None] / 255, y=np.eye(10)[digits.labels])
    assert data.read_labelled(path)[1] == [
        f"{path}: 60 digits, .npz, one channel, pixels from 0 to 1, one-hot labels, dark ink on light paper, inverted"
    ]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (lambda x, y: {"x_test": x[:, :20], "y_test": y}, r"as x_test in .*npz, got uint8 \(60, 20, 28\)"),
        (lambda x, y: {"x_test": x[0], "y_test": y}, r"x_test .* got uint8 \(28, 28\)"),
        (lambda x, y: {"x_test": x[:0], "y_test": y[:0]}, r"x_test .* got uint8 \(0, 28, 28\)"),
        (lambda x, y: {"x_test": x.astype("S"), "y_test": y}, r"x_test .* got \|S3 \(60, 28, 28\)"),
        (lambda x, y: {"x_test": x.astype(complex), "y_test": y}, r"x_test .* got complex128"),
        (
            lambda x, y: {"x_test": np.stack([x, x, x // 2], 3), "y_test": y},
            r"grey images .* \(60, 28, 28, 3\) of colour",
        ),
        (lambda x, y: {"x_test": x / 255 * np.nan, "y_test": y}, "x_test .* float64 .* with NaN"),
        (
            lambda x, y: {"x_test": (x / 255 - 0.1307) / 0.3081, "y_test": y},
            "float64 .* from -0.42.* to 2.8.*standardised",
        ),
        (lambda x, y: {"x_test": x // 16, "y_test": y}, "from 0 to 15; .* scale them"),
        (lambda x, y: {"x_test": x * 0, "y_test": y}, "from 0 to 0"),
        (lambda x, y: {"x_test": x, "y_test": y[:5]}, r"expected 60 labels .* as y_test in .*, got uint8 \(5,\)"),
        (lambda x, y: {"x_test": x, "y_test": y + 1}, r"got uint8 \(60,\) from 1 to 10"),
        (lambda x, y: {"x_test": x, "y_test": y > 4}, r"y_test .* got bool \(60,\)"),
        (lambda x, y: {"x_test": x, "y_test": y + 0.5}, r"y_test .* got float64 \(60,\) from 0.5"),
        (
            lambda x, y: {"x_test": x, "y_test": np.eye(10)[y] * 0.9},
            r"y_test .* got float64 \(60, 10\) that isn't one-hot",
        ),
        (lambda x, y: {"x_test": x, "y_test": np.eye(11)[y]}, r"y_test .* got float64 \(60, 11\)"),
        (
            lambda x, y: {"x_test": x, "y_test": np.char.add("n", y.astype(str))},
            r"y_test .* got <U4 \(60,\), such as 'n",
        ),
        (
            lambda x, y: {"x_test": x, "y_test": np.full(60, 2**31 - 1, "<u4").view("<U1")},
            r"y_test .* got <U1 \(60,\)",
        ),
        (lambda x, y: {"images": x, "answers": y}, "expected labels for images in .* as y or labels in"),
        (lambda x, y: {"arr_0": x, "arr_1": y}, r"x_test and y_test, .* holds arr_0 \(uint8 \(60, 28, 28\)\), arr_1"),
        (lambda x, y: {"images": x, "data": x, "target": y}, "images and data in .* may each be the images"),
    ],
)
def test_what_is_refused_is_named_with_its_dtype_and_shape(tmp_path, digits, arrays, words):
    with pytest.raises(ValueError, match=words):
        data.load_labelled(write_npz(tmp_path / "a.npz", **arrays(digits.images, digits.labels)))


def test_file_that_would_take_too_much_memory_is_refused_before_it_is_read(tmp_path, monkeypatch, digits):
    path = tmp_path / "large.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x_test.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (10**5, 28, 28)})
        for _ in range(784):
            member.write(bytes(10**5))
    monkeypatch.setattr("digits.data.numpy_files.LARGEST_BYTES", 50_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"large\.npz would need 0\.1 GB, with x_test as uint8 \(100000, 28, 28\)"):
        data.load_labelled(path)
    monkeypatch.setattr("digits.data.numpy_files.LARGEST_BYTES", 10_000)
    for write, name in ((write_npz, "a.npz"), (write_hdf5, "a.h5")):
        with pytest.raises(ValueError, match=r"would need .* with x as uint8"):
            data.load_labelled(write(tmp_path / name, x=digits.images, y=digits.labels))
    with pytest.raises(ValueError, match="would need"):
        data.load_labelled(write_idx(tmp_path / "images.idx.gz", digits.images))


@pytest.mark.usefixtures("without_child")
@pytest.mark.parametrize("name", ["a.npz", "a.h5", "images.idx", "images.idx.gz", "a.csv", "a.csv.gz", "x_test.npy"])
def test_damaged_files_are_refused_in_a_sentence(tmp_path, digits, name, rng):
    path = tmp_path / name
    match name:
        case "a.npz":
            np.savez_compressed(path, x=digits.images, y=digits.labels)
        case "a.h5":
            write_hdf5(path, x=digits.images, y=digits.labels)
        case "x_test.npy":
            np.save(path, digits.images)
            np.save(tmp_path / "y_test.npy", digits.labels)
        case "a.csv" | "a.csv.gz":
            write_csv(path, table(digits), f"label,{PIXELS}")
        case _:
            write_idx(path, digits.images)
            write_idx(tmp_path / "labels.idx", digits.labels)
    whole = path.read_bytes()
    data.load_labelled(path)
    for _ in range(60):
        changed = np.frombuffer(whole, np.uint8).copy()
        changed[rng.integers(0, min(len(whole), 600), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(changed[: rng.integers(0, len(whole) + 1)].tobytes())
        with suppress(ValueError):
            assert data.load_labelled(path).images.shape[1:] == (28, 28)


def test_pickles_are_never_opened(tmp_path, digits):
    path = tmp_path / "a.npz"
    np.savez(path, x=digits.images, y=np.array([print] * 60, object))
    with pytest.raises(ValueError, match=r"not a valid \.npz"):
        data.load_labelled(path)


def test_labels_without_images_and_unknown_files_are_refused(tmp_path, digits):
    with pytest.raises(FileNotFoundError, match="no folder or file"):
        data.load_labelled(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="pictures in folders 0 to 9"):
        data.load_labelled(tmp_path)
    with pytest.raises(ValueError, match="no file of images beside it"):
        data.load_labelled(write_idx(tmp_path / "t10k-labels-idx1-ubyte", digits.labels))
    with pytest.raises(ValueError, match=r"expected labels for .* named labels instead of images"):
        data.load_labelled(write_idx(tmp_path / "train-images-idx3-ubyte", digits.images))
    for name, content in (("a.pkl", b"\x80\4."), ("a.mat", b"MATLAB 5.0"), ("a.txt", b"hello\n"), ("a.npz", b"PK\5\6")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}"):
            data.load_labelled(tmp_path / name)


@pytest.mark.parametrize("name", ["fog", "brightness", "stripe", "gaussian_noise", "translate", "thicker", "spatter"])
def test_corrupted_digits_keep_their_polarity(some_digits, name):
    corrupted = corruptions.corrupt(some_digits.images[:200], name, 5, seed=0)
    assert with_light_ink(corrupted)[0] is corrupted


def test_a_single_dark_digit_is_enough_and_a_mixture_is_said(digits):
    for image in digits.images[:20]:
        np.testing.assert_array_equal(with_light_ink(255 - image[None])[0], image[None])
    mixed = digits.images.copy()
    mixed[::3] = 255 - mixed[::3]
    found, said = with_light_ink(mixed)
    assert found is mixed
    assert "of both polarities (33% dark ink" in said


def test_folder_of_digits_is_read_in_order_with_its_labels(tmp_path, some_digits):
    for index in range(20):
        folder = tmp_path / str(some_digits.labels[index])
        folder.mkdir(exist_ok=True)
        Image.fromarray(255 - some_digits.images[index]).save(folder / f"{index:02}.{'png' if index % 2 else 'JPG'}")
    (tmp_path / "3").mkdir(exist_ok=True)
    (tmp_path / "3" / "notes.txt").write_text("not an image")
    (tmp_path / "3" / "torn.png").write_text("not an image")
    loaded, lines = data.read_labelled(tmp_path)
    assert np.array_equal(loaded.labels, np.sort(some_digits.labels[:20]))
    assert loaded.images.shape == (20, 28, 28)
    missing = ", ".join(str(digit) for digit in range(10) if digit not in loaded.labels)
    assert lines[0] == f"{tmp_path}: 20 digits, images of digits" + f", none of {missing}" * bool(missing)
    assert lines[1] == "passed over: 3/notes.txt: not an image"
    assert lines[2].startswith("passed over: 3/torn.png: not a valid PNG")


def test_each_class_of_pictures_may_be_missing_but_not_all_pictures(tmp_path):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "torn.png").write_text("not an image")
    with pytest.raises(ValueError, match=r"found none; passed over 3/torn\.png: not a valid"):
        data.load_labelled(tmp_path)
    assert labelled.find_parts(tmp_path).parts.keys() == {""}
