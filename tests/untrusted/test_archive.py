"""The zip and the weights in it are checked before anything is unpacked or Keras sees them."""

import io
import struct
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

from digits import untrusted
from digits.untrusted import archive, hdf5
from tests.untrusted.keras_files import CNN, external, members_of, stored, with_weights, zipped

NAMES = ("config.json", "metadata.json", "model.weights.h5")


def test_recompressed_file_is_still_admissible():
    assert archive.unpack(zipped(members_of(), compression=zipfile.ZIP_DEFLATED)) == members_of()


def lying_size(declared: int) -> bytes:
    """The CNN's zip with another size of config.json in its list of members and before the member itself."""
    content = bytearray(zipped({name: members_of()[name] for name in NAMES}, compression=zipfile.ZIP_DEFLATED))
    for signature, offset, name_at in ((b"PK\3\4", 22, 30), (b"PK\1\2", 24, 46)):
        start = content.index(signature)
        assert content[start + name_at : start + name_at + 11] == b"config.json"
        content[start + offset : start + offset + 4] = struct.pack("<I", declared)
    return bytes(content)


def many_members() -> bytes:
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 400_000
    return b"PK\3\4" + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), 4, 0)


def encrypted() -> bytes:
    content = bytearray(zipped(members_of()))
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def link() -> bytes:
    entry = zipfile.ZipInfo("metadata.json")
    entry.external_attr = 0o120777 << 16
    members = members_of()
    return zipped([("config.json", members["config.json"]), (entry, b"/etc/passwd"), ("model.weights.h5", b"")])


def with_member(name: str, content: bytes = b"x") -> bytes:
    return zipped([*members_of().items(), (name, content)])


def without(name: str) -> bytes:
    return zipped({key: value for key, value in members_of().items() if key != name})


def config_of_bytes() -> bytes:
    buffer = io.BytesIO(members_of()["model.weights.h5"])
    with h5py.File(buffer, "a") as file:
        file.attrs.create("model_config", b'{"class_name": "\xff"}', dtype=h5py.string_dtype())
    return buffer.getvalue()


ZIPS = {
    "empty": (lambda: b"", "which is a zip"),
    "PNG": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "isn't a `.keras` file, which is a zip"),
    "pickle": (lambda: b"\x80\x04cos\nsystem\n(S'true'\ntR.", "which is a zip"),
    "weights alone": (lambda: members_of()["model.weights.h5"], "weights without their model"),
    "damaged HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(1000), "can't be read as HDF5"),
    "config that isn't UTF-8": (config_of_bytes, "can't be read as HDF5"),
    "truncated": (lambda: CNN[: len(CNN) // 2], "incomplete"),
    "end alone": (lambda: b"PK\3\4" + CNN[-22:], "can't be unzipped"),
    "damaged": (lambda: CNN[:1000] + b"damage" + CNN[1006:], "can't be unzipped"),
    "with a comment": (lambda: CNN[:-2] + b"\5\0hello", "incomplete"),
    "missing config": (lambda: without("config.json"), "has no config.json"),
    "missing weights": (lambda: without("model.weights.h5"), "has no model.weights.h5"),
    "only a text": (lambda: zipped({"readme.txt": b"hello"}), "also holds 'readme.txt'"),
    "duplicate": (lambda: with_member("config.json", members_of()["config.json"]), "also holds 'config.json'"),
    "absolute path": (lambda: with_member("/etc/cron.d/evil"), "/etc/cron.d/evil"),
    "path upwards": (lambda: with_member("../config.json"), "../config.json"),
    "folder": (lambda: with_member("assets/", b""), "assets/"),
    "vocabulary": (lambda: with_member("assets/vocabulary.txt"), "assets/vocabulary.txt"),
    "weights of another format": (lambda: with_member("model.weights.npz"), "model.weights.npz"),
    "link": (link, "encrypted or a link"),
    "encrypted": (encrypted, "encrypted or a link"),
    "LZMA": (lambda: zipped(members_of(), compression=zipfile.ZIP_LZMA), "a way that Keras doesn't use"),
    "size that lies low": (lambda: lying_size(100), "damaged"),
    "size that lies high": (lambda: lying_size(900_000), "damaged"),
    "size that lies very high": (lambda: lying_size(2**31), "larger than 1 MB"),
    "a list of 400,000 members": (many_members, "too many members"),
}


@pytest.mark.parametrize("case", ZIPS)
def test_odd_zip_is_refused_in_a_sentence(case, no_child):
    make, reason = ZIPS[case]
    content = make()
    tracemalloc.start()
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")) as raised:
        untrusted.check_keras(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    assert len(str(raised.value)) < 200
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("member", "megabytes"), [("config.json", 700), ("metadata.json", 50), ("model.weights.h5", 300)]
)
@pytest.mark.parametrize("lie", [False, True])
def test_bomb_is_refused_without_inflating_it(member, megabytes, lie, no_child):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in members_of().items():
            with file.open(name, "w") as target:
                for _ in range(megabytes if name == member else 0):
                    target.write(bytes(1_000_000))
                target.write(content if name != member else b"")
    content = bytearray(buffer.getvalue())
    if lie:
        size = struct.pack("<I", megabytes * 1_000_000)
        assert content.count(size) >= 1
        content = content.replace(size, struct.pack("<I", 5_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"larger than|damaged"):
        untrusted.check_keras(bytes(content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(content) + 2_000_000


def virtual(file) -> None:
    layout = h5py.VirtualLayout((2400, 10), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (2400, 10))
    del file["layers/dense/vars/0"]
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def linked(target: object):
    def change(file) -> None:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = target

    return change


def circle(file) -> None:
    file["layers/dense/again"] = file["layers"]


def twice(file) -> None:
    file["layers/dense/again"] = file["layers/dense/vars/0"]


def many(file) -> None:
    for number in range(hdf5.HDF5_OBJECTS + 1):
        file.create_group(f"many/{number}")


def not_finite(file) -> None:
    file["layers/dense/vars/0"][5, 5] = np.nan


ARRAYS = {
    "external file": (external, "a way that Keras doesn't use"),
    "virtual": (virtual, "a way that Keras doesn't use"),
    "link to another file": (linked(h5py.ExternalLink("/etc/passwd", "/x")), "contain a link"),
    "soft link": (linked(h5py.SoftLink("/layers/conv2d/vars/0")), "contain a link"),
    # CVE-2026-0897
    "shape bomb": (lambda file: stored((2**20, 2**20), file), "claim more bytes than the file holds"),
    "never written": (lambda file: stored((2400, 10), file), "or not at all"),
    "compressed": (lambda file: stored((2400, 10), file, compression="gzip", data=np.zeros((2400, 10))), "doesn't use"),
    "compressed bomb": (
        lambda file: stored((9_000, 9_000), file, chunks=(9, 9), compression="gzip"),
        "claim more bytes",
    ),
    "chunked": (lambda file: stored((2400, 10), file, chunks=(2400, 10), data=np.zeros((2400, 10))), "doesn't use"),
    "texts": (lambda file: stored((3,), file, dtype=h5py.string_dtype()), "other than plain numbers"),
    "references": (lambda file: stored((3,), file, dtype=h5py.ref_dtype), "other than plain numbers"),
    "compound": (lambda file: stored((3,), file, dtype=[("a", "f4"), ("b", "f4")]), "other than plain numbers"),
    "no shape": (lambda file: linked(h5py.Empty("f4"))(file), "other than plain numbers"),
    "a type": (lambda file: linked(np.dtype("f4"))(file), "something other than arrays"),
    "circle": (circle, "in a cycle"),
    "linked twice": (twice, "in a cycle"),
    "many groups": (many, "too many groups"),
    "not a number": (not_finite, "aren't finite"),
    "fewer than the config": (
        lambda file: linked(np.zeros((240, 10), "f4"))(file),
        "need 135,146 weights, but the file holds 113,546",
    ),
    "an optimiser's instead": (lambda file: file.move("layers", "optimizer"), "but the file holds 0"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_odd_weights_are_refused_in_a_sentence(case):
    change, reason = ARRAYS[case]
    weights = members_of(with_weights(change))["model.weights.h5"]
    tracemalloc.start()
    with pytest.raises(ValueError, match=reason):
        hdf5.check_weights(weights, 135_146)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


# Float32 as HDF5 describes it, from the place of its exponent on.
FLOAT32 = b"\x17\x08\x00\x17\x7f\x00\x00\x00"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89HDF\r\n\x1a\n" + bytes(1000),
        members_of()["model.weights.h5"][:50_000],
        members_of()["model.weights.h5"].replace(FLOAT32, FLOAT32[:-4] + b"\xff\xff\xff\0"),
    ],
)
def test_damaged_weights_are_refused_in_a_sentence(content):
    with pytest.raises(ValueError, match="weights are damaged"):
        hdf5.check_weights(content, 10)
