"""Zermelo: learning from preferences.

A *group* is one prompt, several responses, and everything anyone has said about them. Rooms take
groups and give groups; `docs/architecture.md` is the map. Importing this package imports no room.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
