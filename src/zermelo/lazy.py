"""Lazy attributes for a room's `__init__`: looking up `DPO` imports one module and no more."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

__all__ = ["attach"]


def attach(package: str, where: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make `__getattr__` and `__dir__` for a package from a table `name → submodule`.

    Args:
        package: The package's `__name__`.
        where: Public name → submodule that defines it (`{"DPO": "pairwise"}`).
    """

    def __getattr__(name: str) -> object:
        if name in where:
            return getattr(importlib.import_module(f"{package}.{where[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(where)

    class Room(ModuleType):
        """A package that keeps a public name when a submodule of that name is imported.

        The import system sets every submodule as an attribute of its package, so that `from zermelo.policies import
        load` would give the function or the module, whichever came first. `import a.b as c` still finds submodules
        that share no public name.
        """

        def __setattr__(self, name: str, value: object) -> None:
            if not (name in where and isinstance(value, ModuleType)):
                super().__setattr__(name, value)

    sys.modules[package].__class__ = Room
    return __getattr__, __dir__
