"""Comparisons: objectives × settings × data × seeds, with everything shared that can be.

schema.py   what the YAML may say
cells.py    the grid: which runs there are, and where they lie
run.py      shared data first, then every cell, in one process or several
figures.py  from the cells to `compare.json`: paired statistics, robustness
report.py   the terminal's table, `compare.md`, `compare.html`
"""
