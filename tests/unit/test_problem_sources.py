"""Sources of problems: every kind of file, the built-in task, the Hub as the datasets library shows it."""

import csv
import gzip
import json
import sys
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opsft.problem_rows import Layout
from opsft.problem_sources import read_builtin, read_hub, read_local
from opsft.problems import Problem, check_problems
from opsft_flow.configuration.fingerprints import fingerprint
from opsft_flow.configuration.sources import problem_path

COLUMNS = {"question": "question", "answer": "answer", "id": None, "level": None}
ROWS = [{"question": "1 + 1?\u2028", "answer": "2"}, {"question": "é, or\n7", "answer": "007"}]


def write(path, rows: list[dict]):
    """Write rows in the format that the suffix names."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.fixture(params=[".parquet", ".jsonl", ".json", ".csv"])
def file(request, tmp_path):
    return tmp_path / f"train{request.param}"


def test_a_cell_may_be_as_long_as_a_proof(file):
    proof = "x" * 200_000
    (problem,) = read_local(write(file, [{**ROWS[0], "question": proof}]), Layout(COLUMNS)).problems
    assert proof in problem.question


def test_every_kind_of_file_gives_the_same_problems(file):
    assert read_local(write(file, ROWS), Layout(COLUMNS)).problems == [
        Problem("0", "1 + 1?\u2028", "2", None),
        Problem("1", "é, or\n7", "007", None),
    ]


def test_columns_are_found_by_the_names_that_the_configuration_gives(file):
    rows = [{"Q": "1 + 1?", "A": "2", "key": "x", "hard": "3"}]
    columns = {"question": "Q", "answer": "A", "id": "key", "level": "hard"}
    assert read_local(write(file, rows), Layout(columns)).problems == [Problem("x", "1 + 1?", "2", "3")]


def test_every_kind_of_file_is_filtered_alike(file):
    rows = [{"question": f"q{i}", "answer": "1", "level": i, "kind": "ab"[i % 2]} for i in range(6)]
    reading = read_local(write(file, rows), Layout(COLUMNS, {"level": {"min": 2, "max": 4.0}, "kind": ["a"]}))
    assert [problem.question for problem in reading.problems] == ["q2", "q4"]
    assert reading.filtered == [0, 1, 3, 5]


def test_a_missing_column_is_named_with_the_file(file):
    columns = {**COLUMNS, "answer": "solution", "level": "hard"}
    message = (
        r"train.*: no column for columns\.answer \('solution'\), columns\.level \('hard'\); the columns are question,"
    )
    with pytest.raises(ValueError, match=message):
        read_local(write(file, ROWS), Layout(columns))


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json"])
def test_numbers_stay_as_they_are_written_beside_empty_cells(tmp_path, suffix):
    rows = [{"question": "a", "answer": 3, "level": 1}, {"question": "b", "answer": 12, "level": None}]
    layout = Layout({**COLUMNS, "level": "level"})
    problems = read_local(write(tmp_path / f"train{suffix}", rows), layout).problems
    assert [(problem.answer, problem.level) for problem in problems] == [("3", "1"), ("12", None)]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json"])
def test_rows_without_an_answer_are_named_with_the_file(tmp_path, suffix):
    rows = [{"question": "a", "answer": 3}, {"question": "b", "answer": None}]
    with pytest.raises(ValueError, match=r"train.*: no answer in row 1 \("):
        read_local(write(tmp_path / f"train{suffix}", rows), Layout(COLUMNS))


def test_a_row_without_the_key_has_no_answer(tmp_path):
    rows = [{"question": "a", "answer": 3}, {"question": "b"}]
    with pytest.raises(ValueError, match="no answer in row 1"):
        read_local(write(tmp_path / "train.jsonl", rows), Layout(COLUMNS))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "", "a.jsonl: holds no rows"),
        ("a.json", "[]", "a.json: holds no rows"),
        ("a.json", '{"rows": []}', "a.json: found a JSON dict; a list of objects is needed"),
        (
            "a.jsonl",
            '{"a": 1}\n\n{',
            r"a\.jsonl: line 3, column 2: Expecting property name.*; each line is one JSON object",
        ),
        ("a.jsonl", '{"a": 1}\n[1]', r"a\.jsonl: line 2 holds a JSON list; an object .* is needed"),
        ("a.jsonl", '{"a": ' + "9" * 5000 + "}", r"a\.jsonl: line 1: .*4300 digits"),
        ("a.jsonl", '{"a": ' + "[" * 100_000, r"a\.jsonl: line 1: values are nested too deep"),
        ("a.json", "[" * 100_000, r"a\.json: values are nested too deep"),
        ("a.json", "[1]", r"a\.json: entry 0 holds a JSON int"),
        ("a.csv", "question,answer\n1,2\n3,4,5\n", r"a\.csv: the row that ends in line 3 has 3 cells, the header 2"),
        ("a.csv", "answer,answer\n1,2\n", r"a\.csv: two columns have one name"),
        ("a.csv", 'question,answer\n"1,2\n', r"a\.csv: unexpected end of data"),
        ("a.csv", "", r"a\.csv: holds no rows"),
        ("a.jsonl", '{"a": 1, "a": 2}', r"a\.jsonl: line 1: two columns have one name; the columns are a, a"),
        (
            "a.json",
            '{"a": 1}\n{"a": 2}',
            r"a\.json: line 2, column 1: Extra data; a file with an object a line is named \.jsonl",
        ),
        ("a.parquet", "", r"a\.parquet: "),
        ("a.arrow", "text", r"a\.arrow: "),
        ("a.parquet", "text", "a.parquet: .*Parquet"),
        ("a.txt", "", "a.txt: files of type '.txt' cannot be read; allowed: .parquet, .arrow, .jsonl, "),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_local(tmp_path / name, Layout(COLUMNS))


def test_a_built_in_task_gives_numbered_problems():
    reading = read_builtin("arithmetic", "test", 3, 0, {"terms_min": 2, "terms_max": 2})
    assert [each.id for each in reading.problems] == ["test-0", "test-1", "test-2"]
    assert {each.level for each in reading.problems} == {"2"}
    assert reading.rows == 3
    check_problems(reading.problems, "set")


@pytest.mark.parametrize(
    ("task", "limit", "options", "message"),
    [
        ("sudoku", 1, {}, "built-in task 'sudoku' is unknown"),
        ("arithmetic", None, {}, "set `limit`"),
        ("arithmetic", 1, {"digits": 2}, "options {'digits': 2}: .*unexpected keyword argument 'digits'"),
        ("arithmetic", 1, {"terms_min": "two"}, "options {'terms_min': 'two'}"),
    ],
)
def test_what_a_built_in_task_refuses(task, limit, options, message):
    with pytest.raises(ValueError, match=message):
        read_builtin(task, "train", limit, 0, options)


@pytest.fixture
def hub(monkeypatch):
    """The Hub holds one dataset of three columns; returns what was asked for, and the columns that were read."""
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_list([{**row, "images": ["large"] * 3} for row in ROWS])
    asked = []

    def load_dataset(source, name, split, revision):
        asked.append((source, name, split, revision))
        select = whole.select_columns
        whole.select_columns = lambda columns: asked.append(columns) or select(columns)
        return whole

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return asked


def test_of_a_hub_dataset_only_the_columns_that_are_named_are_read(hub):
    reading = read_hub("owner/set", "main", "v1", "test", Layout(COLUMNS))
    assert [problem.answer for problem in reading.problems] == ["2", "007"]
    assert hub == [("owner/set", "main", "test", "v1"), ["question", "answer"]]


def test_a_missing_column_of_a_hub_dataset_is_named_with_all_that_are_there(hub):
    message = (
        "owner/set: no column for columns.question .*, columns.answer .*; the columns are question, answer, images"
    )
    with pytest.raises(ValueError, match=message):
        read_hub("owner/set", None, None, "test", Layout({**COLUMNS, "question": "Q", "answer": "A"}))


@pytest.mark.parametrize(("error", "reason"), [(ConnectionError("no route\nx"), "no route"), (TimeoutError(), "")])
def test_a_hub_dataset_that_cannot_be_had_is_named_with_the_reason(monkeypatch, error, reason):
    def load_dataset(*arguments, **options):
        raise error

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(ValueError, match="no local path here") as raised:
        read_hub("owner/none", None, None, "test", Layout(COLUMNS))
    assert str(raised.value).endswith(f"cannot be loaded: {type(error).__name__}: {reason}")


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
def test_a_byte_order_mark_and_compression_change_nothing(tmp_path, suffix):
    plain = write(tmp_path / f"train{suffix}", ROWS)
    expected = read_local(plain, Layout(COLUMNS)).problems
    marked = tmp_path / f"marked{suffix}"
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    packed = tmp_path / f"train{suffix}.gz"
    packed.write_bytes(gzip.compress(marked.read_bytes()))
    assert read_local(marked, Layout(COLUMNS)).problems == expected
    assert read_local(packed, Layout(COLUMNS)).problems == expected


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".jsonl.gz", ".arrow"])
def test_a_damaged_file_ends_in_one_message_that_names_it(tmp_path, suffix):
    path = tmp_path / f"train{suffix}"
    if suffix == ".arrow":
        write_arrow(path, pa.ipc.new_file)
    else:
        write(tmp_path / f"train{suffix.removesuffix('.gz')}", ROWS * 50)
        if suffix == ".jsonl.gz":
            path.write_bytes(gzip.compress((tmp_path / "train.jsonl").read_bytes()))
    whole = path.read_bytes()
    for data in (whole[:-9], b"\xff\xfe" + whole):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=rf"train{suffix}: "):
            read_local(path, Layout(COLUMNS))


def write_arrow(path, new_file) -> None:
    table = pa.Table.from_pylist(ROWS)
    with new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def test_columns_with_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array(["2"])], names=["answer", "answer"])
    pq.write_table(table, tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=r"train\.parquet: two columns have one name"):
        read_local(tmp_path / "train.parquet", Layout(COLUMNS))


@pytest.mark.parametrize("new_file", [pa.ipc.new_file, pa.ipc.new_stream])
def test_both_formats_of_arrow_are_read(tmp_path, new_file):
    write_arrow(tmp_path / "train.arrow", new_file)
    assert [problem.answer for problem in read_local(tmp_path / "train.arrow", Layout(COLUMNS)).problems] == [
        "2",
        "007",
    ]


def test_what_save_to_disk_writes_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    saved = datasets.Dataset.from_list(ROWS)
    saved.save_to_disk(str(tmp_path / "one"), num_shards=2)
    datasets.DatasetDict({"test": saved}).save_to_disk(str(tmp_path / "splits"))
    for path in (problem_path(str(tmp_path / "one"), "train"), problem_path(str(tmp_path / "splits"), "test")):
        assert [problem.answer for problem in read_local(path, Layout(COLUMNS)).problems] == ["2", "007"]
    before = fingerprint(tmp_path / "one")
    part = next((tmp_path / "one").glob("*.arrow"))
    part.write_bytes(part.read_bytes() + b"\0")
    assert fingerprint(tmp_path / "one") != before
    (tmp_path / "one" / "state.json").write_text("{}")
    with pytest.raises(ValueError, match=r"one: state\.json names no data files"):
        read_local(tmp_path / "one", Layout(COLUMNS))
