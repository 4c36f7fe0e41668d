"""What a model's explanation finds, for its tests and those of its report."""

import pytest

from digits.checkpoints import recognizer
from digits.explanations import overview
from digits.explanations.overview import Background, Explanations, Subject
from tests.explanations.explained import ASKED


@pytest.fixture(scope="session")
def two(splits) -> Subject:
    """A thin 1 and a thin 9, whose patches have few coalitions."""
    images, labels, names = overview.typical_digits(splits.validation)
    return Subject(images[[1, 9]], labels[[1, 9]], [names[1], names[9]])


@pytest.fixture(scope="session")
def background(splits) -> Background:
    return Background(splits.train.first(300), splits.test.first(40), splits.validation.first(6), ("rotate",))


@pytest.fixture(scope="session")
def found(two, background) -> dict[str, Explanations]:
    return {
        name: overview.explain_model(recognizer.load(name), two, background, methods, seed=1)
        for name, (methods, _) in ASKED.items()
    }
