"""Are the labels right? Probes that read the texts and were not trained on the pair they judge.

features.py        words and pairs of words of many texts, vectorised
probe.py           an ensemble of linear probes, each pair scored by those that did not see it
labels.py          confident learning and a lapse rate: how many labels are wrong, and which
strength.py        preference strength: wrong, ambiguous and correct bands
annotators.py      noise of every annotator and every pair of sources, by EM
destabilisation.py how much wrong labels could change a ranking
"""
