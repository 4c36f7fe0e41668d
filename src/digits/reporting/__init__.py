"""Building blocks of reports: matplotlib figures, self-contained HTML pages, Markdown tables, thumbnails.

In: arrays and results. Out: figures, HTML, Markdown, PNG.
"""
