"""Real people's digits: folds, halves and learnt digits that hold nobody twice, and the summary against brute force."""

from itertools import pairwise, product

import numpy as np
import pytest
from sklearn.datasets import load_digits

from digits.data import Digits, Writers
from tools import real_writers
from tools.real_writers import FORM_STARTS, MnistFolds, Person


@pytest.fixture
def folds(rng) -> MnistFolds:
    """Sixty writers of 90 to 120 digits each, half of them students; each image tells its index."""
    people = rng.permutation(np.repeat(np.arange(60), rng.integers(90, 121, 60)))
    images = np.zeros((len(people), 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(len(people)), 256)
    labels = rng.integers(0, 10, len(people)).astype(np.uint8)
    return MnistFolds(Digits(images, labels), Writers(people, np.where(people < 30, 0, 4)))


def indices(digits: Digits) -> np.ndarray:
    return digits.images[:, 0, 0].astype(int) * 256 + digits.images[:, 0, 1]


def test_no_base_learns_from_its_folds_writers_nor_chooses_by_those_it_learns_from(folds):
    for number in range(real_writers.FOLDS):
        splits = folds.splits(number, validation_size=1000)
        parts = [indices(part) for part in (splits.train, splits.validation, splits.test)]
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(folds.digits)))
        people = [set(folds.writers.people[part].tolist()) for part in parts]
        assert not people[0] & people[1] | people[0] & people[2] | people[1] & people[2]
        assert len(splits.validation) == 1000
        assert np.array_equal(splits.train.labels, folds.digits.labels[parts[0]])
        # It doesn't pass for MNIST in its own split.
        assert not splits.are_mnist
    for name in np.unique(folds.writers.people):
        assert len(set(folds.fold[folds.writers.people == name])) == 1


def test_students_have_enough_of_each_class_and_a_fold_that_holds_them(folds):
    students = folds.students(least=6)
    names = [each.name for each in students]
    people, labels = folds.writers.people, folds.digits.labels
    enough = [n for n in range(30, 60) if all(np.sum((people == n) & (labels == d)) >= 6 for d in range(10))]
    assert names == enough
    assert 0 < len(names) < 30
    for each in students:
        assert np.array_equal(indices(each.digits), np.flatnonzero(people == each.name))
        assert set(folds.fold[people == each.name]) == {each.fold}


def test_halves_hold_everybody_once_and_depend_on_the_seed_alone():
    people = [Person(name, 0, Digits(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))) for name in range(11)]
    tuning, report = ([each.name for each in real_writers.half(people, is_report)] for is_report in (False, True))
    assert (len(tuning), len(report)) == (5, 6)
    assert sorted(tuning + report) == list(range(11))
    assert report == [each.name for each in real_writers.half(people, is_report=True)]
    assert report != [each.name for each in real_writers.half(people, is_report=True, seed=1)]


def test_learnt_digits_are_so_many_of_each_class_and_the_smaller_sizes_among_the_larger(rng):
    labels = rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), 9))
    person = Person(3, 0, Digits(np.zeros((90, 28, 28), np.uint8), labels))
    one, three, five = (real_writers.learnt(person, size) for size in (1, 3, 5))
    for size, learnt in ((1, one), (3, three), (5, five)):
        assert np.bincount(labels[learnt]).tolist() == [size] * 10
    assert np.all(one <= three)
    assert np.all(three <= five)
    assert not np.array_equal(five, real_writers.learnt(person, 5, draw=1))


def test_each_form_is_the_first_ones_text_with_few_digits_missing():
    """The first form has the whole text of 130 digits; a digit too early or too late would be out of its order."""
    labels = load_digits().target
    forms = real_writers.forms()
    assert np.array_equal(np.concatenate([form.digits.labels for form in forms]), labels)
    assert [len(form.digits) for form in forms] == np.diff([*FORM_STARTS, len(labels)]).tolist()
    text = forms[0].digits.labels.tolist()
    assert len(text) == 130
    missing = [len(text) - len(form.digits) for form in forms]
    assert sum(missing) == 23
    for form in forms[:2] + forms[3:]:
        assert is_subsequence(form.digits.labels, text)
    # The third form's last digit is a 3, where the text has an 8.
    assert forms[2].digits.labels.tolist() == [*text[:-1], 3]
    starts = list(FORM_STARTS)
    for form, shift in product((7, 12), (-1, 1)):
        starts[form] += shift
        parts = [labels[begin:end] for begin, end in pairwise([*starts, len(labels)])]
        assert not (is_subsequence(parts[form - 1], text) and is_subsequence(parts[form], text)), (form, shift)
        starts[form] -= shift


def is_subsequence(part: np.ndarray, whole: list[int]) -> bool:
    left = iter(whole)
    return all(digit in left for digit in part.tolist())


def row(person: int, before: list[int], after: list[int], **changed) -> dict:
    fields = {"samples": 5, "read": 60, "mnist_read": 10_000, "mnist_before": 40, "mnist_after": 42, "seconds": 3.0}
    return {"person": person, "before": before, "after": after, "share": 0.85} | fields | changed


def test_summary_of_counted_examples():
    rows = [row(1, [3, 9], [9]), row(2, [], [4], mnist_after=50), row(3, [7], [7], share=0.0, seconds=9.0)]
    result = real_writers.summary(rows)
    assert (result["people"], result["digits_read"], result["errors_before"], result["errors_after"]) == (3, 180, 3, 3)
    assert result["errors_left"]["value"] == 1
    # Wilson's interval for one of three, in closed form.
    z = 1.959963984540054
    centre, reach = (1 + z**2 / 2) / (3 + z**2), z * np.sqrt(1 * 2 / 3 + z**2 / 4) / (3 + z**2)
    for share in ("share_better", "share_worse"):
        assert list(result[share].values()) == pytest.approx([1 / 3, centre - reach, centre + reach])
    assert result["points_forgotten"]["value"] == pytest.approx(100 * (2 + 10 + 2) / 30_000)
    assert result["points_forgotten_at_most"] == pytest.approx(0.1)
    assert (result["seconds"], result["seconds_at_most"]) == (3, 9)
    assert result["share_kept_as_base"] == pytest.approx(1 / 3)


def test_several_fine_tunings_of_a_person_count_as_one_in_intervals():
    """Whoever is drawn brings all of their fine-tunings, and a digit misread in two of them is one digit."""
    rows = [row(person, [0, 1], [0] * (person % 3)) for person in range(6) for _ in range(4)]
    result, single = real_writers.summary(rows), real_writers.summary(rows[::4])
    assert (result["errors_before"], result["different_digits_misread_before"]) == (48, 12)
    assert result["errors_left"] == pytest.approx(single["errors_left"])
    low, high = result["share_better"]["low"], result["share_better"]["high"]
    assert low < 2 / 3 < high


def test_interval_of_a_ratio_is_that_of_every_possible_sample():
    """Of four people, all 256 samples with replacement, equally likely."""
    after, before = np.array([1.0, 0, 3, 2]), np.array([2.0, 1, 3, 4])
    chosen = np.array(list(product(range(4), repeat=4)))
    exact = np.sort(after[chosen].sum(axis=1) / before[chosen].sum(axis=1))
    found = real_writers.ratio(after, before, np.arange(4), 200_000)
    assert found.value == pytest.approx(0.6)
    assert (found.low, found.high) == pytest.approx((exact[6], exact[-7]), abs=1e-6)


def test_where_nothing_was_misread_the_ratio_is_infinite():
    found = real_writers.ratio(np.zeros(3), np.zeros(3), np.arange(3), 100)
    assert found.value == found.high == np.inf


def test_summaries_by_size():
    rows = [row(1, [0], [], samples=1), row(1, [0], [], samples=5), row(2, [0], [0], samples=5)]
    found = real_writers.by_size(rows)
    assert {size: part["fine_tunings"] for size, part in found.items()} == {"1": 1, "5": 2}
