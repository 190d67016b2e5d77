from __future__ import annotations

import pytest

from zermelo.errors import DataError, SettingError
from zermelo.feedback.records import Group, Response
from zermelo.scorers.load import load_scorer
from zermelo.scorers.protocol import Scorer
from zermelo.scorers.verifiers import ExactMatch, NumericAnswer, Predicate, RegexMatch


def group(*texts: str, answer: object = "1/2") -> Group:
    return Group("g", "?", tuple(Response(text) for text in texts), meta={"answer": answer})


def labels(scorer: Scorer, item: Group) -> list[tuple[int, float | None]]:
    (found,) = scorer.score([item])
    assert all(j.kind == "label" and j.by == scorer.name and j.criterion == "correct" for j in found)
    return [(j.on[0], j.value) for j in found]


def test_numbers_are_compared_by_value_and_the_answer_found_is_noted() -> None:
    item = group("so 0.5", "it is 2/4", r"\boxed{\frac13}", "no idea")
    assert labels(NumericAnswer(), item) == [(0, 1.0), (1, 1.0), (2, 0.0), (3, 0.0)]
    assert [j.note for j in NumericAnswer().score([item])[0]] == ["0.5", "2/4", r"\frac13", None]


def test_a_worked_gold_solution_and_a_gold_number_do_too() -> None:
    assert labels(NumericAnswer(), group("72", answer="48+24 = 72\n#### 72")) == [(0, 1.0)]
    assert labels(NumericAnswer(), group("72", answer=72)) == [(0, 1.0)]


def test_empty_and_failed_responses_are_not_judged() -> None:
    responses = (Response(" "), Response("1/2", finish="error"), Response(source="m"), Response("1/2", answer="7"))
    item = Group("g", "?", responses, meta={"answer": "1/2"})
    assert labels(NumericAnswer(), item) == [(3, 0.0)]  # an extracted answer goes before the text


def test_a_group_without_gold_is_left_out_and_none_with_gold_is_an_error() -> None:
    items = [group("1/2"), Group("h", "?", (Response("1"),))]
    assert [len(found) for found in NumericAnswer().score(items)] == [1, 0]
    with pytest.raises(DataError, match=r"no group has meta\['gold'\] to compare with; meta has answer"):
        NumericAnswer(gold="gold").score(items)
    assert NumericAnswer().score([]) == []


def test_exact_match_forgives_space_and_case_where_asked() -> None:
    item = group(" the  CAT ", answer="the cat")
    assert labels(ExactMatch(), item) == [(0, 0.0)]
    assert labels(ExactMatch(ignore_case=True), item) == [(0, 1.0)]
    assert labels(ExactMatch(ignore_case=True, ignore_space=False), item) == [(0, 0.0)]


def test_a_regular_expression_is_found_or_absent() -> None:
    item = group("<think>a\nb</think> 7", "7")
    assert labels(RegexMatch(r"<think>.*</think>"), item) == [(0, 1.0), (1, 0.0)]
    assert labels(RegexMatch(r"<think>", absent=True), item) == [(0, 0.0), (1, 1.0)]
    with pytest.raises(SettingError):
        RegexMatch("(")


def test_a_python_function_decides() -> None:
    def short(item: Group, response: Response) -> bool | None:
        return None if response.content == "?" else len(response.content) < 3

    scorer = Predicate(short)
    assert scorer.name == "short"
    assert labels(scorer, group("ab", "abcd", "?")) == [(0, 1.0), (1, 0.0)]


def test_a_python_function_is_named_by_its_import_path() -> None:
    assert Predicate("math:isnan").name == "isnan"
    for wrong in ("math", "no.such.module:f", "math:nothing", "math:pi"):
        with pytest.raises(SettingError):
            Predicate(wrong)


@pytest.mark.parametrize("answer", [2.0, "yes", float("nan")])
def test_a_function_that_fails_or_gives_no_verdict_is_named(answer: object) -> None:
    with pytest.raises(DataError, match="group g"):
        Predicate(lambda item, response: answer).score([group("a")])  # type: ignore[arg-type,return-value]
    with pytest.raises(DataError, match="ZeroDivisionError"):
        Predicate(lambda item, response: 1 / 0).score([group("a")])


def test_scorers_are_found_by_name() -> None:
    assert load_scorer("numeric", {"gold": "answer"}) == NumericAnswer()
    assert load_scorer("predicate", {"function": "math:isnan"}).name == "isnan"
    with pytest.raises(SettingError, match="did you mean `numeric`"):
        load_scorer("numerik")
    with pytest.raises(SettingError, match="numeric"):
        load_scorer("numeric", {"golden": "answer"})
