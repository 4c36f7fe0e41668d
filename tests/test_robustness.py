"""What a sweep says of its models: sweeps with chosen answers, and every figure again by counting in a plain loop."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from digits import cards, paths, robustness, statistics, sweep
from digits.corruptions import CORRUPTIONS, SEVERITIES, select
from digits.data import Digits

IMAGES = 200
SEVERITIES_OF_THREE = (1, 3, 5)
# How many of the 200 images `noisy`, `bendy` and `plain` get right.
RIGHT = {
    ("clean", 0): (198, 192, 180),
    ("gaussian_noise", 1): (196, 186, 160),
    ("gaussian_noise", 3): (190, 150, 120),
    ("gaussian_noise", 5): (180, 100, 80),
    ("scale", 1): (192, 190, 150),
    ("scale", 3): (150, 180, 110),
    ("scale", 5): (90, 160, 50),
    ("fog", 1): (198, 197, 176),
    ("fog", 3): (110, 170, 90),
    ("fog", 5): (40, 120, 60),
    ("stripe", 1): (180, 191, 140),
    ("stripe", 3): (160, 158, 100),
    ("stripe", 5): (150, 100, 70),
}
DAMAGED = [cell for cell in RIGHT if cell != ("clean", 0)]
CARDS = {
    "noisy": {"recipe": {"augmentation_strengths": {"noise": 20, "scale": 0, "contrast": 0}}},
    "bendy": {"recipe": {"augmentation_strengths": {"noise": 0, "scale": 0.1, "contrast": 0.5}}},
    "plain": {"recipe": {"digits": 55_000}},
}
UNSEEN = {"noisy": ["scale", "fog", "stripe"], "bendy": ["gaussian_noise", "stripe"], "plain": list(select_names := ())}
