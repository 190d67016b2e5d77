"""Audits of contamination: what is in the data, or in a model, that must not be there.

items.py       benchmark files as items, whatever their format
ngrams.py      exact runs of 13 and 8 words, hashed, against a stream of texts
retrieval.py   BM25, ROUGE-L, and the best window of the best documents
overlap.py     audit: benchmark items in the data;  splits.py  audit: test prompts in the training part
slot_guessing.py   does a model know hidden wrong options and hidden words? (TS-Guessing);  model_knows.py  audit
"""
