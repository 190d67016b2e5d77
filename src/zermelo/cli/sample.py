"""`zermelo sample`: responses from a model in this process or behind an endpoint, resumable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zermelo.cli.reading import COLUMNS_HELP, FROM_HELP, SKIP_HELP, refuse_same_file
from zermelo.errors import SettingError

if TYPE_CHECKING:
    from zermelo.policies.sampling.protocol import Sampler

__all__ = ["sample"]


def sample(
    files: list[str] = typer.Argument(..., metavar="FILE...", help="Prompts, in any format; - is stdin."),
    model: str = typer.Option(..., "--model", "-m", help="A folder, a hub name, or the model's name at --endpoint."),
    out: Path = typer.Option(..., "--out", "-o", help="Groups of sampled responses (.parquet, .jsonl)."),
    n: int = typer.Option(8, "-n", min=1, help="Responses to each prompt."),
    seed: int = typer.Option(0, "--seed", min=0, help="Everything random derives from it."),
    temperature: float = typer.Option(1.0, "--temperature", min=0.0, help="0 is greedy."),
    top_p: float = typer.Option(1.0, "--top-p", min=0.0, max=1.0, help="Smallest set of that probability."),
    top_k: int = typer.Option(None, "--top-k", min=1, help="The likeliest so many.", show_default=False),
    min_p: float = typer.Option(0.0, "--min-p", min=0.0, max=1.0, help="Share of the likeliest's probability."),
    max_tokens: int = typer.Option(512, "--max-tokens", min=1, help="Longest response."),
    stop: list[str] = typer.Option([], "--stop", help="Text that ends a response; repeatable."),
    limit: int = typer.Option(None, "--limit", min=1, help="Only the first so many prompts.", show_default=False),
    chat: str = typer.Option("auto", "--chat", help="auto, always or never wrap text prompts as a user's turn."),
    adapter: str = typer.Option(None, "--adapter", help="PEFT adapter to put on the model.", show_default=False),
    dtype: str = typer.Option("float32", "--dtype", help="float32, bfloat16, float16 or auto."),
    device: str = typer.Option(None, "--device", help="Such as cuda:1.", show_default=False),
    batch: int = typer.Option(256, "--batch", min=1, help="Rows decoded at once."),
    threads: int = typer.Option(None, "--threads", min=1, help="CPU threads.", show_default=False),
    endpoint: str = typer.Option(
        None, "--endpoint", metavar="URL", help="An OpenAI-compatible endpoint, up to /v1.", show_default=False
    ),
    key: str = typer.Option("OPENAI_API_KEY", "--key", metavar="NAME", help="Environment variable with the API key."),
    concurrency: int = typer.Option(8, "--concurrency", min=1, help="Requests in flight."),
    per_minute: float = typer.Option(None, "--per-minute", help="Most requests a minute.", show_default=False),
    budget: int = typer.Option(None, "--budget", help="Most tokens of the run (exit 5).", show_default=False),
    form: str = typer.Option(None, "--from", metavar="NAME", help=FROM_HELP, show_default=False),
    columns: str = typer.Option(None, "--columns", metavar="ROLE=COLUMN,...", help=COLUMNS_HELP, show_default=False),
    skip_bad: bool = typer.Option(False, "--skip-bad", help=SKIP_HELP + " They go to OUT.rejects.jsonl."),
) -> None:
    """Sample responses to prompts. Interrupted, the same command goes on where it stopped.

    zermelo sample prompts.jsonl --model ./my-model -n 8 -o groups.parquet
    zermelo sample prompts.jsonl --model gpt-4o-mini --endpoint https://api.openai.com/v1 -n 4 -o groups.parquet
    """
    from zermelo.cli.training import read
    from zermelo.feedback.files import expand
    from zermelo.feedback.journal import Journal
    from zermelo.feedback.rejects import rejects_path
    from zermelo.feedback.visible import visible
    from zermelo.feedback.writing import write_groups
    from zermelo.policies.sampling.protocol import Sampling
    from zermelo.progress import bars

    settings = Sampling(temperature, top_p, top_k, min_p, max_tokens, tuple(stop))
    inputs = expand(files)
    refuse_same_file(str(out), inputs)
    groups = read(inputs, form=form, columns=columns, skip_bad=skip_bad, rejects=rejects_path(str(out)))
    groups = [group for group in groups if group.prompt][:limit]
    sampler: Sampler
    if endpoint is not None:
        sampler = _remote(model, endpoint, settings, chat, key, concurrency, per_minute, budget)
    else:
        sampler = _local(model, settings, chat, adapter, dtype, device, batch, threads)
    journal = Journal(out.with_name(out.name + ".journal"))
    with bars() as bar, journal:
        made = sampler.sample(groups, n=n, seed=seed, journal=journal, bar=bar)
    write_groups(made, out)
    journal.path.unlink(missing_ok=True)
    responses = [response for group in made for response in group.responses]
    ends = {end: sum(response.finish == end for response in responses) for end in ("stopped", "cut", "error")}
    shown = ", ".join(f"{count:,} {end}" for end, count in ends.items() if count)
    print(visible(f"{out}: {len(made):,} groups, {len(responses):,} responses ({shown})"), file=sys.stderr)


def _local(
    model: str,
    settings: Any,
    chat: Any,
    adapter: str | None,
    dtype: Any,
    device: str | None,
    batch: int,
    threads: int | None,
) -> Sampler:
    from zermelo.cli.reading import quiet_libraries
    from zermelo.policies.load import load
    from zermelo.policies.sampling.local import TransformersSampler

    quiet_libraries()
    policy = load(model, adapter=adapter, dtype=dtype, device=device, chat=chat)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    print(policy.template.describe(), file=sys.stderr)
    return TransformersSampler(policy, settings, batch=batch)


def _remote(
    model: str,
    url: str,
    settings: Any,
    chat: str,
    key: str,
    concurrency: int,
    per_minute: float | None,
    budget: int | None,
) -> Sampler:
    from zermelo.policies.sampling.client import Endpoint
    from zermelo.policies.sampling.endpoint import EndpointSampler

    if chat not in ("auto", "always", "never"):
        raise SettingError("bad-setting", f"--chat must be auto, always or never. Got {chat!r}")
    where = Endpoint(url, key, concurrency=concurrency, per_minute=per_minute, budget_tokens=budget)
    return EndpointSampler(model, where, settings, chat=chat != "never")
