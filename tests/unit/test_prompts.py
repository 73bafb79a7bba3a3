"""Which prompts are sampled, how they are rendered and encoded, and with which seeds."""

import itertools
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsft.prompts import choose_problems, encode, opens_thinking, render, request_seed

ids = st.sets(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=12).map(sorted)


@given(ids, st.data(), st.integers(0, 5))
def test_no_problem_comes_twice_within_an_epoch(problem_ids, data, seed):
    count = data.draw(st.integers(1, len(problem_ids)))
    windows = len(problem_ids) // count
    for epoch in range(2):
        drawn = [choose_problems(problem_ids, count, seed, epoch * windows + i) for i in range(1, windows + 1)]
        chosen = list(itertools.chain(*drawn))
        assert len(set(chosen)) == len(chosen) == windows * count
        assert set(chosen) <= set(problem_ids)


@given(ids, st.randoms(), st.integers(1, 9))
def test_the_order_of_the_problems_does_not_matter(problem_ids, rng, iteration):
    shuffled = list(problem_ids)
    rng.shuffle(shuffled)
    assert choose_problems(shuffled, 1, 0, iteration) == choose_problems(problem_ids, 1, 0, iteration)


def test_seeds_and_epochs_shuffle_anew():
    problem_ids = [str(i) for i in range(100)]
    first, other_seed, next_epoch = (choose_problems(problem_ids, 50, s, i) for s, i in ((0, 1), (1, 1), (0, 3)))
    assert len({tuple(first), tuple(other_seed), tuple(next_epoch)}) == 3


def test_the_choice_is_the_same_on_every_machine():
    assert [choose_problems(list("abcdef"), 2, 0, i) for i in (1, 2, 3)] == [["c", "d"], ["e", "b"], ["f", "a"]]


def test_more_prompts_than_problems_are_refused():
    with pytest.raises(ValueError, match="7 prompts per iteration asked for, but the problem set has 6"):
        choose_problems(list("abcdef"), 7, 0, 1)


def test_the_seed_of_a_request_is_the_same_on_every_machine():
    assert request_seed(0, 1, "gsm8k-7") == 659705401349552532


@given(st.integers(0, 9), st.integers(0, 9), st.text(max_size=3))
def test_the_seed_of_a_request_leaves_room_for_its_samples(seed, iteration, problem_id):
    assert 0 <= request_seed(seed, iteration, problem_id) < 2**62


def test_every_request_has_a_seed_of_its_own():
    seeds = {request_seed(s, i, p) for s in (0, 1, 11) for i in (0, 1, 11) for p in ("", "1", "11")}
    assert len(seeds) == 27


class Tokenizer:
    """A tokenizer of characters, whose special token 0 stands at the front where it is asked for."""

    chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    special_tokens_map = MappingProxyType({})

    def get_chat_template(self):
        return self.chat_template

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [0] * add_special_tokens + [ord(character) for character in text]}


MESSAGES = [{"role": "system", "content": "Add."}, {"role": "user", "content": "1 + 1"}]


def test_the_chat_template_is_applied_but_to_plain_prompts():
    assert render(Tokenizer(), MESSAGES) == "<system>Add.<user>1 + 1<assistant>"
    assert render(Tokenizer(), MESSAGES, plain=True) == "Add.\n\n1 + 1\n"


def test_special_tokens_are_never_added_twice():
    assert encode(Tokenizer(), "a") == (97,)
    assert encode(Tokenizer(), "a", plain=True) == (0, 97)


@pytest.mark.parametrize(
    ("prompt", "opened"),
    [("1 + 1", False), ("<think>\n", True), ("<think></think>", False), ("<think>a</think><think>", True)],
)
def test_whether_the_prompt_has_opened_the_thinking(prompt, opened):
    assert opens_thinking(prompt) is opened
