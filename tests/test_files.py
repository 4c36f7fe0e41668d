"""Files are whole or as they were, whatever happens while they are written."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from digits import files, paths

WRITE_FOR_EVER = """
import sys
from pathlib import Path
from digits import files
for turn in range(10**6):
    files.write_text(Path(sys.argv[1]), f"{turn % 10}" * 20_000_000)
"""


def test_a_kill_during_a_save_leaves_a_whole_file(tmp_path):
    path = tmp_path / "big.txt"
    files.write_text(path, "0" * 20_000_000)
    for delay in (0.4, 0.5, 0.6):
        child = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, path], cwd=paths.ROOT / "src")
        time.sleep(delay)
        assert child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
        content = path.read_text(encoding="utf-8")
        assert len(content) == 20_000_000
        assert content == content[0] * 20_000_000


def test_what_a_killed_process_left_is_deleted_later(tmp_path):
    old, new, folder = (tmp_path / f"{files.UNFINISHED}{name}" for name in ("1-a.txt", "2-b.txt", "publishing-3"))
    (folder / "inner").mkdir(parents=True)
    for each in (old, new, tmp_path / ".a.0a1b2c3d.txt"):
        each.write_text("half")
    for each in (old, folder, tmp_path / ".a.0a1b2c3d.txt"):
        os.utime(each, (0, 0))
    link = tmp_path / f"{files.UNFINISHED}link"
    link.symlink_to(tmp_path.parent)
    files.output_folder(tmp_path)
    # Somebody may still be writing what is new, and what has another name isn't ours.
    assert {each.name for each in tmp_path.iterdir()} == {new.name, link.name, ".a.0a1b2c3d.txt"}


def test_a_block_that_fails_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("earlier")

    def fail():
        with files.replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert path.read_text() == "earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]


def test_png_holds_the_image_exactly(tmp_path, some_digits):
    files.write_png(tmp_path / "digit.png", some_digits.images[0])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "digit.png")), some_digits.images[0])


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"digits" * 100_000)
    assert files.sha256(tmp_path / "file") == hashlib.sha256(b"digits" * 100_000).hexdigest()


@pytest.mark.parametrize("name", ["mnist_cnn", "cnn_v1.5", "7", "_", "a..b", "A-1.", "x.json", "x" * 100])
def test_names_of_checkpoints_are_accepted_as_they_are(name):
    assert files.check_name(name, "a name") == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "-dash", "--restart", "/tmp/x", "../x", "a/b", "a\\b", "C:x", "x" * 101),
        *("a\n", "a\nb", "a\0", "a b", "a'b", 'a"b', "<b>a</b>", "a;b", "$(a)", "~a", "*", "é", "١", "a\u202eb"),
        *("a.keras", "a.onnx", "a.skops", "a.npz", ".keras"),
    ],
)
def test_names_that_lead_elsewhere_are_refused_in_one_short_line(name):
    with pytest.raises(ValueError, match="expected a name of up to 100 letters") as raised:
        files.check_name(name, "a name")
    assert len(str(raised.value)) < 250
    assert str(raised.value).isprintable()


def test_output_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="can't write to the output folder"):
        files.output_folder(tmp_path / "file" / "inside")
