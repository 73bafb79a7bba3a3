"""Read the rows of a local file or of a data set that `datasets` has saved, with the values as they stand there.

A table library would make 3 into 3.0 where another row has none.
"""

import csv
import gzip
import io
import json
import pathlib
import sys
import zlib
from collections.abc import Iterator

FILE_TYPES = (".parquet", ".arrow", ".jsonl", ".json", ".csv", ".jsonl.gz", ".json.gz", ".csv.gz")
SAVED = "state.json"
"""The file by which a folder of `datasets.Dataset.save_to_disk` is known."""


def read_file(path: pathlib.Path) -> list[dict]:
    """The rows of a file of one of `FILE_TYPES`, or of a folder of `save_to_disk`.

    Raises ValueError that names the file, and the line where there is one, where it cannot be read or holds no rows.
    """
    kind = ".arrow" if path.is_dir() else next(filter(path.name.lower().endswith, FILE_TYPES), None)
    if kind is None:
        raise ValueError(f"{path}: files of type {path.suffix!r} cannot be read; allowed: {', '.join(FILE_TYPES)}")
    reader = {
        ".parquet": read_parquet,
        ".arrow": read_arrow,
        ".jsonl": read_jsonl,
        ".json": read_json,
        ".csv": read_csv,
    }
    try:
        rows = reader[kind.removesuffix(".gz")](path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start:,} is no UTF-8; write the file as UTF-8") from None
    except RecursionError:
        raise ValueError(f"{path}: values are nested too deep to be read") from None
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{path}: the compressed data is cut or damaged ({error}); fetch the file again") from None
    except (ValueError, OSError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from None
    if not rows:
        raise ValueError(f"{path}: holds no rows")
    return rows


def read_parquet(path: pathlib.Path) -> list[dict]:
    import pyarrow.parquet

    return rows_of(pyarrow.parquet.ParquetFile(path).read())


def read_arrow(path: pathlib.Path) -> list[dict]:
    """Rows of one file of Arrow IPC, or of those that the state of a saved data set names, in their order."""
    if not path.is_dir():
        return arrow_rows(path)
    state = json.loads((path / SAVED).read_text(encoding="utf-8"))
    try:
        parts = [path / part["filename"] for part in state["_data_files"]]
    except (TypeError, KeyError):
        raise ValueError(f"{SAVED} names no data files; save the data set again with `save_to_disk`") from None
    return [row for part in parts for row in arrow_rows(part)]


def arrow_rows(path: pathlib.Path) -> list[dict]:
    """Rows of a file of Arrow IPC: `datasets` writes streams, other tools the format with an index at its end."""
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        is_stream = file.read(6) != b"ARROW1"
        file.seek(0)
        reader = pa.ipc.open_stream(file) if is_stream else pa.ipc.open_file(file)
        return rows_of(reader.read_all())


def rows_of(table) -> list[dict]:
    """The rows of an Arrow table, which may have a column's name twice."""
    refuse_repeated(table.column_names)
    return table.to_pylist()


def refuse_repeated(names: list[str]) -> None:
    """Raise ValueError for a name that is there twice: the last column would hide the others."""
    if len({*names}) < len(names):
        raise ValueError(f"two columns have one name; the columns are {', '.join(names)}")


def json_object(pairs: list[tuple[str, object]]) -> dict:
    """A JSON object from its keys and values."""
    row = dict(pairs)
    if len(row) < len(pairs):
        refuse_repeated([key for key, _ in pairs])
    return row


def text_of(path: pathlib.Path) -> str:
    """The text of a file, unpacked where its name ends in .gz, without a byte order mark."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix.lower() == ".gz" else data).decode("utf-8-sig")


def read_jsonl(path: pathlib.Path) -> list[dict]:
    # By newlines alone: str.splitlines would cut a text at other separators.
    return list(json_rows(text_of(path).split("\n")))


def json_rows(lines: list[str]) -> Iterator[dict]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=json_object)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"line {number}, column {error.colno}: {error.msg}; each line is one JSON object"
            ) from None
        except RecursionError:
            raise ValueError(f"line {number}: values are nested too deep to be read") from None
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        yield as_object(row, f"line {number}")


def read_json(path: pathlib.Path) -> list[dict]:
    try:
        rows = json.loads(text_of(path), object_pairs_hook=json_object)
    except json.JSONDecodeError as error:
        is_lines = error.msg == "Extra data" and error.lineno == 2
        hint = "; a file with an object a line is named .jsonl" if is_lines else ""
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}{hint}") from None
    if not isinstance(rows, list):
        raise ValueError(f"found a JSON {type(rows).__name__}; a list of objects is needed")
    return [as_object(row, f"entry {number}") for number, row in enumerate(rows)]


def as_object(row: object, where: str) -> dict:
    if not isinstance(row, dict):
        raise ValueError(f"{where} holds a JSON {type(row).__name__}; an object with the columns as its keys is needed")
    return row


def read_csv(path: pathlib.Path) -> list[dict]:
    # Its own limit of 128 KiB a cell is less than some proofs.
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text_of(path), newline=""), strict=True)
    header = next(reader, [])
    refuse_repeated(header)
    rows = []
    for cells in reader:
        if cells and len(cells) != len(header):
            raise ValueError(
                f"the row that ends in line {reader.line_num} has {len(cells)} cells, the header {len(header)}"
            )
        rows += [dict(zip(header, cells, strict=True))] * bool(cells)
    return rows
