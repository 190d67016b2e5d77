"""Audits of structure: what is broken before anybody asks who is right.

flagged.py rows.py patterns.py sketches.py tongues.py     what several audits share
empty.py identical.py duplicate.py near_duplicate.py prompts.py     nothing there, or there twice
truncated.py ends.py damage.py roles.py                   broken on the way
languages.py content.py boilerplate.py                    what the texts say
"""
