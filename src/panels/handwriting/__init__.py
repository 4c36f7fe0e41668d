"""My handwriting: one's own digits, sheets of them, and fine-tuning a model on them."""
