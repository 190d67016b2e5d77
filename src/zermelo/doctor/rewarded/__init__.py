"""What is being rewarded? Which visible attributes of an answer go with being preferred.

features.py     attributes of a sample of pairs, read off the texts by rules, once for all audits
attributes.py   the weight of each attribute in the choices
annotators.py   who weighs an attribute otherwise than the rest
graph.py        which attributes go through which: a causal graph with the preference in it
"""
