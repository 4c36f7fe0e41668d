"""One person's handwriting: collected, drawn or scanned from a sheet, and learnt by fine-tuning.

In: pictures with their digits. Out: a collection in `my_digits/`, and a personal model with what it gained and lost.
"""
