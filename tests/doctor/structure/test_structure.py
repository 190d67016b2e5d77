"""Audits of structure: each fires on what is planted, in the right rows, and is silent on clean data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from zermelo.doctor.case import Case
from zermelo.doctor.checks import CHECKS
from zermelo.doctor.protocol import Finding, Passed, Result, Skipped
from zermelo.doctor.registry import AUDITS, load_audit
from zermelo.doctor.structure.near_duplicate import NearDuplicate
from zermelo.doctor.structure.patterns import PATTERNS, around, check_of, iban_valid, luhn_valid
from zermelo.errors import SettingError
from zermelo.feedback import Feedback, Group, Judgement, Message, Response

FIRST = Judgement("comparison", (0, 1), value=1.0, outcome="first")
SUBJECTS = "tides bread clocks moss rivers glass copper maps foxes rain chess ink salt owls paper sails".split()  # noqa: SIM905


def group(at: int, chosen: str = "", rejected: str = "", prompt: object = None, **more: object) -> Group:
    """A row; texts that are not given are sentences of their own."""
    one, two = SUBJECTS[at % 16], SUBJECTS[(at // 16 + 5) % 16]
    asked = f"Please explain, in case {at}, how {one} and {two} came to be known." if prompt is None else prompt
    texts = (
        chosen or f"Once, in year {at}, {one} were rare and nobody here had heard of {two}. Then came trade with {at}.",
        rejected or f"Source {at} says that {two} came first, long before {one}, but few agree with source {at}.",
    )
    responses = tuple(Response(text) for text in texts)
    return Group(str(at), asked, responses, (FIRST,), **more)  # type: ignore[arg-type]


def case_of(*changed: Group, n: int = 60) -> Case:
    """`n` clean rows, the first ones in place of which others stand."""
    return Case(Feedback.of([*changed, *(group(at) for at in range(len(changed), n))]))


def said(name: str, case: Case) -> Result:
    (found,) = load_audit(name).run(case)
    return found


STRUCTURE = [name for name, place in AUDITS.items() if place.startswith("doctor.structure")]


@pytest.mark.parametrize("name", STRUCTURE)
def test_clean_rows_raise_nothing(name: str) -> None:
    found = said(name, case_of())
    assert isinstance(found, Passed | Skipped)


PLANTED = {
    "structure.empty": group(0, " \n\t"),
    "structure.identical": group(0, "The very same answer.", "The very same answer."),
    "structure.template": group(0, "Here it is.<|im_end|>\n<|im_start|>user"),
    "structure.bos": group(0, prompt="<s> How are tides made, and why?"),
    "structure.eos": group(0, "That is all I know about it.</s>"),
    "structure.encoding": group(0, "It wasnâ€™t me, I was in the café."),
    "structure.refusals": group(0, "I'm sorry, but I can't help with that."),
    "structure.identity": group(0, "As an AI language model, I have no opinion on tides."),
    "structure.personal": group(0, "Write to maria.keller@uni-bern.ch about it."),
    "structure.languages": group(0, "Das ist nicht so einfach, aber ich kann es dir in einem Satz erklären."),
    "structure.differing_prompts": group(0, meta={"suspicious": ["differing-prompts"]}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_row_is_found_and_no_other(name: str) -> None:
    found = said(name, case_of(PLANTED[name]))
    assert isinstance(found, Finding)
    assert found.rows.tolist() == [0]
    assert found.figure is not None and found.figure.value == pytest.approx(1 / 60, rel=0.05)
    assert found.figure.low < 1 / 60 < found.figure.high
    assert len(found.examples) == 1 and found.examples[0].row == 0
    assert found.severity in ("low", "medium")
    assert "{" not in found.title


@pytest.mark.parametrize(
    "text",
    ["[INST] do it", "<start_of_turn>model", "<|eot_id|>", "<|start_header_id|>user", "<<SYS>>", "<|endoftext|>",
     "<｜User｜>", "<|END_OF_TURN_TOKEN|>", "one\nHuman: two", "\n### Assistant: yes", "\n### Instruction:"],
)  # fmt: skip
def test_tokens_of_all_usual_templates_are_seen(text: str) -> None:
    assert isinstance(said("structure.template", case_of(group(0, f"An answer. {text} more"))), Finding)


def test_a_tag_of_a_web_page_is_no_template() -> None:
    page = "Use <s>strike</s>through or <b>bold</b>, or a < b and [1]. The human: a user."
    assert isinstance(said("structure.template", case_of(group(0, page.replace("</s>", "")))), Passed)


def test_rows_that_say_the_same_twice_are_duplicates_but_other_votes_are_not() -> None:
    again = [group(0), group(1), Group("x", group(0).prompt, group(0).responses, group(0).judgements)]
    other = Group("y", group(1).prompt, group(1).responses, (Judgement("comparison", (0, 1), "eve", 0.0),))
    found = said("structure.duplicate", case_of(*again, other))
    assert isinstance(found, Finding) and found.rows.tolist() == [2]
    assert found.examples[0].note == "as row 0"
    assert found.fix == "drop-duplicates"


def test_ratings_and_labels_make_rows_differ() -> None:
    rated = [Judgement("rating", (0,), value=value, low=1, high=5) for value in (2.0, 3.0, 2.0)]
    rows = [Group(str(at), "How?", (Response("So."),), (item,)) for at, item in enumerate(rated)]
    found = said("structure.duplicate", Case(Feedback.of(rows)))
    assert isinstance(found, Finding) and found.rows.tolist() == [2]


def test_thousands_of_equal_rows_are_one_row_and_its_copies() -> None:
    case = Case(Feedback.of([group(0)] * 5_000))
    found = said("structure.duplicate", case)
    assert isinstance(found, Finding) and len(found.rows) == 4_999 and found.severity == "high"
    assert isinstance(said("structure.near_duplicate", case), Passed)


def test_repeated_prompts_count_all_but_the_first_and_first_turns_apart() -> None:
    talk = (Message("user", "Hello there, friend"), Message("assistant", "Hi."), Message("user", "Why?"))
    rows = [group(0, prompt="Who wrote this?"), group(1, prompt=" Who wrote this? "), group(2, prompt=talk),
            group(3, prompt=(*talk[:2], Message("user", "How?")))]  # fmt: skip
    found = said("structure.prompts", case_of(*rows))
    assert isinstance(found, Finding) and found.rows.tolist() == [1]
    assert found.details["first_turns"] == 2 and found.details["first_turns_shared"] == 4


def test_many_rows_a_prompt_by_design_are_no_fault() -> None:
    found = said("structure.prompts", Case(Feedback.of([group(at, prompt=f"Ask {at % 10}") for at in range(100)])))
    assert isinstance(found, Finding) and found.severity == "info" and found.fix == ""


def test_near_duplicates_are_found_in_clusters_and_equal_rows_are_not_theirs() -> None:
    long = " ".join(f"{SUBJECTS[k % 16]} number {k} is told of in book {k * k}," for k in range(40))
    near = long.replace("number 7 ", "number seven ")
    rows = [group(0, long, long[:-1] + "."), group(1, near, near[:-1] + ".", prompt=group(0).prompt), group(0)]
    found = said("structure.near_duplicate", case_of(*rows))
    assert isinstance(found, Finding) and found.rows.tolist() == [0, 1]


def test_of_too_many_rows_a_sample_is_looked_at_and_the_title_says_so() -> None:
    (found,) = NearDuplicate(most=20).run(case_of())
    assert isinstance(found, Passed) and "a sample of 20 of 60" in found.title
    assert found.figure is not None and found.figure.n == 20


def test_sketches_estimate_the_jaccard_similarity() -> None:
    import pyarrow as pa

    from zermelo.doctor.structure.sketches import similarity, sketch

    rng = np.random.default_rng(0)
    words = np.array([f"w{k}" for k in range(4_000)])
    errors = []
    for shared in (0.95, 0.8, 0.5, 0.2):
        for _ in range(10):
            one = rng.choice(words, 300)
            other = one.copy()
            cut = int(300 * (1 - shared))
            other[:cut] = rng.choice(words, cut)
            sets = [{tuple(side[k : k + 3]) for k in range(298)} for side in (one, other)]
            true = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
            made = sketch(pa.array([" ".join(one), " ".join(other)]))
            errors.append(float(similarity(made, np.array([0]), np.array([1]))[0]) - true)
    # standard error of a mean of 128 bins at ½ is 0.044
    assert abs(np.mean(errors)) < 0.02 and np.std(errors) < 0.05


def test_scripts_without_spaces_are_compared_by_characters() -> None:
    import pyarrow as pa

    from zermelo.doctor.structure.sketches import near_clusters, sketch

    text = "春の海ひねもすのたりのたりかな古池や蛙飛びこむ水の音柿くへば鐘が鳴るなり法隆寺" * 2
    cluster = near_clusters(sketch(pa.array([text, text[:-1] + "山", "雪とけて村いっぱいの子どもかな" * 4, "", ""])))
    assert cluster[0] == cluster[1] != cluster[2] and cluster[3] != cluster[4]


def test_answers_cut_at_a_number_of_characters_are_found() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for at in range(120):
        text = " ".join(rng.choice(SUBJECTS, int(rng.integers(20, 60)))) + "."
        rows.append(group(at, text[:200] if len(text) > 200 else text, "A short one, complete."))
    # a cut may fall behind the last word's end, which no check of the end can see
    true = [at for at in range(120) if len(rows[at].responses[0].content) == 200]
    found = said("structure.truncated", Case(Feedback.of(rows)))
    assert isinstance(found, Finding) and found.rows.tolist() == true and len(true) > 20
    assert found.details["cut_at_characters"] == 200


def test_answers_cut_at_a_number_of_tokens_are_found_by_open_ends_of_long_ones() -> None:
    rng = np.random.default_rng(4)
    rows = []
    for at in range(200):
        n = int(rng.integers(5, 80))
        words = [str(word) for word in rng.choice(SUBJECTS, min(n, 50))]
        rows.append(group(at, " ".join(words) + ("" if n > 50 else "."), "A short one, complete."))
    true = {at for at in range(200) if not rows[at].responses[0].content.endswith(".")}
    found = said("structure.truncated", Case(Feedback.of(rows)))
    assert isinstance(found, Finding)
    assert len(true & set(found.rows.tolist())) > 0.8 * len(true) and set(found.rows.tolist()) <= true


def test_what_the_sampler_calls_cut_is_cut() -> None:
    cut = Group(
        "c", "Why is that?", (Response("Because of", finish="cut"), Response("So.", finish="stopped")), (FIRST,)
    )
    found = said("structure.truncated", case_of(cut))
    assert isinstance(found, Finding) and found.rows.tolist() == [0] and found.details["said_by_the_sampler"] == 1


def test_prompt_ids_that_begin_twice_and_answers_that_stopped_without_end_are_found() -> None:
    def sampled(at: int, prompt_ids: tuple[int, ...], ids: tuple[int, ...]) -> Group:
        text = Response(
            f"Answer {at}.", token_ids=ids, logprobs=(0.0,) * len(ids), prompt_ids=prompt_ids, finish="stopped"
        )
        return Group(str(at), f"Question {at}?", (text,))

    rows = [sampled(at, (1, 1, 5) if at == 2 else (1, 5, 7), (8, 9, 4 if at == 3 else 2)) for at in range(20)]
    case = Case(Feedback.of(rows))
    double, end = said("structure.bos", case), said("structure.eos", case)
    assert isinstance(double, Finding) and double.rows.tolist() == [2]
    assert isinstance(end, Finding) and end.rows.tolist() == [3]


def test_where_nearly_all_end_in_a_token_those_that_do_not_are_odd() -> None:
    rows = [group(at, f"Answer {at}.</s>", f"No, {at}.</s>") for at in range(30)]
    found = said("structure.eos", Case(Feedback.of([*rows, group(30, "An answer.", "Other.</s>")])))
    assert isinstance(found, Finding) and found.rows.tolist() == [30]


def test_roles_that_do_not_take_turns_are_told_by_kind() -> None:
    def talk(*roles: str) -> tuple[Message, ...]:
        return tuple(Message(role, "Well.", {"tool_calls": []} if role == "tool" else None) for role in roles)

    talks = [
        talk("system", "user", "assistant", "user"),
        talk("user", "user"),
        talk("user", "assistant", "assistant", "user"),
        talk("user", "system", "assistant", "user"),
        talk("assistant", "user"),
        talk("user", "assistant"),
        talk("user", "assistant", "tool", "assistant", "user"),
        (*talk("user"), Message("assistant", "", {"tool_calls": [{"id": "1"}]}), *talk("assistant", "user")),
    ]
    found = said("structure.roles", Case(Feedback.of([group(at, prompt=item) for at, item in enumerate(talks)])))
    assert isinstance(found, Finding) and found.rows.tolist() == [1, 2, 3, 4]
    assert [found.details[name] for name in list(found.details)[:4]] == [1, 1, 1, 1]


def test_languages_are_told_by_script_and_by_small_words() -> None:
    from zermelo.doctor.structure.tongues import language_of

    texts = {
        "en": "What is the best way to learn how this works for you and me?",
        "de": "Wie kann ich das am besten lernen und was muss ich dafür tun?",
        "fr": "Je ne sais pas comment faire cela, mais il est dans la maison.",
        "es": "No sé cómo hacer esto, pero la casa es de mi hermano y está lejos.",
        "pt": "Não sei como fazer isso, mas a casa é do meu irmão e está longe.",
        "ru": "Я не знаю, как это сделать.",
        "ja": "これはどうすればいいですか。",
        "zh": "这个问题怎么解决？",
        "ko": "이것은 무엇입니까?",
        "ar": "كيف يمكنني أن أفعل ذلك؟",
        "?": "x = [1, 2, 3]; print(sum(x))",
    }
    assert {name: language_of(text) for name, text in texts.items()} == {name: name for name in texts}
    assert language_of("😀🎉🚀") == language_of("") == "?"


def test_openings_that_many_answers_share_are_named() -> None:
    rows = [group(at, f"Certainly! Here is what I know. {SUBJECTS[at % 16]} and {at}.") for at in range(30)]
    found = said("structure.boilerplate", case_of(*rows))
    assert isinstance(found, Finding) and found.severity == "low"
    assert found.table["wording"][0] == "certainly! here is what i"
    assert set(found.rows.tolist()) == set(range(30))


def test_check_digits_are_those_of_the_standards() -> None:
    assert luhn_valid("4539 1488 0343 6467") and luhn_valid("378282246310005")
    assert not luhn_valid("4539 1488 0343 6468") and not luhn_valid("0000 0000 0000 0000") and not luhn_valid("12")
    assert iban_valid("DE89 3704 0044 0532 0130 00") and iban_valid("GB82WEST12345698765432")
    assert not iban_valid("DE88 3704 0044 0532 0130 00") and not iban_valid("DE89")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mail to a.b@firma.de now", "email"),
        ("mail to me@example.com now", None),
        ("call +41 31 631 81 11 today", "phone"),
        ("call 555-0123 or (123) 456-7890", None),
        ("so $<<157000+499000+125000=781000>> in all", None),
        ("+4131631811100", "phone"),
        ("pay DE89 3704 0044 0532 0130 00", "iban"),
        ("pay DE88 3704 0044 0532 0130 00", None),
        ("card 4539 1488 0343 6467", "card"),
        ("card 4539 1488 0343 6468", None),
        ("host 93.184.216.34 is up", "ip"),
        ("host 192.168.1.1, section 1.1.1.1", None),
        ("key sk-abcdefghijklmnopqrstuvwx", "key"),
    ],
)
def test_personal_data_is_told_from_what_only_looks_like_it(text: str, kind: str | None) -> None:
    import pyarrow as pa

    names = ("email", "phone", "iban", "card", "ip", "key")
    checks = [check_of(item) for item in PATTERNS if item.name in names]
    given = pa.array([text, "nothing"])
    assert [check.name for check in checks if check.test(given)[0]] == ([] if kind is None else [kind])
    shown = around(names, masked=True)(text)
    assert "sk-a" not in shown and "4539" not in shown


def test_every_check_sees_alone_what_it_sees_among_all() -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pa.array(["ok", "a\ufffdb", "x@y.org", "\x07", "I am ChatGPT.", "<|im_end|>", "\nHuman: no", "ï»¿"])
    for item in PATTERNS:
        alone = pc.match_substring_regex(texts, item.regex).to_numpy(zero_copy_only=False)
        assert check_of(item).test(texts).tolist() == alone.tolist()
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def bare(n: int = 50) -> Sequence[Group]:
    return [Group(str(at), None, (Response(source="a"), Response(source="b")), (FIRST,)) for at in range(n)]


@pytest.mark.parametrize("name", STRUCTURE)
@pytest.mark.parametrize("kind", ["battles", "emoji", "one row", "nothing"])
def test_odd_data_gets_an_answer(name: str, kind: str) -> None:
    rows = {
        "battles": bare(),
        "emoji": [group(at, "😀" * (at + 1), "🎉🚀", prompt="🙈") for at in range(20)],
        "one row": [group(0)],
        "nothing": [],
    }[kind]
    found = load_audit(name).run(Case(Feedback.of(rows)))
    assert len(found) >= 1
    if kind in ("battles", "nothing") and name not in ("structure.differing_prompts",):
        assert all(isinstance(item, Skipped | Passed) for item in found)


def test_a_selection_keeps_its_positions() -> None:
    whole = case_of(*(group(at) for at in range(5)), group(5, "I'm sorry, but I can't do it."))
    part = Case(whole.feedback.filter(lambda item: int(item.id) >= 3))
    found = said("structure.refusals", part)
    assert isinstance(found, Finding) and found.rows.tolist() == [5]
    found = said("structure.near_duplicate", part)
    assert isinstance(found, Passed)


def test_wrong_settings_are_refused() -> None:
    for settings in ({"similar": 1.5}, {"most": 0}):
        with pytest.raises(SettingError):
            NearDuplicate(**settings)  # type: ignore[arg-type]


def test_good_and_bad_answers_to_a_prompt_in_rows_of_their_own_are_no_repeated_prompts() -> None:
    good = Judgement("label", (0,), value=1.0)
    rows = [Group(str(at), f"question {at // 2}?", (Response(f"answer {at}"),), (good,)) for at in range(79)]
    found = said("structure.prompts", Case(Feedback.of(rows)))
    assert isinstance(found, Finding) and found.severity == "info" and not found.fix
