"""What reports are made of: matplotlib figures, self-contained HTML pages from templates, small pictures.

In: arrays and results. Out: figures, HTML, PNG.
"""
