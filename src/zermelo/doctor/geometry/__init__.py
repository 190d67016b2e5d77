"""Audits of where texts lie: far from all others, in an order that says something, in few kinds.

vectors.py      texts as points: 64 numbers each
outliers.py order.py imbalance.py     the audits; the array functions are in `stats.neighbours`
"""
