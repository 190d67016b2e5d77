"""Do the annotators agree, with each other and with themselves?

votes.py             comparisons as votes on items, whichever response was named first
spam.py              annotators no better than chance, always left, always tie, copycats
agreement.py         percent, Cohen, Fleiss, Krippendorff, of votes and of ratings
cycles.py            intransitive triples of one annotator
drift.py             agreement with the others against time
tribes.py            groups of annotators with tastes of their own
position.py          annotators fond of the first place
ties.py              annotators fond of ties
ratings_rankings.py  ratings against choices on the same responses
diversified.py       one reward for several tastes: calibration by criterion, annotator or source
"""
