"""A study file is checked as a whole before anything runs; what it sets is what its trainers have."""

import subprocess
import sys
from typing import get_args

import pytest

from digits import augmentation, paths
from digits.studies import declaration
from digits.studies.declaration import Study
from digits.training import recipe
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
    def declare(text: str, name: str = "two_ways.toml") -> Study:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return declaration.read(path)

    return declare


def test_a_declaration_becomes_command_lines(declare):
    declared = declare(DECLARED)
    assert declared.name == "two_ways"
    assert [run.name for run in declared.runs()] == ["plain-0", "other-0", "plain-1", "other-1"]
    plain, other, *_ = declared.runs()
    assert plain.trainer == "train_mlp"
    assert plain.arguments() == ["--name", "plain", "--random-seed", "0", "--epochs", "3"]
    assert other.trainer == "train_advanced"
    assert other.arguments() == [
        *("--name", "other", "--random-seed", "0", "--epochs", "3"),
        *("--leave-out", "noise", "blur"),
    ]


def test_an_architecture_brings_its_own_recipe(declare):
    """`classic` trains without augmentation, so a calm end of it has no effect, as it has with the standard network."""
    assert declare(DECLARED.replace("train_mlp", "train_cnn")).runs()
    classic = DECLARED.replace("train_mlp", "train_cnn").replace("plain]", 'plain]\narchitecture = "classic"\n')
    plain, *_ = declare(classic).runs()
    assert plain.arguments()[-2:] == ["--architecture", "classic"]
    with pytest.raises(ValueError, match="sets calm_fraction, without effect without --augmentation"):
        declare(classic.replace('"classic"\n', '"classic"\ncalm_fraction = 0.5'))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[1, 0]", "[1, 1]", "expected different seeds, got [1, 1]"),
        ("[1, 0]", "[0, true]", "seeds.1: input should be a valid integer, got True"),
        ("[1, 0]", "[1.0]", "seeds.0: input should be a valid integer, got 1.0"),
        ("[1, 0]", "[-1]", "seeds.0: input should be greater than or equal to 0, got -1"),
        ("[1, 0]", "[4294967296]", "seeds.0: input should be less than 4294967296"),
        ("[1, 0]", "[]", "seeds: list should have at least 1 item"),
        ("[1, 0]", "3", "seeds: input should be a valid list, got 3"),
        ('"validation"', '"training"', "scored_on: input should be 'validation' or 'test', got 'training'"),
        ('description = "Two ways"', "", "description: field required"),
        ('"Two ways"', '""', "description: string should have at least 1 character"),
        ("seeds", "seed = 3\nseeds", "seed: extra inputs are not permitted, got 3"),
        ("[shared]", '[ensembles]\nall = "nothing"\n[shared]', "expected ensemble all to be of a variant"),
        ("[shared]", '[ensembles]\nplain = "plain"\n[shared]', "expected ensemble plain"),
        ("[shared]", "[ensembles]\nall = 3\n[shared]", "ensembles.all: input should be a valid string, got 3"),
        ("[shared]", '[ensembles]\n"../all" = "plain"\n[shared]', "expected an ensemble's name of up to 100"),
        ("[shared]", "[shared", "is not TOML"),
        ("[1, 0]", "[" * 2000, "is not TOML"),
        ("[variants.plain]", "[variants]\nplain = 3", "variants.plain: input should be a valid dictionary, got 3"),
        (
            "[variants.plain]",
            "[variants.Other]\n[variants.plain]",
            "names that differ in more than case, got Other, plain",
        ),
        (
            "[shared]",
            '[ensembles]\nPLAIN = "plain"\n[shared]',
            "names that differ in more than case, got plain, other, PL",
        ),
        ("[variants.plain]", "[variants.run]", "expected a variant's name other than run"),
        ("[variants.plain]", '[variants."Run"]', "expected a variant's name other than run"),
        ('"train_mlp"', '"train_baseline"', "expected one of these as trainer: train_mlp, train_cnn, train_advanced"),
        ('trainer = "train_mlp"\n', "", "variant plain in"),
        ('"train_mlp"', '["train_mlp"]', "expected one of these as trainer"),
        ('"train_mlp"', '"../evil"', "expected one of these as trainer"),
    ],
)
def test_a_wrong_declaration_says_in_one_sentence_what_is_wrong(declare, old, new, words):
    assert old in DECLARED
    with pytest.raises(ValueError, match=r"two_ways\.toml") as raised:
        declare(DECLARED.replace(old, new, 1))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["/tmp/x/thesis", "../x", "a\\nb", "a'b", "<b>bold</b>", "", "-x", ".x", "--restart"])
def test_variants_have_names_that_stay_in_their_folder(declare, name):
    with pytest.raises(ValueError, match="expected a variant's name of up to 100 letters") as raised:
        declare(DECLARED.replace("variants.plain", f'variants."{name}"'))
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["...toml", "..toml", ".toml", "-x.toml", "my study.toml"])
def test_a_study_is_called_as_its_folder_may_be(declare, name):
    with pytest.raises(ValueError, match="expected a study's name"):
        declare(DECLARED, name)


@pytest.mark.parametrize("option", declaration.RESERVED)
@pytest.mark.parametrize("table", ["[shared]", "[variants.plain]"])
def test_what_the_study_sets_no_variant_sets_in_any_spelling(declare, option, table):
    for spelling in {option, option.replace("_", "-"), option.replace("_", "-", 1)}:
        text = DECLARED.replace(table, f"{table}\n{spelling} = 3")
        with pytest.raises(ValueError, match=f"variant plain in .* sets {option}, which the study sets itself"):
            declare(text)


def test_spellings_of_one_option_count_as_one(declare):
    dashed = DECLARED.replace("epochs = 3", "batch-size = 8")
    declared = declare(dashed.replace("[variants.plain]", "[variants.plain]\nbatch_size = 9"))
    assert declared.variants["plain"][1] == {"batch_size": 9}
    assert declared.runs()[0].arguments()[-2:] == ["--batch-size", "9"]
    with pytest.raises(ValueError, match=r"shared: expected each option once, got .*'batch-size', 'batch_size'"):
        declare(dashed.replace("batch-size = 8", "batch-size = 8\nbatch_size = 8"))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("epoch = 3", "sets 'epoch', which train_mlp doesn't have"),
        ("no_resume = true", "sets 'no_resume', which train_mlp doesn't have"),
        ("pooling = 'max'", "sets 'pooling', which train_mlp doesn't have"),
        ("Epochs = 3", "sets 'Epochs', which train_mlp doesn't have"),
        ("'epochs 3 --name' = 3", "which train_mlp doesn't have"),
        ("epochs = true", "epochs: input should be a valid integer, got True"),
        ("epochs = 3.0", "epochs: input should be a valid integer, got 3.0"),
        ("epochs = '3'", "epochs: input should be a valid integer, got '3'"),
        ("epochs = [3]", "epochs: input should be a valid integer, got [3]"),
        ("epochs = {of = 3}", "epochs: input should be a valid integer"),
        ("epochs = 0", "expected epochs at least 1, got 0"),
        ("limit = nan", "limit: input should be a valid integer"),
        ("learning_rate = '1e-3'", "learning_rate: input should be a valid number, got '1e-3'"),
        ("learning_rate = true", "learning_rate: input should be a valid number, got True"),
        ("learning_rate = 2026-01-01", "learning_rate: input should be a valid number"),
        ("learning_rate = nan", "expected learning_rate above 0"),
        ("learning_rate = inf", "expected learning_rate above 0"),
        ("weight_decay = -0.1", "expected weight_decay at least 0"),
        ("label_smoothing = 1.0", "expected label_smoothing from 0 to below 1"),
        ("patience = 0", "expected patience at least 1"),
        ("augmentation = 'heavy'", "augmentation: input should be 'none', 'light' or 'strong', got 'heavy'"),
        ("calm_fraction = 0.5", "sets calm_fraction, without effect without --augmentation"),
        ("leave_out = ['noise']", "expected leave_out only with --augmentation, got ('noise',)"),
        ("leave_out = 'noise'", "leave_out: input should be a valid array, got 'noise'"),
        ("leave_out = [3]", "leave_out.0: input should be 'flags'"),
        ("leave_out = ['--name', '../x']", "leave_out.0: input should be 'flags'"),
    ],
)
def test_options_are_those_of_the_trainer_and_of_their_types(declare, option, words):
    with pytest.raises(ValueError, match=r"^variant plain in .*two_ways\.toml: ") as raised:
        declare(DECLARED.replace("epochs = 3", "").replace("[variants.plain]", f"[variants.plain]\n{option}"))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_whole_numbers_do_for_fractions_and_lists_may_be_empty(declare):
    text = DECLARED.replace("[variants.plain]", "[variants.plain]\nema_momentum = 0\nleave_out = []")
    assert declare(text).variants["plain"][1] == {"epochs": 3, "ema_momentum": 0, "leave_out": []}
    assert declare(text).runs()[0].arguments()[4:] == ["--epochs", "3", "--ema-momentum", "0"]


def test_former_names_of_options_are_accepted(declare):
    given = "hardest = 0.5\naveraging = 0.9\ncalm = 0.2\naugmentation = 'light'"
    options = declare(DECLARED.replace("[variants.plain]", f"[variants.plain]\n{given}")).variants["plain"][1]
    assert options.pop("augmentation") == "light"
    assert options == {"epochs": 3, "hard_example_fraction": 0.5, "ema_momentum": 0.9, "calm_fraction": 0.2}
    twice = f"{given}\nema_momentum = 0.9"
    with pytest.raises(ValueError, match="expected each option once"):
        declare(DECLARED.replace("[variants.plain]", f"[variants.plain]\n{twice}"))


def test_families_that_can_be_left_out_are_those_of_the_augmentation():
    assert get_args(recipe.Family) == augmentation.FAMILIES


@pytest.mark.parametrize("path", declaration.known(), ids=lambda path: path.stem)
def test_the_committed_declarations_are_read(path):
    assert declaration.read(path).runs()


def test_reading_a_declaration_loads_no_tensorflow():
    code = (
        "import sys; from digits.studies import declaration\n"
        "assert declaration.read(declaration.known()[0]).runs()\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT / "src", check=True)


def test_a_wrong_declaration_makes_no_folder(run_script, tmp_path):
    (tmp_path / "wrong.toml").write_text(DECLARED.replace("epochs = 3", "random-seed = 3"))
    process = run_script("run_study", "wrong.toml", "--output-dir", "out", "--restart", check=False)
    assert_one_line_error(process, "variant plain in wrong.toml: sets random_seed, which the study sets itself")
    assert not (tmp_path / "out").exists()
