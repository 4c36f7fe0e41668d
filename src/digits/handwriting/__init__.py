"""One person's handwriting: a collection of drawn, imported or scanned digits, and models fine-tuned on it.

In: pictures with their labels. Out: a collection in `my_digits/`, and a personal model with scores before and after.
"""
