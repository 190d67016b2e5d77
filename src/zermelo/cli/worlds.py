"""`zermelo worlds list|sample|train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from zermelo.errors import SettingError
from zermelo.progress import bars
from zermelo.worlds.protocol import WORLDS, folder, world

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Embedded tasks with exact truth, and the tiny language models that come with them.",
)


@app.command("list")
def list_(as_json: bool = typer.Option(False, "--json", help="One JSON list on stdout.")) -> None:
    """List the worlds: an example of each, its errors, its tiny policy."""
    rows = [_row(name) for name in WORLDS]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        typer.echo(f"{row['name']}\n  prompt   {row['prompt']}\n  response {row['response'].replace(chr(10), ' ⏎ ')}")
        typer.echo(f"  errors   {', '.join(row['errors'])}\n  policy   {row['policy']} ({row['bytes'] / 1e6:.1f} MB)")


@app.command()
def sample(
    name: str = typer.Argument(..., help="The world: arithmetic or style."),
    n: int = typer.Option(5, "-n", help="Held-out prompts."),
    temperature: float = typer.Option(1.0, help="Of sampling; 0 takes the likeliest token."),
    seed: int = typer.Option(0, help="Seed of prompts and draws."),
    difficulty: int = typer.Option(None, help="Steps or facts of a problem; by default a mixture."),
    model: Path = typer.Option(None, help="Model folder instead of the world's own policy."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Show what a world's tiny policy answers to held-out prompts, with the exact reward."""
    if n < 1:
        raise SettingError("bad-setting", f"-n must be at least 1. Got {n!r}")
    from zermelo.policies.load import load
    from zermelo.policies.sampling import Sampling, TransformersSampler
    from zermelo.recipes.worlds import MAX_TOKENS

    task = world(name)
    groups = task.prompts(n, seed=seed, split="test", difficulty=difficulty)
    sampler = TransformersSampler(load(model or folder(name)), Sampling(temperature, max_tokens=MAX_TOKENS))
    rows: list[dict[str, Any]] = []
    for group in sampler.sample(groups, seed=seed):
        text = group.responses[0].content
        rows.append({"prompt": group.prompt, "response": text, "reward": task.reward(group, text)})
    mean = sum(row["reward"] for row in rows) / n
    if as_json:
        typer.echo(json.dumps({"schema": "zermelo.worlds.sample/1", "mean_reward": mean, "rows": rows}, indent=1))
        return
    for row in rows:
        typer.echo(f"{row['reward']:.2f}  {row['prompt']} {_plain(row['response'])}")
    typer.echo(f"mean reward {mean:.3f} over {n} prompts")


@app.command()
def train(
    name: str = typer.Argument(..., help="The world: arithmetic or style."),
    out: Path = typer.Option(None, "--out", help="Folder for the model; by default runs/worlds/NAME."),
    seed: int = typer.Option(None, help="Another seed than the recipe's."),
    steps: int = typer.Option(None, help="Another number of steps than the recipe's."),
    prompts: int = typer.Option(600, help="Held-out prompts to measure it on."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Train a world's tiny policy again, on one thread, and measure it on held-out prompts (a few minutes)."""
    import dataclasses

    from zermelo.policies.load import load
    from zermelo.recipes.worlds import mean_reward, recipe
    from zermelo.recipes.worlds import train as make

    if prompts < 1:
        raise SettingError("bad-setting", f"--prompts must be at least 1. Got {prompts!r}")
    task = world(name)
    given = {key: value for key, value in (("seed", seed), ("steps", steps)) if value is not None}
    settings = dataclasses.replace(recipe(name), **given)
    with bars() as bar:
        made = make(task, out or Path("runs/worlds") / name, settings=settings, advance=bar(name, settings.steps))
    policy = load(made.folder)
    found = {
        "schema": "zermelo.worlds.train/1",
        "name": name,
        "folder": str(made.folder),
        "parameters": made.parameters,
        "loss": made.loss,
        "reward": mean_reward(policy, task, n=prompts),
        "reward_greedy": mean_reward(policy, task, n=prompts, temperature=0.0),
        "run": {"seconds": made.seconds},
    }
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo(
        f"{made.folder}: {made.parameters:,} parameters in {made.seconds:.0f} s; on {prompts} held-out prompts "
        f"mean reward {found['reward']:.3f} sampled at temperature 1, {found['reward_greedy']:.3f} greedy"
    )


def _row(name: str) -> dict[str, Any]:
    task = world(name)
    group = task.prompts(1, seed=0, split="test")[0]
    place = folder(name)
    return {
        "name": name,
        "prompt": group.prompt,
        "response": task.reference(group),
        "errors": [error.name for error in task.errors],
        "policy": str(place),
        "bytes": (place / "model.safetensors").stat().st_size,
    }


def _plain(text: str) -> str:
    """One line, control characters shown."""
    return "".join(c if c.isprintable() else " ⏎ " if c == "\n" else f"\\x{ord(c):02x}" for c in text)
