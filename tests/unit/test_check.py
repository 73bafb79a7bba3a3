"""The look at everything that a sweep needs: what it refuses before anything is sampled."""

import json
import pathlib

import pytest

from opsft.problems import Problem
from opsft.thinking import THINK
from opsft_flow.configuration.config import resolve
from opsft_flow.files import read_json
from opsft_flow.prompt_check import Model
from tests.unit.example_config import change, example_config
from tests.unit.test_scripts import load

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The toy reasoner's template puts a prompt of n words as "<user> ... <assistant> <think>": n + 3 tokens.
FRAME = 3
LIMITS = {"workers": 1, "timeout_s": 1.0, "memory_mb": 512}
QUESTIONS = [("1 + 1", "2"), ("1 + 2 + 3", "6"), ("4 + 5", "9")]
LONGEST = FRAME + 5


@pytest.fixture
def block(tmp_path) -> dict:
    """The block of a problem set of three sums in a local file; the second sum is the longest."""
    write_problems(tmp_path, QUESTIONS)
    given = {"source": str(tmp_path / "sums.jsonl"), "verifier": "integer", "template": "{question}"}
    return resolve(change(example_config(), "problems.train", given))["problems"]["train"]


def write_problems(folder: pathlib.Path, pairs: list[tuple[str, str]]) -> None:
    rows = [json.dumps({"question": question, "answer": answer}) + "\n" for question, answer in pairs]
    (folder / "sums.jsonl").write_text("".join(rows))


def test_a_set_is_read_and_may_be_drawn_whole(block):
    problems = load("check").read_set("sums", block, prompts=3, sets={}, limits=LIMITS)
    assert [(problem.question, problem.answer) for problem in problems] == QUESTIONS


def test_an_iteration_cannot_draw_more_problems_than_the_set_has(block):
    message = r"^problem set 'sums' has 3 problems; an iteration draws 4 \(rollouts\.prompts\)$"
    with pytest.raises(ValueError, match=message):
        load("check").read_set("sums", block, prompts=4, sets={}, limits=LIMITS)


def test_what_a_limit_leaves_is_what_there_is_to_draw_from(block):
    with pytest.raises(ValueError, match="has 2 problems; an iteration draws 3"):
        load("check").read_set("sums", {**block, "limit": 2}, prompts=3, sets={}, limits=LIMITS)


def test_an_answer_that_the_set_s_verifier_cannot_parse_is_named(block, tmp_path):
    write_problems(tmp_path, [*QUESTIONS, ("x + x", "2x")])
    message = r"^problem set 'sums': verifier 'integer' cannot grade against 1 of 4 answers: problem 3 \('2x': unparseable_gold\); `unusable: drop` leaves them out$"
    with pytest.raises(ValueError, match=message):
        load("check").read_set("sums", block, prompts=1, sets={}, limits=LIMITS)
    assert len(load("check").read_set("sums", {**block, "verifier": "exact"}, prompts=1, sets={}, limits=LIMITS)) == 4


def test_the_structure_of_a_set_is_checked_too(block, tmp_path):
    write_problems(tmp_path, [*QUESTIONS, (" ", "1")])
    with pytest.raises(ValueError, match="problem set 'sums': empty question in problem 3"):
        load("check").read_set("sums", block, prompts=1, sets={}, limits=LIMITS)


def test_the_longest_prompt_is_measured_as_the_model_is_asked():
    class Words:
        bos_token_id = None

        def __call__(self, text: str, add_special_tokens: bool) -> dict:
            return {"input_ids": text.split()}

    model = Model("words", pathlib.Path("nowhere"), Words(), plain=True, marks=THINK, ends=(), trusted=False)
    problems = [Problem(name, text, "1", None) for name, text in (("a", "1 2"), ("b", "1 2 3"), ("c", "10"))]
    block = {"template": "Add: {question} .", "system": "Be brief", "source": "s"}
    assert load("check").longest_prompt(model, problems, block) == (2 + 1 + 3 + 1, "b")


@pytest.fixture
def run_check(tmp_path, monkeypatch):
    """Runs the check of sets and one model, for `uses`, `draws` and `overlaps`; returns the file that it writes when all is well."""

    def run(
        block: dict, uses: list, draws: dict, others: dict | None = None, overlaps: dict | None = None
    ) -> pathlib.Path:
        model = {"source": str(ROOT / "models" / "toy-reasoner"), "revision": None, "trust_remote_code": False}
        model |= {"plain_prompts": False, "thinking": None}
        settings = {
            "problems": {"sums": block, **(others or {})},
            "models": {"toy": model},
            "engines": {"toy": "transformers"},
            "uses": uses,
            "adapters": [],
            "draws": draws,
            "verify": {"timeout_s": 1.0, "memory_mb": 512},
            "overlaps": overlaps or {},
            "own_rules": [],
        }
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
            monkeypatch.setenv(name, "1")
        checked = tmp_path / "checked.json"
        outputs = ["--checked", str(checked), "--overlap", str(tmp_path / "overlap.csv")]
        outputs += ["--run", str(tmp_path / "checked.run.json")]
        monkeypatch.setattr("sys.argv", ["check.py", "--settings", json.dumps(settings), *outputs])
        load("check").main()
        assert read_json(checked) == settings
        return checked

    return run


def test_prompt_and_response_must_fit_into_the_context(block, run_check, capsys):
    checked = run_check(block, [["toy", "sums", 12, LONGEST + 12]], {"sums": 3})
    line = f"toy on sums: prompts of up to {LONGEST} tokens, responses of up to 12, context {LONGEST + 12}\n"
    asked = "toy: asked by its chat template; a response ends with '<eos>'; thinks between <think> and </think>\n"
    assert capsys.readouterr().out == asked + "sums: 3 problems of 3 rows\n" + line
    checked.unlink()
    with pytest.raises(SystemExit) as ended:
        run_check(block, [["toy", "sums", 12, LONGEST + 12], ["toy", "sums", 13, LONGEST + 12]], {})
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"error: problem set 'sums': the prompt of problem 1 has {LONGEST} tokens of model 'toy'; with 13 for the "
        f"response they exceed engine.context, {LONGEST + 12}\n"
    )
    assert not checked.exists()


def test_what_is_refused_is_one_message_and_nothing_is_written_down(block, run_check, capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        run_check(block, [], {"sums": 4})
    assert ended.value.code == 1
    message = "error: problem set 'sums' has 3 problems; an iteration draws 4 (rollouts.prompts)\n"
    assert capsys.readouterr().err == message
    assert not list(tmp_path.glob("checked*"))
    assert not list(tmp_path.glob("overlap*"))


def test_what_training_and_benchmarks_have_in_common_is_said_and_written_down(block, run_check, capsys, tmp_path):
    test = {**block, "source": str(tmp_path / "test.json")}
    (tmp_path / "test.json").write_text('[{"question": "4+5", "answer": 9}, {"question": "4 + 4", "answer": 8}]')
    run_check(block, [], {}, {"test": test}, {"sums": ["test"]})
    line = (
        "sums gives away 1 of 2 problems of test: 1 training problems share 13 words in a row or the whole text, "
        "1 half of such runs or more, 1 the whole text\n"
    )
    assert capsys.readouterr().out.endswith(line)
    assert (tmp_path / "overlap.csv").read_text().splitlines() == [
        "training_set,training_problem,benchmark_set,benchmark_problem,same_text,share",
        "sums,2,test,0,True,1.0",
    ]


def test_a_set_is_looked_at_without_what_it_is_kept_apart_from(block, run_check, capsys, tmp_path):
    test = {**block, "source": str(tmp_path / "test.json")}
    (tmp_path / "test.json").write_text('[{"question": "4+5", "answer": 9}]')
    apart = {**block, "remove_overlap": ["test"]}
    run_check(apart, [], {"sums": 2}, {"test": test}, {"sums": ["test"]})
    printed = capsys.readouterr().out
    assert "sums: 2 problems of 3 rows; 1 left out (overlap with test)\n" in printed
    assert "sums and test have no problem in common\n" in printed
    with pytest.raises(SystemExit):
        run_check(apart, [], {"sums": 3}, {"test": test})
    assert "problem set 'sums' has 2 problems; an iteration draws 3" in capsys.readouterr().err
