"""What is looked at of a model before anything is sampled: its template, its end tokens, its marks of thinking, its architecture."""

import json
import pathlib

import pytest
from transformers import AutoConfig, AutoTokenizer

from opsft import chat_template_worker
from opsft.chat_template import DATE, ChatTemplate
from opsft.decodable import why_not
from opsft.end_tokens import end_tokens
from opsft.prompts import encode, opens_thinking, render
from opsft.thinking import KNOWN, THINK, Marks, choose_marks
from opsft.tokenizer import load_tokenizer, response_texts
from opsft.verify import Response, verify
from opsft_flow.prompt_check import read_model
from tests.unit.small_checkpoint import CHAT, SPECIAL, WORDS, save_checkpoint

TOY = pathlib.Path(__file__).resolve().parents[2] / "models" / "toy-reasoner"
BLOCK = {"trust_remote_code": False, "plain_prompts": False, "thinking": None}
QUESTION = [[{"role": "user", "content": "What is 1 + 2"}]]
IDS = {token: i for i, token in enumerate([*WORDS, *SPECIAL])}
LATER = "{{ '' if messages|length > 1 }}"


def look(folder: pathlib.Path, engine: str = "vllm", **keys):
    """The model in `folder`, and the ids of a prompt; raises what the check raises."""
    model = read_model("m", BLOCK | keys, folder, engine)
    (prompt,) = model.prompts(QUESTION)
    return model, model.encode(prompt, "7")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Templates that do not end are stopped after a second."""
    monkeypatch.setattr(chat_template_worker, "SECONDS", 1)


@pytest.mark.parametrize(
    ("made", "keys", "message"),
    [
        ({"eos": None, "template": "{{ messages[0].content }}"}, {}, r"no token ends a response: .* generation_config.json or config.json"),
        ({"template": None}, {}, r"no chat template: .* models\.m\.plain_prompts: true"),
        ({"template": "{{ raise_exception('\x1b[2J no\nsecond') }}"}, {}, r"the chat template in .*chat_template\.jinja cannot be used: TemplateError: \x1b\[2J no; mend"),
        ({"template": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"}, {}, "it does not end: stopped after 1 s of processor time"),
        ({"template": LATER + "{{ 'a' * 3000000000 }}"}, {}, "chat_template.jinja cannot be used: MemoryError"),
        ({"template": "{{ 'a' * 1000001 }}"}, {}, "it makes 1,000,001 characters of one question; 1,000,000 at most"),
        ({"template": "{{ ''.__class__ }}"}, {}, r"SecurityError: access to '__class__' of a str is unsafe"),
        ({"template": "{{ [1, 2] | random }}"}, {}, "TemplateAssertionError: No filter named 'random'"),
        ({"template": "{% if %}"}, {}, "TemplateSyntaxError"),
        ({"template": "{{ messages|length }}"}, {}, r"chat_template\.jinja cannot be used: it leaves out the user message"),
        ({"template": CHAT.replace("<|im_end|>", "<|end_of_turn|>")}, {}, r"ends a turn with '<\|end_of_turn\|>', which is no special token"),
        ({"config": {"eos_token_id": 3}}, {}, r"config\.json: eos_token_id: found 3, the ordinary token '2'; the other files .* '<\|im_end\|>'"),
        ({"template": CHAT.replace("<|im_start|> assistant", "")}, {}, r"the prompt of problem 7 ends with '<\|im_end\|>', an end token"),
        ({"adds": "eos", "eos": "</s>"}, {"plain_prompts": True}, r"the prompt of problem 7 ends with '</s>', an end token.*\(add_eos_token\)"),
        ({"template": "<s> <s> " + CHAT}, {}, "begins with '<s>' twice"),
        ({"special": ("[THINK]", "[/THINK]")}, {}, r"has \[THINK\] … \[/THINK\]; it is graded by <think> … </think>; set models\.m\.thinking .* \[\"\[THINK\]\", \"\[/THINK\]\"\]"),
        ({"special": ("[THINK]", "[/THINK]")}, {"thinking": ["<seed:think>", "</seed:think>"]}, "it is graded by <seed:think>"),
        ({"template": CHAT + "{# <thought> #}"}, {}, "has <thought> … </thought>"),
        ({"config": {"model_type": "mamba"}}, {"engine": "transformers"}, r"is a 'mamba' model, which the transformers engine cannot sample from: it keeps a recurrent state"),
    ],
)  # fmt: skip
def test_what_would_be_asked_or_graded_wrong_is_refused_by_name(tmp_path, made, keys, message):
    folder = save_checkpoint(tmp_path, **made)
    with pytest.raises(ValueError, match=f"(?s){message}") as refused:
        look(folder, **keys)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("made", "ends"),
    [
        ({}, ["<|im_end|>"]),
        # As Qwen2.5's base models: the template ends a turn with another token than the tokenizer names.
        ({"eos": "</s>"}, ["</s>", "<|im_end|>"]),
        ({"eos": None, "config": {"eos_token_id": 12}, "template": "{{ messages[0].content }}"}, ["</s>"]),
        ({"eos": None, "generation": {"eos_token_id": [11, 12]}}, ["<s>", "</s>", "<|im_end|>"]),
        ({"config": {"text_config": {"eos_token_id": 12}}}, ["</s>", "<|im_end|>"]),
        # A special token that closes a part of the turn is no end where one that the files name follows.
        ({"eos": "</s>", "template": CHAT.replace("<|im_end|>", "<|im_end|> </s>", 1)}, ["</s>"]),
        # A template without a place for answers says nothing of their end.
        ({"template": "{% if messages|length > 1 %}{{ raise_exception('one') }}{% endif %}" + CHAT}, ["<|im_end|>"]),
    ],
)
def test_a_response_ends_with_what_files_and_template_name(tmp_path, made, ends):
    model, _ = look(save_checkpoint(tmp_path, **made))
    assert model.ends == tuple(sorted(IDS[end] for end in ends))


def test_a_system_message_that_the_template_leaves_out_is_refused(tmp_path):
    only_users = CHAT.replace("for m in messages", "for m in messages if m.role == 'user'")
    model, _ = look(save_checkpoint(tmp_path, template=only_users))
    with pytest.raises(ValueError, match="it leaves out the system message; mend it"):
        model.prompts([[{"role": "system", "content": "Be brief."}, *QUESTION[0]]])


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b"[1]"])
def test_a_generation_config_that_is_no_json_object_is_one_message(tmp_path, content):
    (save_checkpoint(tmp_path) / "generation_config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"generation_config\.json is no JSON object: .*; get the file again"):
        look(tmp_path)


@pytest.mark.parametrize("end", ["</s>", ["</s>"], [[1]], {"a": 1}, 1.5, True, -1, 15])
def test_an_end_token_is_the_id_of_a_token(tmp_path, end):
    save_checkpoint(tmp_path, generation={"eos_token_id": end})
    with pytest.raises(
        ValueError, match=r"generation_config\.json: eos_token_id: found .*; allowed: the id of a token, from 0 to 14"
    ):
        look(tmp_path)


@pytest.mark.parametrize(("adds", "first"), [("bos", ["<s>", "What"]), ("", ["What"])])
def test_plain_prompts_are_what_the_tokenizer_makes_of_the_messages(tmp_path, adds, first):
    model, ids = look(save_checkpoint(tmp_path, template=None, adds=adds), plain_prompts=True)
    assert ids[: len(first)] == tuple(IDS[token] for token in first)
    assert "asked in plain text, without a chat template" in model.describe()


def test_a_template_writes_the_special_tokens_and_the_tokenizer_adds_none(tmp_path):
    _, ids = look(save_checkpoint(tmp_path, template="<s> " + CHAT, adds="bos"))
    assert ids[:2] == (IDS["<s>"], IDS["<|im_start|>"])


TEMPLATES = [
    CHAT,
    "{{ bos_token }}{%- for m in messages %}\n  {%- if loop.last %}\n    {{ m | tojson }}\n  {%- endif %}\n{%- endfor %}",
    "{% for m in messages %}{% generation %}{{ m['content'].strip() }}{% endgeneration %}{% break %}{% endfor %}",
    "{%- set ns = namespace(n=0) -%}{% set ns.n = dict(a=3).a %}{{ ns.n }}{{ tools is none }}{{ documents }}",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_gives_what_transformers_gives(tmp_path, template):
    tokenizer = load_tokenizer(save_checkpoint(tmp_path, template=template))
    expected = tokenizer.apply_chat_template(QUESTION[0], tokenize=False, add_generation_prompt=True)
    assert render(tokenizer, QUESTION[0]) == expected


def test_a_template_prints_the_same_date_on_every_day():
    template = ChatTemplate("{{ strftime_now('%d %b %Y') }}{% if strftime_now is not defined %}no{% endif %}", {})
    assert template.render([]) == DATE.strftime("%d %b %Y") == "01 Jan 2026"


def test_many_prompts_are_rendered_by_one_process_in_their_order():
    asked = [[{"role": "user", "content": f"\ud800 {i}"}] for i in range(300)]
    prompts = chat_template_worker.render_all(ChatTemplate("{{ messages[0].content }}", {}), asked)
    assert prompts == [messages[0]["content"] for messages in asked]


UNFINISHED = r"maybe \boxed{2}, no … I cannot say"


@pytest.mark.parametrize("marks", KNOWN, ids=lambda marks: marks.start)
def test_an_answer_inside_unfinished_thinking_is_none_whatever_the_marks(marks):
    texts = [
        f"{marks.start}{UNFINISHED}",
        f"{marks.start}no{marks.end}\\boxed{{2}}",
        f"{marks.start}a{marks.end}b{marks.start}\\boxed{{2}}",
    ]
    responses = [Response(text, "2", True, opens_thinking=False) for text in texts]
    verdicts = verify(responses, "integer", 1, 5.0, 512, marks=marks)
    assert [verdict.correct for verdict in verdicts] == [False, True, False]
    assert opens_thinking(f"assistant{marks.start}a", marks)
    assert not opens_thinking(f"assistant{marks.start}a{marks.end}", marks)


def test_special_tokens_that_make_up_the_marks_stay_in_the_text(tmp_path):
    folder = save_checkpoint(tmp_path, special=("<|channel|>", "<|message|>", "<|return|>", "final"))
    tokenizer = load_tokenizer(folder)
    ids = tokenizer.convert_tokens_to_ids(["<|channel|>", "final", "<|message|>", "say", "<|return|>"])
    (text,) = response_texts(tokenizer, [ids], Marks("<|channel|>", "<|channel|>final<|message|>"))
    assert text.split() == ["<|channel|>", "final", "<|message|>", "say"]


def test_marks_that_are_configured_are_taken_where_the_model_has_them():
    seed = Marks("<seed:think>", "</seed:think>")
    assert choose_marks([*seed], {"<seed:think>", "[THINK]"}, "") == seed
    assert choose_marks(["<a>", "</a>"], set(), "") == Marks("<a>", "</a>")
    assert choose_marks(None, {"<think>"}, "") == THINK


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "lfm2", "layer_types": ["conv", "full_attention"], "num_hidden_layers": 2}, "its cache holds LinearAttentionLayer"),
        ({"model_type": "qwen3_next"}, "it keeps a recurrent state"),
        ({"model_type": "falcon_h1"}, "it keeps a recurrent state"),
        ({"model_type": "minimax"}, "its cache holds LinearAttentionLayer"),
        ({"model_type": "bloom"}, "it takes no positions"),
        ({"model_type": "t5"}, "it has an encoder"),
        ({"model_type": "vit"}, "transformers knows no causal language model of this type"),
        ({"model_type": "gemma2"}, None),
        ({"model_type": "qwen3"}, None),
        ({"model_type": "gpt_oss"}, None),
        ({"model_type": "seed_oss"}, None),
    ],
)  # fmt: skip
def test_an_architecture_that_the_decode_loop_cannot_serve_is_known_by_its_configuration(tmp_path, config, reason):
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = why_not(AutoConfig.from_pretrained(tmp_path))
    assert found == reason if reason is None else found.startswith(reason)


SUMS = ["3 + 4 + 5", "9 + 9 + 9 + 1", "37 + 2"]


def test_the_toy_is_read_by_other_tools_as_it_is_here():
    ours, theirs = load_tokenizer(TOY), AutoTokenizer.from_pretrained(TOY)
    for text in SUMS:
        prompt = render(ours, [{"role": "user", "content": text}])
        ids = encode(ours, prompt)
        assert ours.unk_token_id not in ids
        assert tuple(theirs(prompt)["input_ids"]) == ids
        assert theirs.decode(ids) == ours.decode(ids)
    assert not list(read_model("toy", BLOCK, TOY, "transformers").other_reading(SUMS))


def test_a_checkpoint_that_other_tools_read_otherwise_is_warned_of(tmp_path):
    model, _ = look(save_checkpoint(tmp_path))
    (warning,) = model.other_reading(["What is 1 + 2"])
    assert warning.startswith("warning: model 'm': ")
    assert "tokenizer.json, which is used here, and AutoTokenizer" in warning


def test_trained_policies_end_their_responses_as_their_parent_does(tmp_path):
    from opsft_flow.weights.checkpoints import keep_end_tokens

    parent, written = tmp_path / "parent.json", tmp_path / "written.json"
    for own in ({}, {"eos_token_id": None}, {"eos_token_id": [3, 4]}):
        parent.write_text(json.dumps(own))
        written.write_text('{"eos_token_id": 2, "hidden_size": 8}')
        keep_end_tokens(parent, written)
        assert json.loads(written.read_text()) == {"hidden_size": 8, **own}
    assert end_tokens(load_tokenizer(TOY), TOY) == (1,)
