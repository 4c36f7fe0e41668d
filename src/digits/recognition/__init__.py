"""From pictures to answers: one digit or several a picture, read by any recogniser.

In: image files. Out: probabilities of the ten digits and what is shown of them.
"""
