"""Options: none is ignored, each is checked before anything is loaded, and a wrong one is an error in one line."""

import pytest

from tests.support import assert_one_line_error

# Of every script: what it refuses to ignore.
IGNORED = [
    ("collect_digits", "--sheet --yes", "--yes has no effect with --sheet"),
    ("collect_digits", "--sheet --model a --digits-dir b", "--model, --digits-dir have no effect with --sheet"),
    ("collect_digits", "photo.jpg --guess", "--guess has no effect without --import"),
    ("evaluate", "--images mine --data-dir data", "--data-dir has no effect with --images"),
    ("evaluate_robustness", "--image 7.png --corruptions fog", "--corruptions has no effect with --image"),
    ("evaluate_robustness", "--image 7.png --severities 2 --quick", "--severities, --quick have no effect with"),
    ("evaluate_robustness", "--image=7.png --no-worst-case", "--no-worst-case has no effect with --image"),
    ("evaluate_robustness", "--image 7.png --data_dir x --mnist-c y", "--data_dir, --mnist-c have no effect with"),
    ("evaluate_robustness", "--images mine --data-dir data", "--data-dir has no effect with --images"),
    ("evaluate_robustness", "--scheduler tcp://a:1 --workers 2", "--workers has no effect with --scheduler"),
    ("predict", "7.png --json --top 3", "--top has no effect with --json"),
    ("predict", "7.png --many --top=3", "--top has no effect with --many"),
    ("predict", "7.png --random-seed 1 --data-dir x", "--random-seed, --data-dir have no effect without --samples"),
    ("predict", "7.png --output-dir x --save-plot y", "--output-dir has no effect without --samples"),
    ("predict", "--samples 3 --many --json --top 2", "--many, --json, --top have no effect without pictures"),
    ("predict", "--samples 3 --show-input x --save-plot", "--show-input, --save-plot have no effect without"),
    ("prepare_data", "--source keras --data-dir x", "--data-dir has no effect with --source keras"),
    ("run_study", "study.toml --models-dir x", "--models-dir has no effect without --ship"),
    ("run_study", "study.toml --workers 2 --scheduler tcp://a:1", "--workers has no effect with --scheduler"),
    ("train_advanced", "--augmentation none --calm-fraction 0.5", "--calm-fraction has no effect without"),
    ("train_advanced", "--schedule plateau --cycles 2", "--cycles has no effect with --schedule plateau"),
    ("train_baseline", "--models mnist_logistic --trees 9 --svm-c 1", "--trees, --svm-c have no effect on mnist_log"),
    ("train_baseline", "--models digits_8x8_logistic --limit 99", "--limit has no effect on digits_8x8_logistic"),
    ("train_mlp", "--calm 0.5", "--calm_fraction has no effect without --augmentation"),
]  # fmt: skip
OUT_OF_RANGE = [
    ("evaluate_robustness", "--workers 0", "expected workers at least 1, got 0"),
    ("evaluate_robustness", "--limit -1", "expected limit at least 1, got -1"),
    ("evaluate_robustness", "--batch-size 0", "expected batch_size at least 1, got 0"),
    ("evaluate_robustness", "--random-seed -1", "expected random_seed from 0 to 4294967295, got -1"),
    ("finetune_on_custom", "--folds 1", "expected folds at least 2, got 1"),
    ("finetune_on_custom", "--random-seed -1", "expected random_seed from 0"),
    ("predict", "7.png --top 11", "expected top from 1 to 10, got 11"),
    ("predict", "--samples -3", "expected samples at least 0, got -3"),
    ("prepare_data", "--random-seed 4294967296", "expected random_seed from 0 to 4294967295"),
    ("run_study", "study.toml --workers 0", "expected workers at least 1, got 0"),
    ("train_advanced", "--cycles 0", "expected cycles at least 1, got 0"),
    ("train_baseline", "--models mnist_mlp", "invalid choice 'mnist_mlp'"),
    ("train_baseline", "--models mnist_logistic mnist_logistic", "expected models without repetitions"),
    ("train_baseline", "--logistic-8x8-c 0", "expected logistic_8x8_c above 0, got 0.0"),
    ("train_baseline", "--logistic-c inf", "expected logistic_c above 0, got inf"),
    ("train_baseline", "--svm-c nan", "expected svm_c above 0, got nan"),
    ("train_baseline", "--trees 0", "expected trees at least 1, got 0"),
    ("train_baseline", "--leaf-samples 0", "expected leaf_samples at least 1, got 0"),
    ("train_cnn", "--batch-size 0", "expected batch_size at least 1, got 0"),
    ("train_cnn", "--ema-momentum 1", "expected ema_momentum from 0 to below 1, got 1.0"),
    ("train_cnn", "--calm-fraction 1.1", "expected calm_fraction from 0 to 1, got 1.1"),
    ("train_cnn", "--hardest=0", "expected hard_example_fraction above 0 and up to 1, got 0.0"),
    ("train_cnn", "--hard_example_fraction 2", "expected hard_example_fraction above 0 and up to 1, got 2.0"),
    ("train_mlp", "--epochs 0", "expected epochs at least 1, got 0"),
    ("train_mlp", "--learning-rate -1", "expected learning_rate above 0, got -1.0"),
    ("train_mlp", "--learning-rate nan", "expected learning_rate above 0, got nan"),
    ("train_mlp", "--weight-decay=inf", "expected weight_decay at least 0, got inf"),
    ("train_mlp", "--label-smoothing 5", "expected label_smoothing from 0 to below 1, got 5.0"),
    ("train_mlp", "--patience -3", "expected patience at least 1, got -3"),
    ("train_mlp", "--limit 0", "expected limit at least 1, got 0"),
    ("train_mlp", "--random-seed -1", "expected random_seed from 0 to 4294967295, got -1"),
    ("train_mlp", "--name a/b", "expected a --name of"),
    ("train_mlp", "--name ..", "expected a --name of"),
    ("visualize_features", "--shift-digits 0", "expected shift_digits at least 1, got 0"),
    ("visualize_features", "--map-digits=-3", "expected tsne_digits at least 1, got -3"),
    ("visualize_features", "--judge 0", "expected benchmark_digits at least 1, got 0"),
]
UNREADABLE = [
    ("evaluate", "--models", "expected one or more values after --models"),
    ("evaluate_robustness", "--corruptions --quick", "expected one or more values after --corruptions"),
    ("train_baseline", "--models", "expected one or more values after --models"),
    ("train_mlp", "--leave-out", "expected one or more values after --leave-out"),
    ("visualize_features", "--methods", "expected one or more values after --methods"),
    ("run_study", "", "Missing from"),
    ("train_mlp", "--epoch 3", "Unrecognized options: --epoch, 3; similar: --epochs; --help lists all options"),
    ("train_mlp", "--epochs", "Missing value for argument '--epochs'"),
    ("train_mlp", "--epochs three", "Error parsing --epochs: invalid literal for int() with base 10: 'three'"),
    ("train_mlp", "--augmentation weak", "invalid choice 'weak' for argument '--augmentation'"),
    ("predict", "7.png --top", "Missing value for argument '--top'"),
]


@pytest.mark.parametrize(("script", "arguments", "words"), [*IGNORED, *OUT_OF_RANGE, *UNREADABLE])
def test_a_wrong_option_is_one_line_before_anything_is_written(script, arguments, words, run_script, tmp_path):
    assert_one_line_error(run_script(script, *arguments.split(), check=False), words)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("columns", ["40", "400"])
def test_an_error_is_one_line_in_a_narrow_terminal_too(columns, run_script, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    process = run_script("train_mlp", "--weight_decays", "0.1", check=False, in_new_process=True)
    assert_one_line_error(process, "Unrecognized options: --weight_decays, 0.1; similar: --weight-decay; --help lists")


def test_help_is_still_a_page(run_script):
    process = run_script("predict", "--help")
    assert process.returncode == 0
    assert "--save-plot [PATH]" in process.stdout
