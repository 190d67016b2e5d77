"""Audits of shortcuts: how well a judge that does not read for content predicts the label, on prompts it has not seen.

probe.py verdict.py       cross-validated logistic probes on pair differences; the common finding
features.py ngrams.py     format and style marks; words and pairs of words with their names
length.py position.py surface.py wording.py sources.py separability.py     the audits
"""
