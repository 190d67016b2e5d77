"""What each step of a recipe does: a function of its context that writes files and returns figures.

data.py       prompts of a world, or groups of the user's files; split by prompt
answers.py    sample, judge, inject errors, pairs
doctor.py     examine the pairs and mend them
training.py   the reward model, the alignments
rounds.py     sample, judge, pair and align again and again
select.py     best-of-N with proxy and true reward
evaluate.py   every policy on the held-out prompts, against the start
measure.py    one policy on the held-out prompts, for comparisons
tools.py      what steps share: the policy, the judge, groups on disk
"""
