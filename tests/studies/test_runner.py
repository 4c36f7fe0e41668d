"""Studies: what is declared is what runs, once; means, intervals and tests against SciPy and closed forms."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from digits import corruptions, data, evaluation, paths
from digits.checkpoints import cards, recognizer
from digits.studies import declaration, plots, release, report, runner, tables
from digits.studies import results as study_results
from digits.studies.declaration import Study, StudyRun
from digits.studies.results import Results
from digits.studies.runner import FinishedRun, Workspace
from tests.support import assert_one_line_error

DECLARED = """
description = "Two ways"
scored_on = "validation"
seeds = [1, 0]

[shared]
trainer = "train_mlp"
epochs = 3

[variants.plain]

[variants.other]
trainer = "train_advanced"
leave_out = ["noise", "blur"]
"""


@pytest.fixture
def declare(tmp_path):
    def declare(text: str) -> Study:
        path = tmp_path / "two_ways.toml"
        path.write_text(text, encoding="utf-8")
        return declaration.read(path)

    return declare


@pytest.fixture
def trained(monkeypatch, splits) -> list[str]:
    """Trainings are a copy of a shipped model, and there are 60 digits; the names of the runs that were trained."""
    done = []
    few = replace(splits, validation=splits.validation.first(60))
    monkeypatch.setattr(data, "load_splits", lambda _: few)

    def train(run: StudyRun, scored_on: str, workspace: Workspace) -> None:
        source = "mnist_mlp" if run.seed else "mnist_logistic"
        card = cards.read(paths.MODELS / f"{source}.json")
        for kind in ("checkpoint", "export"):
            suffix = card[kind]["file"].removeprefix(source)
            shutil.copy(paths.MODELS / card[kind]["file"], workspace.run_folder(run) / f"{run.variant}{suffix}")
            card[kind]["file"] = run.variant + suffix
        cards.write(workspace.run_folder(run) / f"{run.variant}.json", card | {"name": run.variant})
        done.append(run.name)

    monkeypatch.setattr(runner, "_train", train)
    return done


def test_runs_are_trained_once_and_scored_as_the_sweep_does(declare, trained, tmp_path, splits):
    declared, workspace = declare(DECLARED), Workspace(tmp_path / "out")
    finished = runner.run(declared, workspace)
    assert trained == ["plain-0", "other-0", "plain-1", "other-1"]
    expected = evaluation.evaluate(recognizer.load("mnist_mlp"), splits.validation.first(60))
    np.testing.assert_array_equal(finished[2].correct[0], expected.correct)
    assert finished[2].ece[0] == pytest.approx(expected.scores()["ece"])
    assert finished[2].correct.shape == (16, 60)
    # More seeds go on with what there is; one lost score is all that is done again.
    (workspace.folder / "runs" / "other-1" / "answers.npz").unlink()
    again = runner.run(declare(DECLARED.replace("[1, 0]", "[0, 1, 2]")), workspace)
    assert trained[4:] == ["plain-2", "other-2"]
    np.testing.assert_array_equal(again[3].correct, finished[3].correct)
    with pytest.raises(ValueError, match="plain-0 holds a run with other options than two_ways"):
        runner.run(declare(DECLARED.replace("epochs = 3", "epochs = 4")), workspace)
    runner.clear(declared, workspace)
    runner.run(declare(DECLARED.replace("epochs = 3", "epochs = 4")), workspace)
    assert len(trained) == 10


def test_kept_runs_are_taken_over_and_not_trained_again(declare, trained, tmp_path):
    declared, workspace, kept = declare(DECLARED), Workspace(tmp_path / "out"), tmp_path / "kept"
    finished = runner.run(declared, workspace)
    runner.keep(declared, workspace, kept)
    assert sorted(file.name for file in (kept / "plain-1").iterdir()) == ["answers.npz", "plain.json", "run.json"]
    runner.keep(replace(declared, scored_on="test"), workspace, tmp_path / "shipped")
    assert (tmp_path / "shipped" / "plain-1" / "plain.keras").is_file()
    elsewhere = Workspace(tmp_path / "elsewhere")
    runner.adopt(declared, elsewhere, kept)
    for again, before in zip(runner.run(declared, elsewhere), finished, strict=True):
        np.testing.assert_array_equal(again.correct, before.correct)
        assert again.card == before.card
    assert len(trained) == 4
    # Of another recipe, they are refused.
    runner.clear(declared, elsewhere)
    runner.adopt(declared, elsewhere, kept)
    with pytest.raises(ValueError, match="plain-0 holds a run with other options"):
        runner.run(declare(DECLARED.replace("epochs = 3", "epochs = 4")), elsewhere)


def test_pictures_given_later_are_scored_and_no_others_are_shown(declare, trained, tmp_path, some_digits):
    declared, alone = declare(DECLARED), Workspace(tmp_path / "out")
    assert all(not len(run.handwriting) for run in runner.run(declared, alone))
    for name, count in (("mine", 12), ("yours", 9)):
        np.savez(tmp_path / f"{name}.npz", x_test=some_digits.images[:count], y_test=some_digits.labels[:count])
        found = runner.run(declared, replace(alone, handwriting=tmp_path / f"{name}.npz"))
        assert [len(run.handwriting) for run in found] == [count] * 4
    more = replace(declared, seeds=(0, 1, 2))
    assert all(not len(run.handwriting) for run in runner.run(more, alone))
    assert len(trained) == 6


def test_answers_to_other_corruptions_are_replaced(declare, trained, tmp_path, monkeypatch):
    declared, workspace, kept = declare(DECLARED), Workspace(tmp_path / "out"), tmp_path / "kept"
    finished = runner.run(declared, workspace)
    runner.keep(declared, workspace, kept)
    monkeypatch.setattr("digits.corruptions.VERSION", corruptions.VERSION + 1)
    monkeypatch.setattr(corruptions, "corrupt", lambda images, *_: np.zeros_like(images))
    again = runner.run(declared, workspace)
    assert all(
        run.correct[1].mean() < 0.3 < before.correct[1].mean() for run, before in zip(again, finished, strict=True)
    )
    assert len(trained) == 4
    elsewhere = Workspace(tmp_path / "elsewhere")
    runner.adopt(declared, elsewhere, kept)
    with pytest.raises(FileNotFoundError, match=r"no .*plain\.keras, .*train the model again"):
        runner.run(declared, elsewhere)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", {"correct": np.ones(3), "ece": 1, "handwriting": []}])
def test_damaged_answers_are_named(declare, trained, tmp_path, content):
    declared, workspace = declare(DECLARED), Workspace(tmp_path / "out")
    runner.run(declared, workspace)
    path = workspace.folder / "runs" / "plain-1" / "answers.npz"
    np.savez(path, **content) if isinstance(content, dict) else path.write_bytes(content)
    with pytest.raises(ValueError, match=r"plain-1/answers\.npz is damaged; delete it"):
        runner.run(declared, workspace)


def test_the_report_and_the_shipped_model(declare, trained, tmp_path):
    workspace = Workspace(tmp_path / "out")
    results = Results(declare(DECLARED), runner.run(declare(DECLARED), workspace))
    summary = report.summarise(results)
    page = report.write(results, summary, workspace.folder)
    assert "Two ways" in page.read_text(encoding="utf-8")
    kept = json.loads((workspace.folder / "results.json").read_text(encoding="utf-8"))
    assert [run["sha256"] for run in kept["runs"]] == [each.card["checkpoint"]["sha256"] for each in results.finished]
    for picture in ("study.png", "differences.png"):
        assert (workspace.folder / picture).stat().st_size > 10_000
    assert tables.text(summary).count("\n| plain |") == 1
    shipped = release.ship(results.variants[0], workspace, tmp_path / "models")
    card = cards.read(shipped)
    cards.verify(card, tmp_path / "models")
    assert card["study"]["seeds"] == [0, 1]
    # The better of two, as there is none in the middle.
    assert card["checkpoint"]["sha256"] == cards.read(paths.MODELS / "mnist_mlp.json")["checkpoint"]["sha256"]
    # A run that was kept without its export gets one, once.
    (workspace.run_folder(results.variants[0].median.run) / "plain.onnx").unlink()
    again, once_more = (
        cards.read(
            release.ship(Results(results.study, runner.run(results.study, workspace)).variants[0], workspace, folder)
        )
        for folder in (tmp_path / "again", tmp_path / "once_more")
    )
    cards.verify(again, tmp_path / "again")
    cards.verify(once_more, tmp_path / "once_more")
    assert again["checkpoint"] == card["checkpoint"]
    assert 0 <= again["export"]["largest_difference"] <= 1e-5


def test_a_study_from_the_shell(run_script, few_digits, tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(
        'description = "Small"\nscored_on = "validation"\nseeds = [3]\n\n'
        '[variants.small]\ntrainer = "train_mlp"\nlimit = 500\nepochs = 1\naugmentation = "light"\n'
        'leave_out = ["elastic", "shear"]\n'
    )
    out = tmp_path / "out"
    process = run_script("run_study", path, "--output-dir", out, "--keep")
    assert "| small | " in process.stdout
    assert sorted(file.name for file in (tmp_path / "small").glob("[!.]*")) == [
        "results.json",
        "runs",
        "runs.csv",
        "study.pdf",
        "study.png",
    ]
    assert (tmp_path / "small" / "runs" / "small-3" / "answers.npz").is_file()
    card = cards.read(out / "runs" / "small-3" / "small.json")
    assert "test" not in card["scores"]
    assert card["recipe"]["random_seed"] == 3
    assert card["recipe"]["augmentation_strengths"]["elastic"] == 0
    assert card["recipe"]["augmentation_strengths"]["rotation"] > 0
    (out / "runs" / "small-3" / "small.json").unlink()
    (out / "runs" / "small-3" / "answers.npz").unlink()
    (out / "runs" / "small-3" / "small" / "state.keras").write_text("broken")
    assert_one_line_error(
        run_script("run_study", path, "--output-dir", out, check=False),
        "training of small-3 failed",
        "log.txt: ",
    )


def test_no_such_study(run_script):
    process = run_script("run_study", "nothing.toml", check=False)
    assert_one_line_error(process, "no study nothing.toml", "shipped.toml")


def finished(
    seed: int, correct: np.ndarray, variant: str = "a", accuracy: float = 0.5, nll: float = 1.0
) -> FinishedRun:
    card = {"scores": {"validation": {"accuracy": accuracy, "nll": nll}}}
    return FinishedRun(StudyRun(variant, seed, "train_mlp", {}), card, correct, np.zeros(16), np.zeros(0, bool))


def test_intervals_are_those_of_seeds_and_digits_drawn_again(rng):
    """With one seed it is the binomial's; with seeds that differ more than digits do, that of their mean."""
    right = rng.random((1, 4000)) < 0.9
    one = study_results.estimate(right)
    half = 1.96 * np.sqrt(0.09 / 4000)
    assert one.value == right.mean()
    assert (one.low, one.high) == pytest.approx((right.mean() - half, right.mean() + half), abs=0.002)
    levels = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    apart = rng.random((5, 4000)) < levels[:, None]
    many = study_results.estimate(apart)
    assert many.high - many.low == pytest.approx(2 * 1.96 * levels.std() / np.sqrt(5), rel=0.12)


def test_comparisons_are_paired_and_adjusted(rng):
    """A variant that is right where the first is, and on one digit in twenty more, is surely better by as much."""
    base = [rng.random((16, 1000)) < 0.8 for _ in range(4)]
    more = [right | (rng.random((16, 1000)) < 0.25 + 0.02 * seed) for seed, right in enumerate(base)]
    declared = Study("s", "s", "test", (0, 1, 2, 3), {"a": ("train_mlp", {}), "b": ("train_mlp", {})}, {})
    results = Results(
        declared,
        [finished(seed, right) for seed, right in enumerate(base)]
        + [finished(seed, right, "b") for seed, right in enumerate(more)],
    )
    clean, damaged = results.comparisons
    expected = [
        stats.ttest_rel([right[part].mean() for right in more], [right[part].mean() for right in base]).pvalue
        for part in (slice(0, 1), slice(1, None))
    ]
    assert sorted([clean.p_value, damaged.p_value])[0] == pytest.approx(2 * min(expected))
    assert sorted([clean.p_value, damaged.p_value])[1] == pytest.approx(max(max(expected), 2 * min(expected)))
    gained = np.mean([after[1:].mean() - before[1:].mean() for after, before in zip(more, base, strict=True)])
    assert damaged.difference.value == pytest.approx(gained)
    assert 0 < damaged.difference.low < gained < damaged.difference.high < gained + 0.02
    panels = plots.differences(results).axes
    assert [axis.get_title(loc="left") for axis in panels] == ["clean", "MNIST-C levels"]
    for part, axis, found in zip((slice(0, 1), slice(1, None)), panels, (clean, damaged), strict=True):
        _, seeds, interval, mean = axis.lines
        by_seed = [after[part].mean() - before[part].mean() for after, before in zip(more, base, strict=True)]
        np.testing.assert_allclose(seeds.get_xdata(), 100 * np.array(by_seed), atol=1e-9)
        np.testing.assert_allclose(interval.get_xdata(), (100 * found.difference.low, 100 * found.difference.high))
        np.testing.assert_allclose(mean.get_xdata(), 100 * np.mean(by_seed))


def test_the_median_seed_is_chosen_by_validation():
    right = np.ones((16, 10), bool)
    runs = [finished(seed, right, accuracy=a, nll=n) for seed, (a, n) in enumerate([(0.9, 1), (0.8, 2), (0.9, 3)])]
    (variant,) = Results(Study("s", "s", "test", (0, 1, 2), {"a": ("train_mlp", {})}, {}), runs).variants
    assert variant.median.run.seed == 2


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"), [([1, 2, 3], [1, 2, 3], 1.0), ([2, 3, 4], [1, 2, 3], 0.0), ([1, 2], [2, 4], None)]
)
def test_p_values_at_the_edges(ours, theirs, expected):
    assert study_results.paired_p_value(np.array(ours), np.array(theirs)) == expected
