"""What is wrong with preference data, before it is trained on; each finding with a figure, rows and a remedy.

protocol.py          an audit, and what it may say
case.py scan.py      the data under examination: shared tables, and one streaming pass over all texts
registry.py          id → audit; checks.py is the list of what the pass looks for
examine.py           runs the audits; diagnosis.py holds what they said, as table, JSON and page
structure/ shortcut/ noise/ disagreement/ rewarded/ trainability/ contamination/     the audits
fixes/               the remedies
planted.py           known faults in clean data; held_to.py: are they found; payoff.py: does mending pay
"""
