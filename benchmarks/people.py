"""The shipped models by who wrote MNIST's test digits, and by what raters say of their labels.

`make benchmark NAME=people WRITERS=FOLDER RATERS=FILE`, with the folder and the file of `evaluate.py`.
"""

import os
from dataclasses import asdict
from pathlib import Path

import harness

from digits import data, evaluation, paths
from digits.checkpoints import recognizer
from digits.robustness.plan import default_models


def main() -> None:
    if not {"WRITERS", "RATERS"} <= set(os.environ):
        raise SystemExit("error: WRITERS and RATERS are needed: make benchmark NAME=people WRITERS=FOLDER RATERS=FILE")
    digits = data.load_test()
    writers = data.load_writers(Path(os.environ["WRITERS"]), "test")
    raters = data.load_raters(Path(os.environ["RATERS"]))
    results = {}
    for model in map(recognizer.load, default_models(paths.MODELS)):
        one = evaluation.evaluate(model, digits)
        results[model.name] = {
            "by_raters": one.scores_by_raters(raters),
            "by_writer": [
                {name: value for name, value in asdict(group).items() if name != "rates"}
                | {"people": len(group.rates), "without_errors": group.without_errors}
                for group in evaluation.ByWriter(one, writers).groups()
            ],
        }
    harness.keep("people", {"models": results})


if __name__ == "__main__":
    main()
