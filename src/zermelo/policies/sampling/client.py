"""A client for OpenAI-compatible endpoints: many requests at once, retried, paced, within a budget, resumable.

Used by the endpoint sampler and by judges that are language models behind an endpoint.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from zermelo.errors import LimitError, MissingError, SettingError, ZermeloError, positive
from zermelo.feedback.journal import Journal
from zermelo.progress import Advance, Bar, silent

__all__ = ["Endpoint", "Reply"]

RETRIED = {408, 409, 425, 429}  # and every 5xx
HOPELESS = 5  # requests in a row that were given up: the endpoint is down, not the request wrong
Result = TypeVar("Result")


@dataclass(frozen=True)
class Reply:
    """What came back.

    Args:
        text: The answer, '' where it failed.
        finish: The endpoint's `finish_reason` (`stop`, `length`, …); `error` where it failed.
        tokens: Tokens of request and answer together, as the endpoint counts them; else a quarter of the characters.
        logprobs: The endpoint's `logprobs.content` entries, where asked for and given.
        error: Why it failed.
        refused: The endpoint understood and refused (400, 413, 422, …): another attempt would meet the same.
    """

    text: str
    finish: str
    tokens: int
    logprobs: tuple[Mapping[str, Any], ...] | None = None
    error: str | None = None
    refused: bool = False


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible endpoint (OpenAI, vLLM, SGLang, llama.cpp, Ollama, `transformers serve`, …).

    A request that meets a busy or broken server (429, 5xx, a stall, no connection, an answer that is none) is sent
    again after `backoff_s` · 2^k seconds with jitter, or after what `Retry-After` says. One that is refused (400, 413,
    422, …) is not: its reply has `error`. Replies are journalled as they come; a failed one is not, so that the next
    run tries it again. The API key is read from the environment for each run and reaches no file and no message.

    Args:
        url: Up to and including `/v1`.
        key: Name of the environment variable that holds the API key; unset is fine for local servers.
        concurrency: Requests in flight.
        per_minute: Most requests a minute; None = no limit.
        timeout_s: Longest wait for an answer.
        retries: Attempts after the first.
        backoff_s: First wait before another attempt.
        budget_tokens: Most tokens of a run, journalled ones included; None = no limit.
        budget_requests: Most answered requests of a run, journalled ones included; None = no limit.
    """

    url: str = "https://api.openai.com/v1"
    key: str = "OPENAI_API_KEY"
    concurrency: int = 8
    per_minute: float | None = None
    timeout_s: float = 120.0
    retries: int = 6
    backoff_s: float = 1.0
    budget_tokens: int | None = None
    budget_requests: int | None = None

    def __post_init__(self) -> None:
        positive(self, "concurrency", "timeout_s", "backoff_s")
        for name in ("per_minute", "budget_tokens", "budget_requests"):
            if getattr(self, name) is not None:
                positive(self, name)
        if self.retries < 0:
            raise SettingError("bad-setting", f"Endpoint.retries must be ≥ 0. Got {self.retries}")
        if not self.url.startswith(("http://", "https://")):
            raise SettingError("bad-setting", f"Endpoint.url must begin with http:// or https://. Got {self.url!r}")

    def ask(
        self,
        path: str,
        bodies: Sequence[Mapping[str, Any]],
        *,
        salts: Sequence[str] | None = None,
        journal: Journal | None = None,
        bar: Bar = silent,
    ) -> list[Reply]:
        """Send all requests and return the replies in order.

        Args:
            path: Below `url`: `chat/completions` or `completions`.
            bodies: JSON bodies.
            salts: What tells equal bodies apart (sample numbers).
            journal: Finished requests; they are keyed by url, path, body and salt.
            bar: Progress.
        Raises:
            MissingError: no connection, no access or no such model; or five requests in a row were given up.
            LimitError: the budget is spent; what was answered is in the journal.
        """
        salts = salts or [""] * len(bodies)
        units = [self._unit(path, body, salt) for body, salt in zip(bodies, salts, strict=True)]
        return _run(_Run(self, path, journal, bar("ask", total=len(bodies))).all(bodies, units))

    def _unit(self, path: str, body: Mapping[str, Any], salt: str) -> str:
        text = json.dumps([self.url, path, body, salt], sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass
class _Run:
    """One call of `ask`."""

    endpoint: Endpoint
    path: str
    journal: Journal | None
    advance: Advance
    tokens: int = 0
    requests: int = 0
    succeeded: bool = False
    given_up: int = 0
    next_slot: float = 0.0
    key: str = ""
    in_flight: int = 0
    stop: ZermeloError | None = None

    async def all(self, bodies: Sequence[Mapping[str, Any]], units: Sequence[str]) -> list[Reply]:
        import httpx

        self.key = os.environ.get(self.endpoint.key, "")
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        done = {} if self.journal is None else self.journal.done()
        replies: list[Reply | None] = [None] * len(bodies)
        for at, unit in enumerate(units):
            if unit in done:
                found = done[unit]
                logprobs = None if found["logprobs"] is None else tuple(found["logprobs"])
                replies[at] = Reply(**{**found, "logprobs": logprobs})
                self._spent(found["tokens"])
                self.advance(1)
        gate = asyncio.Semaphore(self.endpoint.concurrency)
        limits = httpx.Limits(max_connections=self.endpoint.concurrency)
        timeout = httpx.Timeout(self.endpoint.timeout_s, pool=None)
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=timeout) as client:

            async def one(at: int) -> None:
                async with gate:
                    if self.stop is not None:
                        return
                    self.in_flight += 1
                    try:
                        self._check_budget(sum(reply is None for reply in replies))
                        reply = await self._request(client, bodies[at])
                    except ZermeloError as error:  # those in flight are paid for: let them end
                        self.stop = self.stop or error
                        return
                    finally:
                        self.in_flight -= 1
                replies[at] = reply
                if reply.error is None and self.journal is not None:
                    self.journal.append(units[at], asdict(reply))
                self._judge(reply)
                self.advance(1)

            await asyncio.gather(*(one(at) for at, reply in enumerate(replies) if reply is None))
        if self.stop is not None:
            raise self.stop
        return [reply for reply in replies if reply is not None]

    def _spent(self, tokens: int) -> None:
        self.tokens += tokens
        self.requests += 1

    def _check_budget(self, left: int) -> None:
        end = self.endpoint
        for spent, limit, what in (
            (self.tokens, end.budget_tokens, "tokens"),
            (self.requests + self.in_flight - 1, end.budget_requests, "requests"),
        ):
            if limit is not None and spent >= limit:
                hint = "raise the budget" + ("; the same command goes on from the journal" if self.journal else "")
                raise LimitError(
                    "budget-spent", f"{spent:,} of {limit:,} {what} used, {left:,} requests open", hint=hint
                )

    def _judge(self, reply: Reply) -> None:
        """Stop a run that cannot go well."""
        if reply.error is None:
            self.succeeded, self.given_up = True, 0
            return
        if self.succeeded and reply.refused:
            return
        self.given_up += 1
        if self.given_up >= HOPELESS and self.stop is None:
            self.stop = MissingError(
                "endpoint-down",
                f"{self.endpoint.url}: {self.given_up} requests in a row failed, the last: {reply.error}",
                hint="nothing answered is lost; the same command goes on" if self.journal else "is the server up?",
            )

    async def _request(self, client: Any, body: Mapping[str, Any]) -> Reply:
        """One request with its retries."""
        import httpx

        end = self.endpoint
        error = ""
        for attempt in range(end.retries + 1):
            await self._pace()
            wait: float | None = None
            try:
                answer = await client.post(f"{end.url.rstrip('/')}/{self.path}", json=body)
            except httpx.TimeoutException:
                error = f"no answer in {end.timeout_s:g} s"
            except httpx.HTTPError as problem:
                error = f"{type(problem).__name__}: {problem}"
            else:
                if answer.status_code == 200:
                    reply = parse(answer.text)
                    if reply is not None:
                        self._spent(reply.tokens)
                        return reply
                    error = "an answer that is no completion: " + self._shown(answer.text)
                else:
                    error = f"HTTP {answer.status_code}: {self._shown(answer.text)}"
                    if answer.status_code in (401, 403, 404):
                        raise self._refused(answer.status_code, error)
                    if answer.status_code < 500 and answer.status_code not in RETRIED:
                        return Reply("", "error", 0, error=error, refused=True)
                    wait = retry_after(answer.headers.get("retry-after"))
            if attempt < end.retries:
                pause = end.backoff_s * 2.0**attempt * random.uniform(0.5, 1.5)
                await asyncio.sleep(pause if wait is None else max(wait, 0.0) + random.uniform(0, 0.1 * end.backoff_s))
        return Reply("", "error", 0, error=f"{error} (given up after {end.retries + 1} attempts)")

    async def _pace(self) -> None:
        """Wait for the next slot of `per_minute`."""
        if self.endpoint.per_minute is None:
            return
        now = time.monotonic()
        slot = max(now, self.next_slot)
        self.next_slot = slot + 60.0 / self.endpoint.per_minute
        await asyncio.sleep(slot - now)

    def _refused(self, status: int, error: str) -> MissingError:
        hint = (
            f"is the model's name right, and does the url end in /v1? Got {self.endpoint.url}"
            if status == 404
            else f"put a valid key into the environment variable {self.endpoint.key}"
        )
        return MissingError("endpoint-refused", f"{self.endpoint.url}: {error}", hint=hint)

    def _shown(self, text: str) -> str:
        """A server's words in one short line, without the key."""
        if self.key:
            text = text.replace(self.key, "***")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def parse(text: str) -> Reply | None:
    """A completion's JSON as a reply; None where it is none."""
    try:
        answer = json.loads(text)
        choice = answer["choices"][0]
        said = choice["message"]["content"] if "message" in choice else choice["text"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    finish = choice.get("finish_reason") or "stop"
    if said is None and (choice.get("message") or {}).get("refusal"):
        said, finish = choice["message"]["refusal"], "refusal"
    if not isinstance(said, str) or not isinstance(finish, str):
        return None
    usage = answer.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return Reply(
        said,
        finish,
        tokens if isinstance(tokens, int) and tokens >= 0 else len(said) // 4 + 1,
        tuple(content) if isinstance(content, list) and all(isinstance(item, dict) for item in content) else None,
    )


def retry_after(value: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number or a date), at most an hour; None where none."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), 3600.0) if seconds == seconds else None


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, also where a loop is already running (notebooks)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
