"""A group with a default command: `rank FILE` is `rank board FILE`, while `rank next FILE` is itself."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from zermelo.cli.plain import PlainParams

__all__ = ["DefaultGroup", "default_group"]


class DefaultGroup(PlainParams, TyperGroup):
    """Words that name no command go to the default one."""

    default = ""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        helps = {"--help", "-h"} & set(args[:1])
        if args and not helps and args[0] not in self.commands:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def default_group(command: str) -> type[DefaultGroup]:
    """A group class whose default command is `command`."""
    return type("DefaultGroup", (DefaultGroup,), {"default": command})
