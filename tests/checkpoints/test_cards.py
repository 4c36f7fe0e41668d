"""Cards are checked when they are read and written: what readers take is there, and it makes sense."""

import json
import shutil
from functools import reduce

import pytest

from digits import paths
from digits.checkpoints import cards, recognizer
from digits.corruptions import CORRUPTIONS
from digits.robustness import analysis
from tools import readme

KEPT = [path for path in paths.STUDIES.glob("*/runs/*/*.json") if path.name != "run.json"]
LEFT_OUT = object()


@pytest.fixture
def damaged(tmp_path):
    """Write the CNN's card with one entry changed or left out, by its keys; give its path."""

    def damage(keys: str, value: object):
        card = json.loads((paths.MODELS / "mnist_cnn.json").read_text())
        *outer, last = keys.split(".")
        inner = reduce(lambda part, key: part.setdefault(key, {}), outer, card)
        inner[last] = value
        if value is LEFT_OUT:
            del inner[last]
        path = tmp_path / "mnist_cnn.json"
        path.write_text(json.dumps(card))
        return path

    return damage


def refusal(path) -> str:
    """The sentence with which a card is refused, which names its file."""
    with pytest.raises(ValueError, match="is not a model card: ") as raised:
        cards.read(path)
    sentence = str(raised.value)
    assert sentence.startswith(str(path))
    assert sentence.isprintable()
    assert len(sentence.removeprefix(str(path))) < 250
    assert "pydantic" not in sentence
    return sentence


@pytest.mark.parametrize("path", sorted(paths.MODELS.glob("*.json")) + sorted(KEPT), ids=lambda path: path.stem)
def test_cards_of_shipped_models_and_kept_runs_are_read_as_they_are(path):
    assert cards.read(path) == json.loads(path.read_text(encoding="utf-8"))


def test_there_are_kept_runs():
    assert len(KEPT) > 50


@pytest.mark.parametrize(
    "keys",
    [
        *("name", "description", "parameters", "recipe", "training", "training.seconds", "scores", "sure.threshold"),
        *("checkpoint", "checkpoint.file", "checkpoint.sha256", "export", "scores.validation", "scores.validation.nll"),
        *("scores.test.n", "scores.test.accuracy", "scores.test.interval", "training.history.val_accuracy"),
    ],
)
def test_what_readers_take_must_be_there(damaged, keys):
    assert f"{keys}: field required" in refusal(damaged(keys, LEFT_OUT))


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        ("name", "../mnist_cnn", "name: expected a checkpoint's name of up to 100 letters"),
        ("name", "<b>cnn</b>", "name: expected a checkpoint's name"),
        ("name", "a\nb", "name: expected a checkpoint's name"),
        ("name", "mnist_mlp", "expected mnist_mlp.keras or mnist_mlp.skops as checkpoint.file"),
        ("name", 5, "name: input should be a valid string, got 5"),
        ("description", None, "description: input should be a valid string, got None"),
        ("parameters", "many", "parameters: input should be a valid integer, got 'many'"),
        ("parameters", True, "parameters: input should be a valid integer, got True"),
        ("parameters", -1, "parameters: input should be greater than or equal to 0, got -1"),
        ("parameters", 10**400, "parameters: input should be less than 9223372036854775808"),
        ("recipe", [], "recipe: input should be a valid dictionary, got []"),
        ("recipe.augmentation_strengths", {"blur": "strong"}, "recipe.augmentation_strengths.blur: input should be"),
        ("training.seconds", float("nan"), "training.seconds: input should be a finite number, got nan"),
        ("training.seconds", float("inf"), "training.seconds: input should be a finite number, got inf"),
        ("training.seconds", -1, "training.seconds: input should be greater than or equal to 0"),
        ("training.history", "long", "training.history: input should be a valid dictionary"),
        ("training.history.val_accuracy", [0.5, 1.5], "val_accuracy.1: input should be less than or equal to 1"),
        ("checkpoint.file", "/etc/passwd", "expected mnist_cnn.keras or mnist_cnn.skops as checkpoint.file"),
        ("checkpoint.file", "../models/mnist_cnn.keras", "expected mnist_cnn.keras"),
        ("checkpoint.file", "mnist_cnn.onnx", "expected mnist_cnn.keras"),
        ("export.file", "../mnist_cnn.onnx", "expected mnist_cnn.onnx or mnist_cnn.npz as export.file"),
        ("export.file", "mnist_mlp.onnx", "expected mnist_cnn.onnx"),
        ("export", None, "export: input should be a valid dictionary"),
        ("scores", {"test": {"accuracy": 0.9}}, "scores.validation: field required"),
        ("scores.test.accuracy", 0.1, "scores.test: expected an accuracy within its interval, got 0.1"),
        ("scores.test.accuracy", "0.99", "scores.test.accuracy: input should be a valid number, got '0.99'"),
        ("scores.test.accuracy", float("nan"), "scores.test.accuracy: input should be"),
        ("scores.test.interval", [0.1], "scores.test.interval: list should have at least 2 items"),
        ("scores.test.interval", [0.9, 1.1], "scores.test.interval.1: input should be less than or equal to 1"),
        ("scores.test.correct", 10_001, "scores.test: expected an accuracy"),
        ("scores.test.nll", float("inf"), "scores.test.nll: input should be a finite number"),
        ("scores.test.nll", 10**400, "scores.test.nll: input should be a"),
        ("sure.threshold", 2, "sure.threshold: input should be less than or equal to 1, got 2"),
        ("temperature", 0, "temperature: input should be greater than 0, got 0"),
        ("temperature", "warm", "temperature: input should be a valid number"),
        ("members", 5, "members: input should be a valid list"),
        ("base", {"name": "../mnist_mlp", "sha256": ""}, "base.name: string should match pattern"),
        ("own_digits", {}, "own_digits.folder: field required"),
    ],
)
def test_what_makes_no_sense_is_refused(damaged, keys, value, words):
    assert words in refusal(damaged(keys, value))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[1, 2]", b"null", b"5", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"name": "\xff"}', b"\0"),
        *(b"[" * 100_000, b'{"recipe":' * 100_000, b'{"recipe":' * 5000 + b"1" + b"}" * 5000),
        *(b"9" * 5000, b'{"name": "\\ud800"}', b'{"a\\u0007\\nb": 1}'),
    ],
)
def test_what_is_no_json_or_nested_too_deeply_is_refused(tmp_path, content):
    path = tmp_path / "mnist_cnn.json"
    path.write_bytes(content)
    refusal(path)


def test_a_personal_model_has_a_base_and_a_test_score(damaged):
    score = json.loads((paths.MODELS / "mnist_cnn.json").read_text())["scores"]["test"]
    own = {"folder": "my_digits", "sha256": "", "counts": [3] * 10, "before": score, "after": score}
    own["right_by_class"] = {"before": [2] * 10, "after": [3] * 10}
    path = damaged("own_digits", own)
    assert "expected base and scores.test beside own_digits" in refusal(path)
    card = json.loads(path.read_text()) | {"base": {"name": "digits of mine", "sha256": ""}}
    path.write_text(json.dumps(card))
    assert cards.read(path) == card


def test_a_card_belongs_to_the_files_that_are_called_like_it(tmp_path):
    """Otherwise the file that is opened wouldn't be the one whose hash is compared."""
    for suffix in (".keras", ".onnx", ".json"):
        shutil.copy(paths.MODELS / f"mnist_cnn{suffix}", tmp_path)
    shutil.copy(tmp_path / "mnist_cnn.json", tmp_path / "other.json")
    shutil.copy(paths.MODELS / "mnist_mlp.onnx", tmp_path / "other.onnx")
    for model in ("other", tmp_path / "other.onnx"):
        with pytest.raises(ValueError, match=r"other\.json is not a model card: expected the file.s name other"):
            recognizer.load(model, tmp_path)
    for name in ("../mnist_cnn", "..", str(tmp_path / "mnist_cnn")):
        with pytest.raises(FileNotFoundError, match="no model called"):
            recognizer.find(name, tmp_path / "models")


def test_more_may_be_on_a_card(damaged):
    assert cards.read(damaged("note.of", "mine"))["note"] == {"of": "mine"}


def test_a_card_that_could_not_be_read_is_not_written(tmp_path):
    path = tmp_path / "mnist_cnn.json"
    card = cards.read(paths.MODELS / "mnist_cnn.json")
    cards.write(path, card)
    before = path.read_bytes()
    for wrong in ({"recipe": None}, {"name": "mnist_mlp"}, {"scores": {}}):
        with pytest.raises(ValueError, match="is not a model card"):
            cards.write(path, card | wrong)
    assert path.read_bytes() == before
    assert cards.read(path) == card


def test_readers_do_with_the_least_that_a_card_may_say(tmp_path):
    """Without a test score, a history, strengths of an augmentation, or anything that no reader takes."""
    card = json.loads((paths.MODELS / "mnist_cnn.json").read_text())
    for entry in ("circumstances", "architecture", "folded_temperature", "input", "data", "split", "created", "study"):
        card.pop(entry)
    card |= {"recipe": {}, "training": {"seconds": 0}, "scores": {"validation": card["scores"]["validation"]}}
    cards.write(tmp_path / "mnist_cnn.json", card)
    read = cards.read(tmp_path / "mnist_cnn.json")
    assert analysis.exposure(read, CORRUPTIONS["fog"]) == "unseen"
    assert readme.shipped_cards(tmp_path) == []
