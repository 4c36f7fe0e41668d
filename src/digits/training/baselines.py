"""Classical baselines, trained by scikit-learn; the linear ones are converted to Keras models."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from digits.checkpoints import scikit_learn
from digits.data import Digits
from digits.images import to_input
from digits.metrics import intervals


@dataclass(frozen=True)
class Baseline:
    """A trained baseline, ready to publish.

    Attributes:
        model: a Keras model or a scikit-learn forest.
        facts: what its card records besides the recipe.
    """

    model: Any
    facts: dict


def logistic(digits: Digits, c: float) -> Baseline:
    """Multinomial logistic regression on the 784 pixels."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=c, max_iter=1000).fit(_pixels(digits), digits.labels)
    return _linear(fitted, "Logistic regression on the 784 pixels")


def linear_svm(digits: Digits, c: float, seed: int) -> Baseline:
    """A linear support-vector machine, one-vs-rest; the softmax of its margins is not calibrated."""
    from sklearn.svm import LinearSVC

    # The parameter accepts a boolean; its default, "auto", hides that.
    svm = LinearSVC(C=c, dual=False, tol=1e-3, random_state=seed)  # pyright: ignore[reportArgumentType]
    fitted = svm.fit(_pixels(digits), digits.labels)
    return _linear(fitted, "Linear support-vector machine, one-vs-rest")


def random_forest(digits: Digits, trees: int, leaf_samples: int, seed: int) -> Baseline:
    """A random forest on the 784 pixels; its parameters are counted as its nodes."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(trees, min_samples_leaf=leaf_samples, random_state=seed, n_jobs=-1)
    forest.fit(_pixels(digits), digits.labels)
    # A loaded forest should neither occupy all cores nor start threads to recognise one digit.
    forest.n_jobs = 1
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    facts = {"architecture": "random_forest", "parameters": nodes}
    return Baseline(forest, facts | {"description": f"Random forest of {trees} trees on the 784 pixels"})


def logistic_8x8(c: float, seed: int) -> Baseline:
    """Logistic regression on scikit-learn's 8×8 digits, scored on a held-out fifth of them, then extended to 28×28."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    features, labels = load_digits(return_X_y=True)
    parts = train_test_split(features, labels, test_size=0.2, stratify=labels, random_state=seed)
    train_features, held_out_features, train_labels, held_out_labels = parts
    fitted = LogisticRegression(C=c, max_iter=1000).fit(train_features, train_labels)
    correct = int(np.sum(fitted.predict(held_out_features) == held_out_labels))
    own = intervals.accuracy_with_interval(correct, len(held_out_labels))
    baseline = _linear(
        fitted,
        f"Logistic regression trained on scikit-learn's 8×8 digits, not on MNIST; {own['accuracy']:.1%} accuracy "
        f"on {own['n']} held-out 8×8 digits",
        front=scikit_learn.eight_by_eight(),
    )
    return Baseline(baseline.model, baseline.facts | {"own_held_out": own})


def _pixels(digits: Digits) -> np.ndarray:
    # In single precision the solver of the logistic regression stops too early.
    return to_input(digits.images).reshape(len(digits), -1).astype(np.float64)


def _linear(fitted, description: str, front: tuple = ()) -> Baseline:
    model = scikit_learn.linear_as_keras(fitted.coef_, fitted.intercept_, front)
    facts = {"architecture": "linear", "parameters": model.count_params(), "description": description}
    return Baseline(model, facts)
