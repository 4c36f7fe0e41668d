"""Which labels of digits are probably wrong, and a report to look at.

In: labelled digits, from MNIST or your own, and the probabilities of a model that didn't learn from them. Out: a
`Suspect` for each digit that the model reads otherwise, the least probable labels first.
"""

from digits.label_audit.labelled import Labelled, load
from digits.label_audit.suspects import Suspect, contradicted_by, find_suspects
