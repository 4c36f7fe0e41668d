"""How well an audit finds wrong labels: test digits of which 1 % get another label at random, read by two models."""

import harness
import numpy as np

from digits import data
from digits.checkpoints import recognizer
from digits.label_audit import find_suspects

MODELS = ("mnist_cnn", "mnist_advanced")
SHARE, ROUNDS = 0.01, 20


def main() -> None:
    digits = data.load_test()
    results = {}
    for name in MODELS:
        probabilities = recognizer.load(name).predict_proba(digits.images)
        found = []
        for seed in range(ROUNDS):
            rng, labels = np.random.default_rng(seed), digits.labels.copy()
            wrong = rng.choice(len(labels), round(SHARE * len(labels)), replace=False)
            labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
            suspects = find_suspects(probabilities, labels)
            probable = {each.index for each in suspects if each.is_probable}
            listed = {each.index for each in suspects}
            right = len(probable & set(wrong.tolist()))
            found.append((right / len(probable), right / len(wrong), len(listed & set(wrong.tolist())) / len(wrong)))
        precision, recall, listed = np.mean(found, axis=0)
        results[name] = {"precision": precision, "recall": recall, "recall_of_all_listed": listed}
    harness.keep("label_audit", {"share_of_wrong_labels": SHARE, "rounds": ROUNDS, "models": results})


if __name__ == "__main__":
    main()
