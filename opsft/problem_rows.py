"""Make problems of the rows of a table: which rows count, and which column holds what."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from opsft.problem_cells import MISSING, end_of, find_at, joined_at, text_at, value_at
from opsft.problem_options import Options
from opsft.problems import CONTROL, NoAnswer, Problem, some_of
from opsft.row_filter import Condition, is_allowed


@dataclass(frozen=True)
class Layout:
    """How the rows of a source hold its problems.

    `columns` maps question, answer, id and level to the names that they have (see `find_at`), None for none; `filter` maps
    columns to the condition that a row must meet; `find_answer` takes the answer out of its column's text, None where the
    text holds none, and `answer_rule` says in messages what it looks for. A row without an answer is left out where `drop_unanswered`
    says so, and refused otherwise. `find_question` takes the question out of its column's text, `options` are put under it, and
    `joins_answers` reads a list of answers as one answer with commas.
    """

    columns: dict[str, str | None]
    filter: dict[str, Condition] = field(default_factory=dict)
    find_answer: Callable[[str], str | None] = str.strip
    answer_rule: str = "a text"
    drop_unanswered: bool = False
    find_question: Callable[[str], str | None] = str
    options: Options | None = None
    joins_answers: bool = False

    def names(self) -> dict[str, str]:
        """The columns that are read, by the key that names them."""
        named = {f"columns.{key}": name for key, name in self.columns.items() if name}
        for name in self.options.columns if self.options else ():
            named[f"columns.options.{name}"] = name
        return named | {f"filter.{name}": name for name in self.filter}


@dataclass(frozen=True)
class Reading:
    """The problems of a source, how many rows it has, and the numbers of those (from 0) that are not among the problems."""

    problems: list[Problem]
    rows: int
    filtered: list[int] = field(default_factory=list)
    unanswered: list[int] = field(default_factory=list)


def read_rows(rows: Iterable[dict], found: list[str], layout: Layout, where: str) -> Reading:
    """Rows as problems. `found` are the columns that the source has, `where` names it in messages.

    A problem without a column for its id has the number of its row. Raises ValueError for a missing column, a filter that
    does not fit its column, and rows without an answer, unless the layout drops these.
    """
    check_columns(found, layout, where)
    problems, filtered, unanswered, number, first = [], [], [], -1, {}
    nowhere = {name for name in layout.names().values() if name not in found}
    for number, row in enumerate(rows):
        first = first or row
        nowhere = {name for name in nowhere if find_at(row, name) is MISSING}
        try:
            if not meets(row, layout.filter):
                filtered.append(number)
                continue
            problem = read_problem(row, number, layout)
        except NoAnswer as error:
            if not layout.drop_unanswered:
                raise ValueError(f"{where}: row {number}: {error}; `unusable: drop` leaves such rows out") from None
            problem = None
        except ValueError as error:
            raise ValueError(f"{where}: row {number}: {error}") from None
        if problem is None:
            unanswered.append(number)
        else:
            problems.append(problem)
    check_paths(nowhere, first, found, layout, where)
    if unanswered and not layout.drop_unanswered:
        raise ValueError(
            f"{where}: no answer in {some_of(unanswered, 'row')} (column {layout.columns['answer']!r} was looked through for "
            f"{layout.answer_rule}); `unusable: drop` leaves such rows out"
        )
    return Reading(problems, number + 1, filtered, unanswered)


def check_columns(found: list[str], layout: Layout, where: str) -> None:
    """Raise ValueError for a column that is named and not there."""
    missing = [
        f"{key} ({name!r})" for key, name in layout.names().items() if not {name, top_column(name, found)} & {*found}
    ]
    if missing:
        raise ValueError(f"{where}: no column for {', '.join(missing)}; the columns are {', '.join(map(str, found))}")


def top_column(name: str, found: list[str]) -> str:
    """The column of the table that a name leads to or into."""
    return name if name in found else name.split(".")[0]


def check_paths(nowhere: set[str], first: dict, found: list[str], layout: Layout, where: str) -> None:
    """Raise ValueError for nested columns that no row has; `first` is the first row, which shows what there is."""
    wrong = [
        f"{key} ({name!r}) leads nowhere: {end_of(first, name)}"
        for key, name in layout.names().items()
        if name in nowhere
    ]
    if first and wrong:
        raise ValueError(f"{where}: {'; '.join(wrong)} in the first row; the columns are {', '.join(map(str, found))}")


def meets(row: dict, conditions: dict[str, Condition]) -> bool:
    """Whether a row meets every condition of a filter. Raises ValueError that names the column."""
    for name, condition in conditions.items():
        try:
            if not is_allowed(value_at(row, name), condition):
                return False
        except ValueError as error:
            raise ValueError(f"filter.{name}: {error}") from None
    return True


def read_problem(row: dict, number: int, layout: Layout) -> Problem | None:
    """A row as a problem, None where it has no answer. Raises ValueError that names the column."""
    question, identity, level = (text_at(row, layout.columns[key]) for key in ("question", "id", "level"))
    text = joined_at(row, layout.columns["answer"]) if layout.joins_answers else text_at(row, layout.columns["answer"])
    answer = layout.find_answer(text) if text else None
    if not answer:
        return None
    # Stripping takes a form feed, and with it what shows that `\frac` was written with a single backslash.
    written = text if text.strip() == answer else answer
    if CONTROL.search(re.sub(r"[\t\n\r]", "", written)):
        raise NoAnswer(
            f"the answer {written!r:.80} holds control characters, as where a backslash is not doubled in JSON"
        )
    question = layout.find_question(question or "")
    if question is None:
        raise ValueError(
            f"question_pattern finds nothing in column {layout.columns['question']!r}; `filter` can leave the row out"
        )
    if layout.options:
        question, answer = layout.options.ask(row, question, answer)
    return Problem(str(number) if identity is None else identity, question, answer, level)


def last_match(text: str, pattern: str) -> str | None:
    """The first group of the last match of `pattern` in a text, stripped; None without a match."""
    answers = [match[1] for match in re.finditer(pattern, text, re.MULTILINE) if match[1] is not None]
    return answers[-1].strip() if answers else None


def first_match(text: str, pattern: str) -> str | None:
    """The first group of the first match of `pattern` in a text; None without a match."""
    found = re.search(pattern, text)
    return found and found[1]
