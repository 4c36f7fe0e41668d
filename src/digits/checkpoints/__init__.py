"""Trained models on disk: a checkpoint, its export and its card, published together and opened as a `Recognizer`.

In: a Keras model or a scikit-learn forest. Out: files that predict without TensorFlow, and a `Recognizer` that does so.
"""
