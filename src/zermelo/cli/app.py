"""The `zermelo` command: a table of names, each command imported only when it is asked for.

Every command's module holds a typer app (or function) named like the command. Errors become one line on stderr and an
exit code (docs/cli.md); with `--json`, the error is the one JSON document on stdout.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from zermelo import __version__
from zermelo.cli.click import Command, UsageError
from zermelo.cli.plain import PlainParams
from zermelo.errors import ZermeloError, ZermeloWarning, nearest

__all__ = ["main"]

# name → (module:attribute, one line of help, heading). The attribute is a function or a typer.Typer.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "quickstart": ("zermelo.cli.run:quickstart", "The main job in miniature, with a report.", "Start"),
    "run": ("zermelo.cli.run:run", "Run a recipe; the same command resumes.", "Start"),
    "inspect": ("zermelo.cli.inspect:inspect", "Show what is in preference data of any format.", "Data"),
    "convert": ("zermelo.cli.convert:convert", "Convert preference data from any format to any other.", "Data"),
    "doctor": ("zermelo.cli.doctor:app", "Find what is wrong with preference data, and mend it.", "Data"),
    "rank": ("zermelo.cli.rank:app", "Rank players from comparisons: board, next, power.", "Evaluate"),
    "sample": ("zermelo.cli.sample:sample", "Sample responses from a model or an endpoint.", "Data"),
    "judge": ("zermelo.cli.judge:judge", "Judge responses with a verifier or a reward model.", "Data"),
    "reward": ("zermelo.cli.reward:app", "Reward models: train on pairs, score groups.", "Train"),
    "merge": ("zermelo.cli.merge:merge", "Fold an adapter into its base model.", "Train"),
    "align": ("zermelo.cli.align:align", "Train a policy on preference data, with any objective.", "Train"),
    "compare": ("zermelo.cli.compare:compare", "Compare objectives on the same data, prompts and seeds.", "Train"),
    "worlds": ("zermelo.cli.worlds:app", "Embedded tasks and their tiny models: list, sample, train.", "Reference"),
    "evaluate": ("zermelo.cli.evaluate:evaluate", "Say what judged groups tell about the systems in them.", "Evaluate"),
    "methods": ("zermelo.cli.methods:methods", "List the published methods and what is done of each.", "Reference"),
    "claims": ("zermelo.cli.claims:app", "Run published claims in miniature: list, run, report.", "Reference"),
    "explain": ("zermelo.cli.explain:explain", "Explain the code of an error or a warning.", "Reference"),
}


class LazyGroup(PlainParams, TyperGroup):
    """A group whose commands are imported when used; help shows the table without importing anything."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        target, summary, _ = COMMANDS[cmd_name]
        if ctx.resilient_parsing or _is_help(ctx):
            return Command(cmd_name, help=summary, short_help=summary)
        module, _, attribute = target.partition(":")
        found: Any = getattr(importlib.import_module(module), attribute)
        return as_command(cmd_name, found)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            guess = nearest(args[0], list(COMMANDS))
            hint = f" Did you mean `{guess}`?" if guess else " `zermelo --help` lists them."
            ctx.fail(f"no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        headings = dict.fromkeys(heading for _, _, heading in COMMANDS.values())
        for heading in headings:
            rows = [(name, summary) for name, (_, summary, under) in COMMANDS.items() if under == heading]
            with formatter.section(heading):
                formatter.write_dl(rows)


def as_command(name: str, found: Any) -> Any:
    """A click command from a function or a typer app."""
    if isinstance(found, typer.Typer):
        command = get_command(found)
    elif isinstance(found, Command):
        command = found
    else:
        single = typer.Typer(add_completion=False)
        single.command(name)(found)
        command = get_command(single)
    command.name = name
    return command


def _is_help(ctx: Any) -> bool:
    return ctx.info_name == "zermelo" and ctx.invoked_subcommand is None and "--help" in sys.argv[1:2]


app = typer.Typer(
    cls=LazyGroup,
    name="zermelo",
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def zermelo(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """Learning from preferences: data, rankings, reward models, better policies, audits.

    Start with `zermelo quickstart`, then `zermelo inspect FILE` on your own data.
    """
    if version:
        typer.echo(__version__)
        raise typer.Exit()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    args = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    warnings.showwarning = _show_warning
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # ours are shown instead
    as_json = "--json" in args
    try:
        code = app(args=args, prog_name="zermelo", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except ZermeloError as error:
        sys.exit(_fail(error.code, error.line(), error.hint, error.exit_code, as_json))
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        again = "zermelo " + " ".join(args)
        sys.exit(_fail("interrupted", "stopped; nothing finished is lost", f"`{again}` goes on", 130, as_json))
    except UsageError as error:
        where = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        sys.exit(_fail("usage", error.format_message() + where, None, 2, as_json))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.filename is None or error.strerror is None:  # not about a file that the user named
            _internal(error, as_json)
        told = error.strerror or ""
        what = f"{error.filename}: {told[:1].lower()}{told[1:]}"
        sys.exit(_fail("file-system", what, "is the folder there, and may you write to it?", 2, as_json))
    except Exception as error:
        _internal(error, as_json)


def _internal(error: Exception, as_json: bool) -> None:
    traceback.print_exc()
    hint = "this is a bug of ours; please report it with the lines above"
    sys.exit(_fail("internal", f"{type(error).__name__}: {error}", hint, 1, as_json))


def _fail(code: str, line: str, hint: str | None, exit_code: int, as_json: bool) -> int:
    if as_json:
        error = {"code": code, "message": line, "hint": hint, "exit_code": exit_code}
        print(json.dumps({"schema": "zermelo.error/1", "error": error}, ensure_ascii=False))
    else:
        print(f"error[{code}]: {line}" + (f"\nhint: {hint}" if hint else ""), file=sys.stderr)
    return exit_code


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if isinstance(message, ZermeloWarning):
        print(f"warning[{message.code}]: {message.message}", file=sys.stderr)
