"""What will training make of the data? What a policy thinks of it, and what there is to learn from.

readings.py         log-probabilities, entropies and hidden states of some pairs under a policy, read once for all
ches.py             pairs whose training lowers both sides: alike hidden states
difficulty.py       pairs that the policy ranks wrongly, and how far
on_policy.py        whether the policy could have written the answers
margins.py          how strong the preferences are
calibration_set.py  diversity, margin and surprise of rated candidates
curriculum.py       whether a cheap ranker tells easy pairs from hard ones
coverage.py         what the prompts are about: clusters and a map
"""
