"""Contamination: the catalogue's oracles, planted items, parts that share prompts, models that know hidden slots."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zermelo.doctor.case import Case
from zermelo.doctor.contamination.items import items_of, read_items
from zermelo.doctor.contamination.model_knows import told_of
from zermelo.doctor.contamination.ngrams import ngram_overlap
from zermelo.doctor.contamination.overlap import Overlap
from zermelo.doctor.contamination.retrieval import BM25Index, RetrievalOverlap, best_window, rouge_l
from zermelo.doctor.contamination.slot_guessing import ChoiceItem, TSGuessKeyword, TSGuessMultiChoice
from zermelo.doctor.contamination.splits import Splits
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.registry import load_audit
from zermelo.errors import DataError, SettingError
from zermelo.feedback import Feedback, Group, Judgement, Response

HALVES = ("ba", "do", "ki", "lu", "me", "no", "ru"), ("ra", "su", "te", "vo", "za", "pi")
WORDS = [f"{one}{two}{three}" for one in HALVES[0] for two in HALVES[1] for three in HALVES[0]]
VOTE = Judgement("comparison", (0, 1), value=1.0, outcome="first")


def sentence(rng: np.random.Generator, n: int = 20) -> str:
    return " ".join(str(word) for word in rng.choice(WORDS, n))


def rows(n: int = 80, seed: int = 0, **meta: object) -> list[Group]:
    rng = np.random.default_rng(seed)
    return [
        Group(
            f"{seed}-{at}",
            sentence(rng) + "?",
            (Response(sentence(rng, 40)), Response(sentence(rng, 40))),
            (VOTE,),
            meta=dict(meta),
        )
        for at in range(n)
    ]


def test_bm25_and_rouge_l_are_those_computed_by_hand() -> None:
    assert rouge_l("the fibula rotates dorsally", "the fibula rotates ventrally today") == pytest.approx(2 / 3)
    index = BM25Index.of(["the cat sat on the mat", "the dog sat", "cats and dogs"])
    np.testing.assert_allclose(index.scores("cat sat"), [0.697516, 0.259671, 0], atol=1e-6)
    assert index.top("cat sat") == [0, 1]
    assert index.scores("bird").tolist() == [0, 0, 0]


def longest(one: Sequence[str], other: Sequence[str]) -> int:
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
    return int(table[-1, -1])


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
@settings(max_examples=80, deadline=None)
def test_rouge_l_is_that_of_the_table_of_common_subsequences(one: list[str], other: list[str]) -> None:
    want = 2 * longest(one, other) / (len(one) + len(other)) if one and other else 0
    assert rouge_l(" ".join(one), " ".join(other)) == pytest.approx(want)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), st.lists(st.sampled_from("abcd"), max_size=14))
@settings(max_examples=80, deadline=None)
def test_the_best_window_is_the_best_of_all(item: list[str], document: list[str]) -> None:
    n = len(item)
    windows = [document[at : at + n] for at in range(max(len(document) - n + 1, 1))]
    best = max(rouge_l(" ".join(item), " ".join(window)) for window in windows)
    assert best_window(" ".join(item), " ".join(document)) == pytest.approx(best)
    assert best_window(" ".join(item), " ".join(document), least=0.8) == pytest.approx(best if best >= 0.8 else 0)


def test_runs_of_words_are_found_whole_halved_and_not_at_all() -> None:
    rng = np.random.default_rng(1)
    long, mid, short = sentence(rng, 30), sentence(rng, 9), "wexo wuxa waxi wixe"
    corpus = [
        f"before {long.upper()}, after",
        " ".join(long.split()[:21]),
        f"({mid})!",
        f"so: {short}.",
        sentence(rng, 50),
    ]
    assert ngram_overlap([long, mid, short, sentence(rng, 30)], corpus).tolist() == [1, 1, 1, 0]
    assert ngram_overlap([long], corpus[1:2])[0] == pytest.approx(9 / 18)  # 21 words hold 9 of the 18 runs of 13
    assert np.isnan(ngram_overlap(["too short"], corpus)[0])


def test_planted_items_are_retrieved_and_others_are_not() -> None:
    rng = np.random.default_rng(2)
    items = [sentence(rng, 15) for _ in range(40)]
    corpus = [sentence(rng, 60) for _ in range(200)]
    for at in range(20):
        words = items[at].split()
        words[7] = "changed"
        corpus[at * 3] = f"{corpus[at * 3][:80]} {' '.join(words)} {corpus[at * 3][80:]}"
    found = RetrievalOverlap()
    matches = found.matches(items, corpus)
    assert found.hits(matches).tolist() == [True] * 20 + [False] * 20
    assert [match.document for match in matches[:20]] == [at * 3 for at in range(20)]


def said(case: Case, name: str = "contamination.overlap") -> Result:
    (found,) = load_audit(name).run(case)
    return found


@pytest.fixture
def benchmark(tmp_path: Path) -> tuple[list[str], Path]:
    rng = np.random.default_rng(77)
    items = [sentence(rng, 18) for _ in range(30)]
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps({"question": item, "answer": "42"}) + "\n" for item in items))
    return items, path


def test_leaked_items_are_found_in_their_rows(benchmark: tuple[list[str], Path]) -> None:
    items, path = benchmark
    data = rows()
    for at in range(6):
        data[at * 5] = Group(f"leak {at}", f"Please: {items[at]}", data[at].responses, (VOTE,))
    data[3] = Group("answer", "why?", (Response(f"I know this: {items[9]}"), Response("no idea")), (VOTE,))
    found = said(Case(Feedback.of(data), benchmarks=[str(path)]))
    assert isinstance(found, Finding) and sorted(found.rows.tolist()) == [0, 3, 5, 10, 15, 20, 25]
    assert found.details["items_found"] == 7 and found.severity == "high"  # 7 of 30 items
    assert found.fix == "drop-contaminated" and found.figure is not None and found.figure.value == 7 / 80
    clean = said(Case(Feedback.of(rows()), benchmarks=[str(path)]))
    assert isinstance(clean, Passed) and clean.details["items"] == 30


def test_an_item_that_was_reworded_a_little_is_found_by_its_window(benchmark: tuple[list[str], Path]) -> None:
    items, path = benchmark
    data = rows()
    words = items[0].split()
    words[::6] = ["other"] * len(words[::6])
    data[7] = Group("leak", " ".join(words), data[7].responses, (VOTE,))
    found = said(Case(Feedback.of(data), benchmarks=[str(path)]))
    assert isinstance(found, Finding) and found.rows.tolist() == [7] and found.table["found by"] == ["window"]


@pytest.mark.parametrize("form", ["csv", "txt", "parquet", "odd"])
def test_benchmarks_are_read_from_any_format(tmp_path: Path, form: str) -> None:
    import pandas as pd

    rng = np.random.default_rng(3)
    items = [sentence(rng, 12) for _ in range(5)]
    path = tmp_path / f"bench.{'parquet' if form == 'odd' else form}"
    if form == "txt":
        path.write_text("\n".join([*items, "short"]))
    elif form == "csv":
        pd.DataFrame({"problem": items, "level": 1}).to_csv(path, index=False)
    else:
        name = "question" if form == "parquet" else "whatever it is called"
        pd.DataFrame({name: items, "n": range(5)}).to_parquet(path)
    assert [item.text for item in read_items([str(path)])] == items


def test_a_benchmark_without_items_or_without_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_text("one two\n")
    for name in (str(path), str(tmp_path / "absent.parquet")):
        with pytest.raises(DataError):
            said(Case(Feedback.of(rows()), benchmarks=[name]))


def test_without_benchmarks_models_or_parts_the_audits_say_what_they_need() -> None:
    for name in ("contamination.overlap", "contamination.splits", "contamination.slot_guessing"):
        found = said(Case(Feedback.of(rows())), name)
        assert isinstance(found, Skipped) and found.why


def test_test_rows_whose_prompt_is_in_training_are_counted_exactly_and_nearly() -> None:
    train, test = rows(60, split="train"), rows(20, seed=1, split="test")
    test[0] = Group("same", train[4].prompt, test[0].responses, (VOTE,), meta={"split": "test"})
    test[1] = Group("near", f"{train[9].prompt} please", test[1].responses, (VOTE,), meta={"split": "test"})
    found = said(Case(Feedback.of([*train, *test])), "contamination.splits")
    assert isinstance(found, Finding) and found.rows.tolist() == [4, 9]
    assert (found.details["exact"], found.details["near"], found.details["test_rows"]) == (1, 1, 20)
    assert found.figure is not None and found.figure.value == 0.1 and found.severity == "medium"
    clean = said(Case(Feedback.of([*rows(60, split="train"), *rows(20, seed=1, split="test")])), "contamination.splits")
    assert isinstance(clean, Passed)


def test_several_files_are_parts(tmp_path: Path) -> None:
    train, test = rows(60), rows(20, seed=1)
    test[3] = Group("same", train[8].prompt, test[3].responses, (VOTE,))
    paths = [str(tmp_path / name) for name in ("a_train.parquet", "b_heldout.parquet")]
    for path, groups in zip(paths, (train, test), strict=True):
        Feedback.of(groups).write(path)
    found = said(Case(Feedback.read(paths), files=paths), "contamination.splits")
    assert (
        isinstance(found, Finding) and found.rows.tolist() == [8] and found.details["test_parts"] == "b_heldout.parquet"
    )


ITEMS = [
    ChoiceItem("What does the valve of a heart do?", ["it lets blood pass one way", "it beats", "it makes cells"], 0),
    ChoiceItem("Is water wet?", ["Yes", "No"], 0),
    ChoiceItem("How long is it?", ["5 cm", "5 cm²", "7 m"], 0),
    ChoiceItem("How many are there?", ["12", "14", "16", "18"], 1),
    ChoiceItem("Which of them is a city?", ["Bern in the west", "none of the above", "a river far away"], 2),
]


def test_a_model_that_memorised_the_test_names_the_hidden_option() -> None:
    asked: list[str] = []

    def memoriser(prompt: str) -> str:
        asked.append(prompt)
        for item in ITEMS:
            if item.question in prompt:
                hidden = next(option for option in item.options if option not in prompt)
                letter = "ABCD"[item.options.index(hidden)]
                return f"{letter}: [{hidden.upper()}]. I am sure."
        raise AssertionError

    found = TSGuessMultiChoice().guess(ITEMS, memoriser, seed=1)
    assert [guess.item for guess in found.guesses] == [0, 4]
    assert found.exact_match.value == 1.0 and found.rouge == pytest.approx(1.0)
    assert found.dropped == {"two options": 1, "options alike": 1, "no option that cannot be deduced": 1}
    assert all(prompt.count("[MASK]") == 2 for prompt in asked)


def test_a_model_that_answers_rightly_knows_nothing_of_the_hidden_option() -> None:
    def right(prompt: str) -> str:
        return next(item.options[item.answer] for item in ITEMS if item.question in prompt)

    found = TSGuessMultiChoice(numbers=True).guess(ITEMS, right, seed=2)
    assert len(found.guesses) == 3 and found.exact_match.value == 0.0
    hidden = [TSGuessMultiChoice().guess(ITEMS[:1], right, seed=seed).guesses[0].hidden for seed in range(30)]
    assert set(hidden) == {"it beats", "it makes cells"}  # never the right one


def test_hidden_words_are_known_to_a_memoriser_and_hints_are_shown() -> None:
    questions = ["Which gland produces the hormone insulin?", "What?", "Who of you was at it on it"]

    def memoriser(prompt: str) -> str:
        masked = next(line for line in prompt.splitlines()[1:] if "[MASK]" in line)
        a, b = masked.split(), questions[0].split()
        at = next(i for i in range(len(a)) if "[MASK]" in a[i])
        assert difflib.SequenceMatcher(None, a, b).ratio() > 0.7
        return f"{b[at]}!"

    found = TSGuessKeyword().guess(questions, memoriser, hints=["Source: a", "Source: b", "Source: c"])
    assert found.exact_match.value == 1.0 and found.dropped == {"short": 1, "no word of content": 1}
    assert "Source: a" in found.guesses[0].prompt
    assert TSGuessKeyword().guess(questions, lambda _: "").exact_match.value == 0.0


def test_many_known_words_are_a_finding_and_few_are_none() -> None:
    rng = np.random.default_rng(4)
    questions = [f"Explain the {WORDS[at % 250]} number {at} of the {sentence(rng, 6)}" for at in range(60)]
    truth = {guess.prompt: guess.hidden for guess in TSGuessKeyword().guess(questions, lambda _: "").guesses}
    known = told_of("x", TSGuessKeyword().guess(questions, truth.__getitem__), items_of(questions))
    blind = told_of("x", TSGuessKeyword().guess(questions, lambda _: "tides"), items_of(questions))
    assert isinstance(known, Finding) and known.severity == "high" and len(known.examples) == 10
    assert isinstance(blind, Passed)
    assert isinstance(told_of("x", TSGuessKeyword().guess([], truth.__getitem__), []), Skipped)


def test_wrong_settings_are_refused() -> None:
    for make in (
        lambda: Overlap(least=2.0),
        lambda: Splits(similar=-1.0),
        lambda: RetrievalOverlap(n_documents=0),
        lambda: BM25Index.of(["a"], b=2.0),
        lambda: ChoiceItem("q", ["a", "b"], 2),
        lambda: RetrievalOverlap().matches(["a"], ["b"], answers=[]),
        lambda: TSGuessKeyword().guess(["a"], str, hints=[]),
    ):
        with pytest.raises(SettingError):
            make()


def test_items_in_a_script_without_spaces_are_found_by_their_letters() -> None:
    signs = np.array(list("今天我们去河边修理旧桥因为气很好所以大家都高兴学习音乐"))
    rng = np.random.default_rng(3)
    items = ["".join(rng.choice(signs, 24)) + "。" for _ in range(6)]
    documents = [f"请回答：{item}谢谢" for item in items[:3]] + ["".join(rng.choice(signs, 40)) for _ in range(20)]
    assert ngram_overlap(items, documents).tolist() == [1, 1, 1, 0, 0, 0]


def test_a_benchmark_without_spaces_has_items(tmp_path: Path) -> None:
    (tmp_path / "bench.txt").write_text("今天我们去河边修理旧桥吗\n好\n", encoding="utf-8")
    assert [item.name for item in read_items([str(tmp_path / "bench.txt")])] == ["bench.txt:1"]
