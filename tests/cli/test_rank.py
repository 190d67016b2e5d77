"""`zermelo rank`: boards, files, next, power; every kind of bad input with its exit code."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zermelo.cli.app import main
from zermelo.feedback import Group, Judgement, Response, write_groups


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as done:
        main(["rank", *(str(arg) for arg in args)])
    return int(done.value.code or 0)


def rank(capsys: Any, *args: object) -> Any:
    assert run(*args, "--json") == 0
    return json.loads(capsys.readouterr().out)


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def league(n: int = 600, *, players: int = 4, seed: int = 0, **more: Any) -> list[dict[str, object]]:
    """Battles with style: the second player of the file's first pair is verbose."""
    rng = np.random.default_rng(seed)
    skill = np.linspace(1, -1, players)
    rows: list[dict[str, object]] = []
    for i in range(n):
        a, b = rng.choice(players, 2, replace=False)
        length = rng.integers(10, 200, 2)
        style = 1.5 * (length[0] - length[1]) / length.sum()
        win = rng.random() < 1 / (1 + np.exp(-(skill[a] - skill[b] + style)))
        winner = "tie" if rng.random() < 0.1 else "model_a" if win else "model_b"
        rows.append(
            {
                "model_a": f"m{a}",
                "model_b": f"m{b}",
                "winner": winner,
                "judge": f"w{i % 9}",
                "prompt": f"q{i % 50}",
                "language": ("en", "de")[i % 3 == 0],
                "length_a": length[0],
                "length_b": length[1],
                **more,
            }
        )
    return rows


@pytest.fixture
def battles(tmp_path: Path) -> Path:
    return write(tmp_path / "battles.csv", league())


def test_prints_the_board_best_first(battles: Path, capsys: Any) -> None:
    assert run(battles) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["rank", "player", "rating"]
    assert [line.split()[1] for line in lines[1:5]] == ["m0", "m1", "m2", "m3"]


def test_json_has_the_documented_fields(battles: Path, capsys: Any) -> None:
    found = rank(capsys, battles)
    assert list(found) == ["schema", "model", "players", "fit", "warnings"]
    wanted = "name rating ci_low ci_high rank rank_low rank_high games win_rate win_rate_length_controlled"
    assert set(found["players"][0]) == set(wanted.split())
    assert found["players"][0]["win_rate_length_controlled"] is None
    assert sum(player["games"] for player in found["players"]) == 1200


def test_the_fast_count_equals_the_view(battles: Path) -> None:
    from zermelo.feedback.opening import open_battles, tally
    from zermelo.ranking.reading import counts_of, counts_of_tally

    found = tally([str(battles)])
    assert found is not None
    fast, slow = counts_of_tally(found), counts_of(open_battles([str(battles)]))
    for one, two in zip(fast.matrices(), slow.matrices(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_columns_of_other_names_are_told(tmp_path: Path, battles: Path, capsys: Any) -> None:
    names = {"model_a": "home", "model_b": "away", "winner": "result", "judge": "worker"}
    rows = [{names.get(key, key): value for key, value in row.items()} for row in league()]
    other = write(tmp_path / "other.csv", rows)
    columns = ("--columns", "a=home,b=away,winner=result,by=worker")
    assert rank(capsys, other, *columns)["players"] == rank(capsys, battles)["players"]
    assert rank(capsys, other, *columns, "--cluster", "by")["fit"]["errors"] == "sandwich"


def test_control_finds_the_effect_of_style_and_takes_it_out(battles: Path, capsys: Any) -> None:
    found = rank(capsys, battles, "--control", "length", "--model", "davidson")
    style = found["fit"]["parameters"]["length"]
    assert style["value"] > 3 * style["error"] and "tie" in found["fit"]["parameters"]


def test_control_reads_the_texts_of_groups(tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    groups = []
    for i in range(300):
        long = rng.integers(1, 60, 2)
        wins = rng.random() < 1 / (1 + np.exp(-2 * (long[0] - long[1]) / long.sum()))
        sides = tuple(
            Response(text="word " * int(n) + "**bold** " * int(rng.integers(0, 4)), source=name)
            for n, name in zip(long, ("x", "y"), strict=True)
        )
        said = (Judgement("comparison", (0, 1), f"w{i % 5}", float(wins), outcome="first" if wins else "second"),)
        groups.append(Group(f"g{i}", f"prompt {i % 40}", sides, said, meta={"topic": "ab"[i % 2]}))
    path = tmp_path / "groups.parquet"
    write_groups(groups, path)
    found = rank(capsys, path, "--control", "length,markdown", "--cluster", "prompt", "--by", "topic")
    assert found["fit"]["parameters"]["length"]["error"] > 0
    assert set(found["categories"]) == {"a", "b"}


def test_a_board_for_each_category_is_pooled_towards_the_whole(battles: Path, capsys: Any) -> None:
    found = rank(capsys, battles, "--by", "language")
    assert {name: part["battles"] for name, part in found["categories"].items()} == {"de": 200, "en": 400}
    whole, de = found["players"], found["categories"]["de"]["players"]
    assert [row["name"] for row in de] == [row["name"] for row in whole]
    assert de[0]["ci_high"] - de[0]["ci_low"] < 2.5 * (whole[0]["ci_high"] - whole[0]["ci_low"])


def test_clusters_of_copies_widen_the_intervals(tmp_path: Path, capsys: Any) -> None:
    rows = [row for i, row in enumerate(league(200)) for row in [{**row, "prompt": f"q{i}"}] * 4]
    path = write(tmp_path / "copies.csv", rows)

    def width(*args: object) -> float:
        row = rank(capsys, path, *args)["players"][0]
        return float(row["ci_high"] - row["ci_low"])

    plain, clustered = width(), width("--cluster", "prompt")
    assert clustered == pytest.approx(2 * plain, rel=1e-6)  # four copies: √4
    assert width("--cluster", "prompt", "--bootstrap", 400) == pytest.approx(clustered, rel=0.2)


def test_few_clusters_are_said_to_be_few(battles: Path, capsys: Any) -> None:
    assert any("only 9 clusters" in line for line in rank(capsys, battles, "--cluster", "judge")["warnings"])
    assert not any("clusters" in line for line in rank(capsys, battles, "--cluster", "prompt")["warnings"])


@pytest.mark.parametrize("model", ["elo", "glicko", "glicko2", "trueskill", "plackett-luce", "thurstone", "rao-kupper"])
def test_every_model_puts_the_strongest_first(model: str, battles: Path, capsys: Any) -> None:
    found = rank(capsys, battles, "--model", model)
    assert found["model"] == model and found["players"][0]["name"] == "m0" and found["players"][0]["ci_low"] is not None


@pytest.mark.parametrize("suffix", [".json", ".html", ".md", ".csv", ".parquet"])
def test_writes_the_board_in_every_form(suffix: str, battles: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / f"board{suffix}"
    assert run(battles, "-o", out, "-o", tmp_path / "again.json") == 0
    assert out.stat().st_size > 100 and (tmp_path / "again.json").exists()
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        assert pq.read_table(out).column("name").to_pylist() == ["m0", "m1", "m2", "m3"]
    else:
        assert "m0" in out.read_text()


def test_next_links_pieces_and_says_why(tmp_path: Path, capsys: Any) -> None:
    rows = [{"model_a": a, "model_b": b, "winner": w} for a, b in ("ab", "cd") for w in ("model_a", "model_b")]
    path = write(tmp_path / "islands.csv", rows)
    assert run("next", path, "-n", 2, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0]["reason"] == "links" and len(found) == 2


def test_next_takes_a_goal_and_costs(battles: Path, capsys: Any) -> None:
    def asked(*args: object) -> list[str]:
        assert run("next", battles, "-n", 6, "--random", 0, "--json", *args) == 0
        return [name for pair in json.loads(capsys.readouterr().out) for name in (pair["a"], pair["b"])]

    assert asked("--goal", "top", "--top", 1) != asked("--goal", "order")
    assert "m1" in asked() and "m1" not in asked("--cost", "m1=1000")
    assert run("next", battles, "--cost", "m1") == 2
    assert run("next", battles, "--cost", "nobody=2") == 2
    assert "unknown-player" in capsys.readouterr().err


def test_settled_lists_the_pairs_that_their_own_votes_decide(battles: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("settled", battles, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {"better": "m0", "worse": "m3"}.items() <= found[0].items() and found[0]["log_e"] > 5
    assert run("settled", battles) == 0
    assert "m3" in capsys.readouterr().out
    few = write(tmp_path / "few.csv", league(12))
    assert run("settled", few) == 0
    assert "no pair is settled" in capsys.readouterr().err


def test_power_says_how_many_votes_are_missing(battles: Path, capsys: Any) -> None:
    assert run("power", battles, "m0", "m3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["separated"] is True
    assert run("power", battles, "m0", "nobody") == 2
    assert "unknown-player" in capsys.readouterr().err


def annotations(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "annotations.json").write_text(json.dumps(rows))


def row(model: str, i: int, text: str, preference: float | None) -> dict[str, Any]:
    other = "base answer " * (3 + i % 5)
    return {
        "instruction": f"question {i}", "generator_1": "base", "output_1": other,
        "generator_2": model, "output_2": text, "preference": preference,
    }  # fmt: skip


def test_length_control_over_a_folder_of_annotations(tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    for model, words in (("long", 60), ("short", 6)):
        texts = [" ".join(str(x) for x in rng.integers(0, 9999, words + int(rng.integers(0, 9)))) for _ in range(80)]
        rows = [row(model, i, text, 1 + float(rng.uniform(0, 1))) for i, text in enumerate(texts)]
        annotations(tmp_path, model, rows[::-1] if model == "short" else rows)  # joined by text, not by position
    annotations(tmp_path, "null", [row("null", i, "always this answer, whatever you ask", 1.9) for i in range(80)])
    annotations(tmp_path, "base", [row("base", i, "base answer " * (3 + i % 5), 1.5) for i in range(80)])
    found = rank(capsys, tmp_path, "--length-controlled", "--baseline", "base", "--bootstrap", 20)
    controlled = {player["name"]: player["win_rate_length_controlled"] for player in found["players"]}
    assert set(controlled) == {"long", "short", "null", "base"} and controlled["base"] == 0.5
    assert any("80 rows left out: base against itself" in line for line in found["warnings"])
    assert [line.split(":")[0] for line in found["warnings"] if "constant answers" in line] == ["null"]


def many_annotations(folder: Path) -> dict[str, tuple[float, float, float]]:
    """Six models judged with known coefficients; φ, ψ, θ of each."""
    rng = np.random.default_rng(1)
    truth = {f"m{k}": (-1.5, 1.0, -1.5 + 0.5 * k) for k in range(6)}
    hard = rng.normal(0, 1, 150)
    for k, (model, (phi, psi, theta)) in enumerate(truth.items()):
        sizes = rng.integers(3, 12, 150) + (12 if k % 2 else 0)
        texts = [" ".join(str(x) for x in rng.integers(0, 9999, size)) for size in sizes]
        delta = np.array([len("base answer " * (3 + i % 5)) - len(text) for i, text in enumerate(texts)], dtype=float)
        p = 1 / (1 + np.exp(-(phi * np.tanh(delta / delta.std(ddof=1)) + psi * hard + theta)))
        annotations(folder, model, [row(model, i, text, 1 + float(p[i])) for i, text in enumerate(texts)])
    return truth


def test_published_coefficients_of_some_models_anchor_the_others(tmp_path: Path, capsys: Any) -> None:
    truth = many_annotations(tmp_path / "all")
    table = write(
        tmp_path / "published.csv",
        [
            {"model": name, "phi": phi, "psi": psi, "theta": theta}
            for name, (phi, psi, theta) in [("base", (0.0, 0.0, 0.0)), *list(truth.items())[:4]]
        ],
    )
    common = (tmp_path / "all", "--length-controlled", "--baseline", "base", "--bootstrap", 5)
    found = rank(capsys, *common, "--prior", table)
    assert any("coefficients of 4 of 6 models" in line for line in found["warnings"])
    assert "published coefficients" in found["fit"]["method"]
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 1, 150)
    fair = {name: float((1 / (1 + np.exp(-(psi * hard + theta)))).mean()) for name, (_, psi, theta) in truth.items()}
    rates = {row["name"]: row["win_rate_length_controlled"] for row in found["players"]}
    raw = {row["name"]: row["win_rate"] for row in found["players"]}
    off, raw_off = (max(abs(of[name] - fair[name]) for name in ("m4", "m5")) for of in (rates, raw))
    assert off < 0.03 < 0.1 < raw_off  # neither has a row in the table
    assert run(*common, "--prior", tmp_path / "nothing.csv") == 3
    foreign = write(tmp_path / "foreign.csv", [{"model": "z", "phi": -1, "psi": 1, "theta": 0}])
    assert run(*common, "--prior", foreign) == 2
    bad = write(tmp_path / "bad.csv", [{"model": "m0", "phi": "x", "psi": 1, "theta": 0}])
    assert run(*common, "--prior", bad) == 3
    assert "bad.csv:2" in capsys.readouterr().err
    assert run(*common, "--prior", write(tmp_path / "short.csv", [{"model": "m0", "phi": 1}])) == 3


BAD = {
    "empty": ([{"model_a": "", "model_b": "", "winner": ""}], 3, "missing-field"),
    "unknown winner": ([{"model_a": "a", "model_b": "b", "winner": "nobody"}], 3, "unknown-winner"),
    "one player": ([{"model_a": "a", "model_b": "a", "winner": "tie"}], 3, "no-battles"),
    "NaN weight": ([{"model_a": "a", "model_b": "b", "winner": "model_a", "weight": "nan"}], 3, "bad-weight"),
    "negative weight": ([{"model_a": "a", "model_b": "b", "winner": "model_a", "weight": -1}], 3, "bad-weight"),
    "probability of 1.5": ([{"model_a": "a", "model_b": "b", "prob": 1.5}], 3, "unknown-winner"),
    "probability below 0": ([{"model_a": "a", "model_b": "b", "prob": -0.1}], 3, "unknown-winner"),
    "probability NaN": ([{"model_a": "a", "model_b": "b", "prob": "nan"}], 3, "unknown-winner"),
    "no player named": ([{"model_a": "a", "model_b": "", "winner": "model_a"}], 3, "missing-field"),
    "no winner": ([{"model_a": "a", "model_b": "b", "points": 3}], 3, "unknown-format"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_battles_end_with_their_code(name: str, tmp_path: Path, capsys: Any) -> None:
    rows, code, word = BAD[name]
    path = write(tmp_path / "bad.csv", rows)
    assert run(path) == code
    assert word in capsys.readouterr().err
    assert run(path, "--json") == code
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == code


def test_an_unknown_winner_is_told_the_accepted_words_and_its_row(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path / "odd.csv", [*league(5), {**league(1)[0], "winner": "the left one"}])
    assert run(path) == 3
    shown = capsys.readouterr().err
    assert "odd.csv:7: winner 'the left one'" in shown and "a side, one of the two names, tie, both_bad" in shown


def test_bad_rows_are_left_out_and_counted_when_asked(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path / "odd.csv", [*league(50), {**league(1)[0], "winner": "the left one"}])
    assert run(path, "--skip-bad", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["fit"]["battles"] == 50 and "1 comparison" in shown.err


def test_equal_rows_of_battles_are_votes_and_equal_ids_of_groups_are_not(tmp_path: Path, capsys: Any) -> None:
    rows = league(60)
    once, twice = rank(capsys, write(tmp_path / "a.csv", rows)), rank(capsys, write(tmp_path / "b.csv", rows * 2))
    assert twice["fit"]["battles"] == 2 * once["fit"]["battles"]
    assert [row["rating"] for row in twice["players"]] == pytest.approx([row["rating"] for row in once["players"]])
    pair = {"id": "g", "prompt": "p", "chosen": "x", "rejected": "y", "chosen_model": "a", "rejected_model": "b"}
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(pair)}\n" * 2)
    assert run(path) == 3
    assert "stands in an earlier row" in capsys.readouterr().err


def test_probabilities_are_refused_by_models_that_need_votes(tmp_path: Path, capsys: Any) -> None:
    rows = [{"model_a": a, "model_b": b, "prob": p} for a, b, p in (("a", "b", 0.7), ("b", "c", 0.6), ("c", "a", 0.4))]
    path = write(tmp_path / "soft.csv", rows)
    assert {row["name"] for row in rank(capsys, path)["players"]} == {"a", "b", "c"}
    for model in ("davidson", "rao-kupper", "trueskill"):
        assert run(path, "--model", model) == 2
        assert "soft-outcomes" in capsys.readouterr().err
    assert run("settled", path) == 2


def test_a_file_without_rows_is_bad_data(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "none.csv"
    path.write_text("model_a,model_b,winner\n")
    assert run(path) == 3


def test_settings_without_effect_are_refused(battles: Path, tmp_path: Path, capsys: Any) -> None:
    assert run(battles, "--baseline", "m0") == 2
    assert run(battles, "--model", "elo", "--control", "length") == 2
    assert run(battles, "--control", "colour") == 2
    assert "no column 'colour_a'" in capsys.readouterr().err
    assert run(battles, "-o", "board.docx") == 2
    assert run(battles, "--scale", "stars") == 2
    assert run(battles, "--by", "nothing") == 2
    assert run(tmp_path, "--length-controlled") == 3


def test_a_player_against_itself_is_left_out_and_said(tmp_path: Path, capsys: Any) -> None:
    rows = [*league(100), {**league(1)[0], "model_a": "m0", "model_b": "m0"}]
    found = rank(capsys, write(tmp_path / "self.csv", rows))
    assert found["fit"]["battles"] == 100 and any("against itself" in line for line in found["warnings"])


def test_separation_and_pieces_are_said_not_invented(tmp_path: Path, capsys: Any) -> None:
    rows: list[dict[str, object]] = [{"model_a": "god", "model_b": f"m{i}", "winner": "model_a"} for i in range(4)]
    found = rank(capsys, write(tmp_path / "god.csv", [*league(200, players=4), *[{**league(1)[0], **r} for r in rows]]))
    assert found["players"][0]["name"] == "god" and found["players"][0]["rating"] is None
    assert any("never lost" in line for line in found["warnings"])
    island = [{**row, "model_a": f"i{row['model_a']}", "model_b": f"i{row['model_b']}"} for row in league(100, seed=1)]
    path = write(tmp_path / "islands.csv", [*league(100), *island])
    assert any("2 pieces" in line for line in rank(capsys, path)["warnings"])
    assert run("power", path, "m0", "im0") == 2
    assert "no-common-scale" in capsys.readouterr().err


def test_names_are_shown_and_never_obeyed(tmp_path: Path, capsys: Any) -> None:
    odd = ["[red]x", "\x1b[31m", "a|b", '"quoted", name']
    rows: list[dict[str, object]] = [
        {"model_a": a, "model_b": b, "winner": w} for a in odd for b in odd if a != b for w in ("model_a", "model_b")
    ]
    path = write(tmp_path / "odd.csv", rows)
    assert run(path, "-o", tmp_path / "odd.html") == 0
    assert "\x1b" not in capsys.readouterr().out and "<b>" not in (tmp_path / "odd.html").read_text().split("<body>")[1]
    assert {player["name"] for player in rank(capsys, path)["players"]} == set(odd)


def test_rankings_of_a_table_and_one_with_a_repeated_item(tmp_path: Path, capsys: Any) -> None:
    lists = ["abc", "abc", "bac", "acb", "cab"]
    rows: list[dict[str, object]] = [
        {"race": k, "place": i + 1, "driver": item} for k, items in enumerate(lists) for i, item in enumerate(items)
    ]
    path = write(tmp_path / "races.csv", rows)
    assert rank(capsys, path, "--model", "plackett-luce")["players"][0]["name"] == "a"
    again = write(tmp_path / "again.csv", [*rows, {"race": 0, "place": 4, "driver": "a"}])
    assert run(again, "--model", "plackett-luce") == 3
    assert "bad-ranking" in capsys.readouterr().err


def test_a_hundred_thousand_players_are_ranked(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    a = rng.integers(0, 10**5, 400_000)
    b = (a + rng.integers(1, 10**5, len(a))) % 10**5
    names = pa.array([f"p{i}" for i in range(10**5)])
    winner = pa.array(["model_a", "model_b"]).take(pa.array((rng.random(len(a)) < 0.5).astype(int)))
    columns = {"model_a": names.take(pa.array(a)), "model_b": names.take(pa.array(b)), "winner": winner}
    pq.write_table(pa.table(columns), tmp_path / "many.parquet")
    assert run(tmp_path / "many.parquet") == 0


def test_the_board_is_printed_before_anything_heavy_is_imported(battles: Path) -> None:
    code = (
        "import sys\nfrom zermelo.cli.app import main\n"
        f"try:\n    main(['rank', {str(battles)!r}])\nexcept SystemExit:\n    pass\n"
        "heavy = {'scipy', 'pandas', 'pydantic', 'rich', 'sklearn', 'matplotlib', 'plotly', 'pyarrow', 'torch'}\n"
        "heavy |= {'zermelo.report.plots', 'zermelo.report.svg', 'zermelo.ranking.pictures'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "m0" in done.stdout and done.stdout.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (("--level", "3"), "out of range: expected from 0.5 to 0.9999"),
        (("--model", "chess"), "'chess' is none of bradley-terry, davidson"),
        (("--bootstrap", "many"), "'many' is not a whole number"),
        (("--prior", "nan"), "--prior must be a finite number"),
        (("--prior", "table.csv"), "--prior must be a number of games"),
        (("--seed", "1.5"), "'1.5' is not a whole number"),
    ],
)
def test_an_option_that_cannot_be_read_is_a_usage_error(
    option: tuple[str, str], told: str, battles: Path, capsys: Any
) -> None:
    assert run(battles, *option) == 2
    assert told in capsys.readouterr().err


def played(path: Path, text: str) -> Path:
    """Lines `first second winner` (1, 2 or t for a tie) as CSV."""
    said = {"1": "model_a", "2": "model_b", "t": "tie"}
    rows = [line.split() for line in text.strip().splitlines()]
    path.write_text("model_a,model_b,winner\n" + "".join(f"{a},{b},{said[w]}\n" for a, b, w in rows))
    return path


LEAGUE = "champ b 1\nchamp c 1\nb c 1\nc b 1\nb c 2\n"


def test_the_power_to_separate_an_unbeaten_player_is_refused_with_the_reason(tmp_path: Path, capsys: Any) -> None:
    assert run("power", played(tmp_path / "b.csv", LEAGUE), "champ", "b") == 2
    assert "error[no-finite-rating]: 'champ' has no finite rating" in capsys.readouterr().err


def test_no_number_of_votes_separates_equal_ratings(tmp_path: Path, capsys: Any) -> None:
    table = played(tmp_path / "b.csv", "x y 1\ny x 1\n")
    assert run("power", table, "x", "y") == 0
    assert "their ratings are equal" in capsys.readouterr().out
    assert rank(capsys, "power", table, "x", "y")["votes"] is None


def test_one_tie_does_not_make_a_newcomer_certain(tmp_path: Path, capsys: Any) -> None:
    """The residual of a tie between equals is 0; so would be a plain sandwich.

    By hand: information ¼ a game, so the Laplacian's eigenvalue of (2, −1, −1)/√6 is ¾ and the variance (4/6)/¾.
    """
    table = played(tmp_path / "b.csv", "x y 1\ny x 1\n" * 10 + "new x t\nnew y t\n")
    rows = {row["name"]: row for row in rank(capsys, table)["players"]}
    width = {name: row["ci_high"] - row["ci_low"] for name, row in rows.items()}
    assert width["new"] > 2 * width["x"]
    assert rows["x"]["games"] == 21 and rows["new"]["games"] == 2
    assert width["new"] == pytest.approx(2 * 1.959964 * 173.7178 * (4 / 6 / 0.75) ** 0.5, rel=1e-4)


def test_nobody_has_an_interval_of_width_0_where_all_is_separated(tmp_path: Path, capsys: Any) -> None:
    rows = rank(capsys, played(tmp_path / "b.csv", "a b 1\nb c 1\na c 1\n"))["players"]
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert all(row["ci_low"] is None for row in rows) and all(row["rank_high"] == 3 for row in rows)


def test_a_bootstrap_of_too_few_battles_is_refused(tmp_path: Path, capsys: Any) -> None:
    assert run(played(tmp_path / "b.csv", "a b 1\nb a 1\na b 1\nc a 1\na c 1\n"), "--bootstrap", "20") == 2
    assert "too few battles to resample" in capsys.readouterr().err


def test_names_are_text_in_markdown(tmp_path: Path) -> None:
    table = tmp_path / "odd.csv"
    names = ("<script>alert(1)</script>", "[x](javascript:alert(1))", "**b** `c`", "a|b")
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("model_a", "model_b", "winner"))
        writer.writerows((a, b, "tie") for a in names for b in names if a != b)
    assert run(table, "-o", tmp_path / "board.md", "-o", tmp_path / "board.html") == 0
    told = (tmp_path / "board.md").read_text()
    for shown in ("\\<script\\>", "\\[x\\](javascript", "\\*\\*b\\*\\* \\`c\\`", "a\\|b"):
        assert shown in told
    assert "<script>alert" not in (tmp_path / "board.html").read_text()


def test_settings_that_length_control_does_not_read_are_refused(tmp_path: Path, capsys: Any) -> None:
    assert run(tmp_path, "--length-controlled", "--model", "davidson") == 2
    assert "--model has no effect on --length-controlled" in capsys.readouterr().err


def test_who_stands_in_another_piece_is_named(tmp_path: Path, capsys: Any) -> None:
    table = played(tmp_path / "b.csv", "a b 1\nb a 1\nb c 1\nc b 1\nfar off 1\noff far 1\n")
    assert run(table) == 0
    assert "no common scale (not in the largest piece: far, off)" in capsys.readouterr().err
