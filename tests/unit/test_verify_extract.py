"""The final boxed answer of a response."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsft.verify.extract import MAX_ANSWER_CHARS, MAX_BOXES, Extracted, after_thinking, boxed_answers, final_answers


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{7}.", "7"),
        (r"\boxed {7}", "7"),
        (r"\boxed{ 7 }", "7"),
        (r"\fbox{7}", "7"),
        (r"\boxed 7.", "7"),
        (r"$\boxed7$", "7"),
        (r"\boxed -3.5, so", "-3.5"),
        (r"\\boxed{7}", "7"),
        (r"x = 7 \\ \boxed{7}", "7"),
        (r"\boxed{\boxed{7}}", "7"),
        (r"\boxed{ \fbox{\boxed 7} }", "7"),
        (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x : x > 0 \right.}", r"\left\{ x : x > 0 \right."),
        (r"\boxed{x = \boxed{5}}", r"x = \boxed{5}"),
        (r"} \boxed{7} {", "7"),
        (r"\boxed{7} and \boxed{8", "7"),
        (r"\boxed{8 and \boxed{7}", "7"),
        (r"in a \boxed{} : \boxed{7}", "7"),
        (r"with \boxed notation: \boxed{7}", "7"),
        (r"\boxed{7} that is \boxed{ 7 }", "7"),
        (r"\boxed{1, 2} that is \boxed{1,2}", "1,2"),
    ],
)
def test_the_last_box_is_the_answer(text, answer):
    assert final_answers(text, opens_thinking=False) == Extracted((answer,), None)


@pytest.mark.parametrize(
    "text", ["", "7", r"\boxed", r"\boxed{}", r"\boxed{  }", r"\boxed{7", r"\boxedtext{7}", r"\mbox{7}"]
)
def test_without_a_closed_box_there_is_no_answer(text):
    assert final_answers(text, opens_thinking=False) == Extracted((), "no_answer")


def test_boxes_that_differ_are_kept_once_each_and_the_final_one_is_last():
    text = r"\boxed{7} or \boxed{8}, so \boxed{1, 2} or again \boxed{7}, that is \boxed{1,2}"
    assert final_answers(text, opens_thinking=False) == Extracted(("8", "7", "1,2"), None)


def test_more_boxes_than_a_list_has_parts_are_several_answers():
    boxes = [rf"\boxed{{{number}}}" for number in range(MAX_BOXES + 1)]
    assert final_answers("".join(boxes[:-1]), False) == Extracted(tuple(map(str, range(MAX_BOXES))), None)
    assert final_answers("".join(boxes), False) == Extracted((str(MAX_BOXES),), "several_answers")


@pytest.mark.parametrize("placeholder", ["answer", "your answer", r"\text{final answer}", "...", r"\ldots", "[answer]"])
def test_the_box_of_a_repeated_instruction_is_no_answer_beside_another(placeholder):
    text = rf"I put it in \boxed{{{placeholder}}}. "
    assert final_answers(text + r"\boxed{7}", False) == Extracted(("7",), None)
    assert final_answers(text, False) == Extracted((placeholder,), None)


@pytest.mark.parametrize(
    ("text", "opens_thinking", "counted"),
    [
        ("a", False, "a"),
        ("a", True, ""),
        ("<think>a", False, ""),
        ("<think>a</think>b", False, "b"),
        ("a</think>b", True, "b"),
        ("a</think>b", False, "b"),
        ("a</think>b</think>c", True, "c"),
        ("<think>a</think>b<think>c", False, ""),
    ],
)
def test_only_what_follows_the_thinking_counts(text, opens_thinking, counted):
    assert after_thinking(text, opens_thinking) == counted


def test_a_box_in_the_thinking_is_no_second_answer():
    assert final_answers(r"maybe \boxed{3}</think>it is \boxed{4}", opens_thinking=True) == Extracted(("4",), None)


def test_an_overlong_answer_is_unparseable():
    longest = "1" * MAX_ANSWER_CHARS
    assert final_answers(rf"\boxed{{{longest}}}", opens_thinking=False) == Extracted((longest,), None)
    assert final_answers(rf"\boxed{{{longest}1}}", opens_thinking=False) == Extracted((), "unparseable_answer")
    assert final_answers(rf"\boxed{{{longest}1}} \boxed{{1}}", False) == Extracted(("1",), "several_answers")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\\boxed{" * 10_000 + "7" + "}" * 10_000, "7"),
        ("\\boxed{" * 50_000, None),
        ("\\boxed{" + "{" * 10_000 + "7" + "}" * 10_001, None),
        ("\\boxed{" + "7" * 1_000_000 + "}", None),
        ("\\boxed" + " " * 300_000, None),
        ("\\boxed{a" * 20_000 + "}" * 20_000, None),
        ("\\" * 300_000, None),
        ("{" * 300_000, None),
        ("}" * 300_000, None),
    ],
    ids=[
        "nested boxes",
        "unclosed boxes",
        "nested braces",
        "1 MB box",
        "spaces",
        "boxes in boxes",
        "escapes",
        "open",
        "close",
    ],
)
def test_extraction_is_linear_in_hostile_text(text, answer):
    start = time.process_time()
    assert final_answers(text, opens_thinking=False).answers == (() if answer is None else (answer,))
    assert time.process_time() - start < 5  # a quadratic scan of these takes minutes


def naive_boxes(text: str) -> list[str]:
    """The outermost closed boxes of a text of `\\boxed{`, braces and escaped characters, by scanning from every box."""
    boxes, position = [], 0
    while position < len(text):
        end = closing_brace(text, position + len(r"\boxed{")) if text.startswith(r"\boxed{", position) else None
        if end is not None:
            boxes.append(unwrap(text[position + len(r"\boxed{") : end].strip()))
            position = end + 1
        else:
            position += 2 if text[position : position + 2] in (r"\{", r"\}") else 1
    return boxes


def closing_brace(text: str, position: int) -> int | None:
    depth = 1
    while position < len(text):
        if text[position : position + 2] in (r"\{", r"\}"):
            position += 2
            continue
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
        position += 1
    return None


def unwrap(content: str) -> str:
    if content.startswith(r"\boxed{") and closing_brace(content, len(r"\boxed{")) == len(content) - 1:
        return unwrap(content[len(r"\boxed{") : -1].strip())
    return content


@given(st.lists(st.sampled_from([r"\boxed{", "{", "}", "}", r"\{", r"\}", "a", " "]), max_size=20).map("".join))
def test_boxes_are_those_of_a_naive_scan(text):
    assert boxed_answers(text) == naive_boxes(text)
