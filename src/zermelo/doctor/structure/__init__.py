"""Audits of structure: what is broken before anybody asks who is right."""
