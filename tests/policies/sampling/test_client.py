"""The endpoint client against servers on loopback: one that works, and one that fails, stalls and answers nonsense."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from zermelo.errors import LimitError, MissingError, SettingError, ZermeloWarning
from zermelo.feedback.journal import Journal
from zermelo.feedback.records import Group, Message
from zermelo.policies.sampling.client import Endpoint, parse, retry_after
from zermelo.policies.sampling.endpoint import EndpointSampler
from zermelo.policies.sampling.protocol import Sampler, Sampling

Answer = tuple[int, str, dict[str, str]]  # status, body, headers
KEY = "sk-secret-0123456789"


class Server:
    """An OpenAI-shaped server whose answers a test writes: `script(number, body) -> Answer`, None = stall."""

    def __init__(self) -> None:
        self.script: Callable[[int, dict[str, Any]], Answer | None] = lambda number, body: good(body)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.most_at_once = self.now = 0
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    number = len(server.bodies)
                    server.bodies.append({**body, "path": self.path})
                    server.headers.append(dict(self.headers))
                    server.times.append(time.monotonic())
                    server.now += 1
                    server.most_at_once = max(server.most_at_once, server.now)
                answer = server.script(number, body)
                with lock:
                    server.now -= 1
                if answer is None:
                    time.sleep(1.0)
                    return
                status, text, headers = answer
                data = text.encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


def good(body: dict[str, Any], finish: str = "stop") -> Answer:
    said = body.get("prompt") or body["messages"][-1]["content"]
    message = {"role": "assistant", "content": f"{said} -> {body['seed']}"}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    if "prompt" in body:
        choice = {"index": 0, "text": message["content"], "finish_reason": finish}
    return 200, json.dumps({"choices": [choice], "usage": {"total_tokens": 10}}), {}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def sampler(server: Server, **settings: Any) -> EndpointSampler:
    known = {"backoff_s": 0.01, "timeout_s": 5.0, "retries": 3, **settings}
    return EndpointSampler("tiny", Endpoint(server.url, **known), Sampling(max_tokens=8))


def texts(groups: list[Group]) -> list[list[str | None]]:
    return [[response.text for response in group.responses] for group in groups]


def test_is_a_sampler_and_answers_in_order(server: Server) -> None:
    assert isinstance(sampler(server), Sampler)
    server.script = lambda number, body: (time.sleep(0.02 * (number % 3)), good(body))[1]
    groups = sampler(server).sample([f"p{i}" for i in range(10)], n=2)
    assert [[t.split(" -> ")[0] for t in own] for own in texts(groups)] == [[f"p{i}"] * 2 for i in range(10)]
    assert all(r.finish == "stopped" and r.source == "tiny" for g in groups for r in g.responses)
    assert len({body["seed"] for body in server.bodies}) == 20


def test_conversations_tools_and_settings_reach_the_server(server: Server) -> None:
    turns = (Message("system", "be brief"), Message("user", "hi"))
    tool = {"type": "function", "function": {"name": "f"}}
    sampler(server).sample(
        [Group("g", turns, meta={"tools": [tool]})], sampling=Sampling(0.5, 0.9, 4, 0.1, max_tokens=3, stop=("x",))
    )
    (body,) = server.bodies
    assert body["path"] == "/v1/chat/completions"
    assert body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    expected = {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "min_p": 0.1, "max_tokens": 3, "stop": ["x"]}
    assert {name: body[name] for name in expected} == expected and body["tools"] == [tool]


def test_base_models_are_asked_for_completions(server: Server) -> None:
    plain = EndpointSampler("tiny", Endpoint(server.url), chat=False)
    (group,) = plain.sample(["1+2="])
    assert server.bodies[0]["path"] == "/v1/completions" and server.bodies[0]["prompt"] == "1+2="
    assert group.responses[0].text is not None and group.responses[0].text.startswith("1+2= -> ")
    with pytest.raises(SettingError):
        plain.sample([(Message("user", "a"), Message("assistant", "b"), Message("user", "c"))])


def test_failures_stalls_and_nonsense_are_tried_again(server: Server) -> None:
    bad: list[Answer | None] = [
        (500, "oops", {}),
        (200, "<html>busy</html>", {}),
        (200, '{"choices": []}', {}),
        (429, "slow down", {"Retry-After": "0"}),
        None,
        (200, '{"choices": [{"message": {"content": 7}}]}', {}),
        (503, "", {}),
        (200, '{"choices": [{"message"', {}),
    ]
    server.script = lambda number, body: bad[number] if number < len(bad) else good(body)
    groups = sampler(server, timeout_s=0.3, retries=8, concurrency=2).sample(["a", "b", "c"])
    assert [own[0].split(" -> ")[0] for own in texts(groups)] == ["a", "b", "c"]  # type: ignore[union-attr]
    assert len(server.bodies) == 3 + len(bad)


def test_retry_after_is_heeded(server: Server) -> None:
    server.script = lambda number, body: (429, "", {"Retry-After": "0.4"}) if number == 0 else good(body)
    sampler(server).sample(["a"])
    assert server.times[1] - server.times[0] >= 0.4
    assert retry_after("7") == 7 and retry_after("soon") is None and retry_after("1e9") == 3600
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0 and retry_after("nan") is None


def test_waits_grow(server: Server) -> None:
    server.script = lambda number, body: (500, "", {}) if number < 3 else good(body)
    sampler(server, backoff_s=0.1).sample(["a"])
    waits = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
    assert waits[0] >= 0.05 and waits[1] >= 0.1 and waits[2] >= 0.2


def test_a_refused_request_is_recorded_and_the_others_go_on(server: Server) -> None:
    server.script = lambda number, body: (
        (400, f"content filter, key {KEY}", {}) if body["messages"][-1]["content"] == "b" else good(body)
    )
    with pytest.warns(ZermeloWarning, match="1 of 3 requests failed") as caught:
        groups = sampler(server, concurrency=1).sample(["a", "b", "c"])
    assert [g.responses[0].finish for g in groups] == ["stopped", "error", "stopped"]
    assert len(server.bodies) == 3  # a refusal is not tried again
    assert "content filter" in groups[1].responses[0].meta["error"]
    assert KEY not in str(groups) + str([str(w.message) for w in caught])


def test_a_dead_server_ends_the_run_with_one_line(server: Server) -> None:
    server.script = lambda number, body: (500, "down\nfor ever", {})
    with pytest.raises(MissingError) as caught:
        sampler(server, retries=1, concurrency=1).sample([f"p{i}" for i in range(50)])
    assert caught.value.code == "endpoint-down" and caught.value.exit_code == 4
    assert len(server.bodies) == 10 and "\n" not in caught.value.message


def test_no_server_at_all_is_one_line() -> None:
    with pytest.raises(MissingError, match="ConnectError"):
        EndpointSampler("m", Endpoint("http://127.0.0.1:9/v1", retries=0, backoff_s=0.01)).sample(["a"] * 5)


@pytest.mark.parametrize(("status", "hint"), [(401, "OPENAI_API_KEY"), (404, "/v1")])
def test_no_access_and_no_such_model_stop_at_once(server: Server, status: int, hint: str) -> None:
    server.script = lambda number, body: (status, f"no, {KEY}", {})
    with pytest.raises(MissingError) as caught:
        sampler(server, concurrency=1).sample(["a", "b", "c"])
    assert hint in str(caught.value) and KEY not in str(caught.value) and len(server.bodies) == 1


def test_at_most_so_many_requests_are_in_flight(server: Server) -> None:
    server.script = lambda number, body: (time.sleep(0.02), good(body))[1]
    sampler(server, concurrency=3).sample([f"p{i}" for i in range(12)])
    assert server.most_at_once <= 3


def test_requests_are_paced(server: Server) -> None:
    sampler(server, per_minute=600).sample([f"p{i}" for i in range(5)])
    assert server.times[-1] - server.times[0] >= 0.35  # four gaps of 0.1 s


def test_an_interrupted_run_goes_on_and_ends_with_the_same_responses(server: Server, tmp_path: Path) -> None:
    prompts = [f"p{i}" for i in range(12)]
    whole = sampler(server).sample(prompts, n=2, seed=3)
    server.bodies.clear()
    with Journal(tmp_path / "j") as journal, pytest.raises(LimitError) as caught:
        sampler(server, budget_requests=7).sample(prompts, n=2, seed=3, journal=journal)
    assert caught.value.exit_code == 5 and len(server.bodies) == 7
    server.bodies.clear()
    with Journal(tmp_path / "j") as journal:
        assert sampler(server).sample(prompts, n=2, seed=3, journal=journal) == whole
    assert len(server.bodies) == 24 - 7
    assert KEY not in (tmp_path / "j").read_text()


def test_a_budget_of_tokens_counts_what_the_journal_holds(server: Server, tmp_path: Path) -> None:
    for sent in (3, 0):
        server.bodies.clear()
        with Journal(tmp_path / "j") as journal, pytest.raises(LimitError, match="30 of 25 tokens"):
            sampler(server, budget_tokens=25, concurrency=1).sample([f"p{i}" for i in range(9)], journal=journal)
        assert len(server.bodies) == sent


def test_a_failed_request_is_tried_again_by_the_next_run(server: Server, tmp_path: Path) -> None:
    server.script = lambda number, body: (400, "no", {}) if body["messages"][-1]["content"] == "b" else good(body)
    with Journal(tmp_path / "j") as journal, pytest.warns(ZermeloWarning):
        sampler(server).sample(["a", "b"], journal=journal)
    server.script = lambda number, body: good(body)
    server.bodies.clear()
    with Journal(tmp_path / "j") as journal:
        groups = sampler(server).sample(["a", "b"], journal=journal)
    assert len(server.bodies) == 1 and all(g.responses[0].finish == "stopped" for g in groups)


def test_works_where_a_loop_is_already_running(server: Server) -> None:
    async def notebook() -> list[Group]:
        return sampler(server).sample(["a"])

    assert asyncio.run(notebook())[0].responses[0].finish == "stopped"


def test_the_key_is_sent_and_an_unset_one_is_not(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler(server).sample(["a"])
    monkeypatch.delenv("OPENAI_API_KEY")
    sampler(server).sample(["b"])
    authorisation = [{k.lower(): v for k, v in headers.items()}.get("authorization") for headers in server.headers]
    assert authorisation == [f"Bearer {KEY}", None]


def test_logprobs_and_ends_are_kept() -> None:
    logprobs = {"content": [{"token": "a", "logprob": -0.5}]}
    choice = {"message": {"content": "a"}, "finish_reason": "length", "logprobs": logprobs}
    reply = parse(json.dumps({"choices": [choice], "usage": {"total_tokens": 3}}))
    assert reply is not None and reply.logprobs == ({"token": "a", "logprob": -0.5},) and reply.tokens == 3
    response = EndpointSampler("m")._response(reply, Sampling())
    assert response.logprobs == (-0.5,) and response.finish == "cut"


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"choices": {}}', '{"choices": [null]}', '{"choices": [{}]}']
)
def test_nonsense_is_no_reply(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("wrong", [{"url": "localhost:8000"}, {"concurrency": 0}, {"retries": -1}, {"per_minute": 0}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        Endpoint(**wrong)
