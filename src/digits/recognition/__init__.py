"""From images and image files to verdicts: which digit, how probable, and whether to rely on it.

In: images, uint8 (N, 28, 28), or image files of one digit or several. Out: a `Verdict` for each digit, in words, as
JSON or as a picture.
"""
