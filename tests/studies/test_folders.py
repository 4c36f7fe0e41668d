"""A study deletes and writes folders of its own runs alone, whatever lies where they belong."""

import json
import shutil

import pytest

from digits.studies import runner
from digits.studies.declaration import Study, StudyRun
from digits.studies.runner import Workspace
from tests.support import assert_one_line_error, folder_bytes

STUDY = Study("s", "s", "validation", (0, 1), {"plain": ("train_mlp", {}), "other": ("train_cnn", {})}, {})


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "out")


@pytest.fixture
def precious(tmp_path):
    """A folder of somebody's, which looks like a finished run."""
    folder = tmp_path / "precious"
    folder.mkdir()
    for name in ("run.json", "plain.json", "answers.npz", "thesis.tex"):
        (folder / name).write_text("years of work")
    return folder


def make_run(workspace: Workspace, name: str = "plain-0"):
    folder = workspace.folder / "runs" / name
    folder.mkdir(parents=True)
    for file in ("run.json", "plain.json", "answers.npz"):
        (folder / file).write_text("a run's")
    return folder


def test_restarting_deletes_the_declared_runs_alone(workspace):
    ours, others = make_run(workspace), make_run(workspace, "plain-7")
    (ours / "plain").mkdir()
    (ours / "plain" / "state.keras").write_text("half of a training")
    runner.clear(STUDY, workspace)
    assert [folder.name for folder in (workspace.folder / "runs").iterdir()] == ["plain-7"]
    assert len(folder_bytes(others)) == 3
    runner.clear(STUDY, workspace)


@pytest.mark.parametrize("variant", ["/tmp/x/thesis", "../x", "..", "a/../../x", "", ".", "x\n", "~"])
def test_a_run_has_no_name_that_leads_elsewhere(variant):
    with pytest.raises(ValueError, match="expected a variant's name"):
        StudyRun(variant, 0, "train_mlp", {})


@pytest.mark.parametrize(
    "command", [runner.clear, runner.run, lambda *both: runner.adopt(*both, both[1].folder / "kept")]
)
def test_a_link_in_a_runs_place_is_neither_followed_nor_removed(command, workspace, precious):
    make_run(workspace)
    link = workspace.folder / "runs" / "other-1"
    link.symlink_to(precious, target_is_directory=True)
    before = folder_bytes(workspace.folder / "runs"), folder_bytes(precious)
    with pytest.raises(ValueError, match="other-1 is a link"):
        command(Study("s", "s", "validation", (1,), {"other": ("train_mlp", {})}, {}), workspace)
    assert link.is_symlink()
    assert (folder_bytes(workspace.folder / "runs"), folder_bytes(precious)) == before


@pytest.mark.parametrize("command", [runner.clear, runner.run])
def test_a_link_in_place_of_all_runs_is_neither_followed_nor_removed(command, workspace, tmp_path):
    elsewhere = Workspace(tmp_path / "elsewhere")
    before = folder_bytes(make_run(elsewhere))
    workspace.folder.mkdir()
    (workspace.folder / "runs").symlink_to(elsewhere.folder / "runs", target_is_directory=True)
    with pytest.raises(ValueError, match="runs is a link"):
        command(STUDY, workspace)
    assert folder_bytes(elsewhere.folder / "runs" / "plain-0") == before
    assert [each.name for each in (elsewhere.folder / "runs").iterdir()] == ["plain-0"]


def test_restarting_deletes_nothing_where_one_folder_is_not_a_runs(workspace, precious):
    first = make_run(workspace)
    (precious / "run.json").unlink()
    shutil.copytree(precious, workspace.folder / "runs" / "other-1")
    before = folder_bytes(workspace.folder)
    for command in (runner.clear, runner.run):
        with pytest.raises(ValueError, match=r"other-1, got something without a run\.json; move it away"):
            command(Study("s", "s", "validation", (1,), {"other": ("train_mlp", {})}, {}), workspace)
    with pytest.raises(ValueError, match="other-1"):
        runner.clear(STUDY, workspace)
    assert first.is_dir()
    assert folder_bytes(workspace.folder) == before


def test_a_file_in_a_runs_place_stays(workspace):
    (workspace.folder / "runs").mkdir(parents=True)
    (workspace.folder / "runs" / "plain-0").write_text("a note")
    for command in (runner.clear, runner.run):
        with pytest.raises(ValueError, match="plain-0, got something without"):
            command(STUDY, workspace)
    assert (workspace.folder / "runs" / "plain-0").read_text() == "a note"


def test_kept_runs_are_written_through_no_link(workspace, precious, tmp_path):
    make_run(workspace)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "plain-0").symlink_to(precious, target_is_directory=True)
    before = folder_bytes(precious)
    with pytest.raises(ValueError, match="plain-0 is a link"):
        runner.keep(STUDY, workspace, tmp_path / "kept")
    assert folder_bytes(precious) == before


def test_what_is_kept_without_a_run_json_is_not_taken_over(workspace, precious, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(precious, kept / "plain-0")
    shutil.copytree(precious, kept / "other-0")
    (kept / "plain-0" / "run.json").unlink()
    runner.adopt(STUDY, workspace, kept)
    assert [folder.name for folder in (workspace.folder / "runs").iterdir()] == ["other-0"]
    assert folder_bytes(workspace.folder / "runs" / "other-0") == folder_bytes(precious)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b""])
def test_a_damaged_run_json_is_another_recipes(workspace, content):
    (make_run(workspace) / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match="plain-0 holds a run with other options"):
        runner.run(STUDY, workspace)


def test_a_variant_that_names_a_folder_deletes_nothing_from_the_shell(run_script, tmp_path):
    thesis = tmp_path / "x" / "thesis-0"
    thesis.mkdir(parents=True)
    (thesis / "run.json").write_text("years of work")
    path = tmp_path / "evil.toml"
    for name in (str(tmp_path / "x" / "thesis"), "../../x/thesis"):
        path.write_text(
            'description = "d"\nscored_on = "validation"\nseeds = [0]\n'
            f'[variants.{json.dumps(name)}]\ntrainer = "train_mlp"\n'
        )
        for arguments in (["--restart"], []):
            process = run_script("run_study", path, "--output-dir", tmp_path / "out", *arguments, check=False)
            assert_one_line_error(process, "expected a variant's name of up to 100 letters")
    assert folder_bytes(tmp_path / "x") == {"thesis-0/run.json": b"years of work"}
