"""The one scanner of image folders: what counts as an image, in which order, and what is ignored."""

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
    for path in ("a.png", "more/b.png", "more/deep/c.gif", "more/deep/d.png", ".git/e.png", "more/.trash/f.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert names(folders.scan(tmp_path, recursive=True)) == (["a.png", "b.png", "d.png"], ["c.gif"])
    assert names(folders.scan(tmp_path)) == (["a.png"], ["more"])


def test_a_folder_whose_own_name_is_hidden_is_read(tmp_path):
    (tmp_path / ".pictures").mkdir()
    (tmp_path / ".pictures" / "a.png").touch()
    assert names(folders.scan(tmp_path / ".pictures", recursive=True)) == (["a.png"], [])


def test_classes_are_the_subfolders_0_to_9_and_a_missing_folder_is_empty(tmp_path):
    for path in ("0/a.png", "9/b.png", "9/c.txt", "10/d.png", "sample/1/e.png", "f.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    scans = folders.scan_classes(tmp_path)
    assert [len(scan.images) for scan in scans] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert names(scans[9]) == (["b.png"], ["c.txt"])
    assert all(names(scan) == ([], []) for scan in folders.scan_classes(tmp_path / "nowhere"))
