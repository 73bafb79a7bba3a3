"""The columns of the tables that nodes hand to each other, and how they are read and written."""

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from opsft_flow.files import atomic
from opsft_flow.integrity import Damaged, check_result, remedy_of

PROBLEM = pa.schema(
    {
        "problem_id": pa.string(),
        "question": pa.string(),
        "prompt": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        "answer": pa.string(),
        "source": pa.string(),
        "level": pa.string(),
    }
)
ROLLOUT = pa.schema(
    {
        "problem_id": pa.string(),
        "sample": pa.int32(),
        "seed": pa.int64(),
        "prompt_ids": pa.list_(pa.int32()),
        "response_ids": pa.list_(pa.int32()),
        "text": pa.string(),
        "tokens": pa.int32(),
        "finish_reason": pa.string(),
        "logprob": pa.float64(),
        "opens_thinking": pa.bool_(),
    }
)
VERDICT = pa.schema(
    {
        "problem_id": pa.string(),
        "sample": pa.int32(),
        "correct": pa.bool_(),
        "matched": pa.bool_(),
        "answer": pa.string(),
        "vote": pa.string(),
        "reason": pa.string(),
    }
)
SELECTED = pa.schema({"problem_id": pa.string(), "sample": pa.int32(), "weight": pa.float64()})


def write_table(path: str | os.PathLike, rows: list[dict], schema: pa.Schema) -> None:
    """Write rows as parquet; equal rows give equal bytes."""
    write_arrow(path, pa.Table.from_pylist(rows, schema=schema))


def write_arrow(path: str | os.PathLike, table: pa.Table) -> None:
    """Write a table as parquet; equal tables in one chunk give equal bytes."""
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator[None]:
    """What is done with a table inside raises Damaged where the file is not what was written, or is no parquet."""
    check_result(path)
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise Damaged(f"{path}: no parquet: {error}. {remedy_of(path)}") from None


def read_parquet(path: str | os.PathLike, **options) -> pa.Table:
    """A table; `options` are those of `pyarrow.parquet.read_table`. Raises Damaged where the file is not what was written."""
    with reading(path):
        return pq.read_table(path, **options)


def read_table(path: str | os.PathLike, schema: pa.Schema, columns: list[str] | None = None) -> list[dict]:
    """Read rows. Raises ValueError where the file has not the columns of `schema`, Damaged where it is not what was written."""
    return read_arrow(path, schema, columns).to_pylist()


def read_arrow(path: str | os.PathLike, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
    """Like `read_table`, as a table: for what is too much for a dict a row."""
    with reading(path):
        found = pq.read_schema(path).names
        missing = [name for name in columns or schema.names if name not in found]
        if missing:
            raise ValueError(
                f"{path}: columns {', '.join(missing)} are missing; found {', '.join(found)}. {remedy_of(path)}"
            )
        return pq.read_table(path, columns=columns)


def digests(path: str | os.PathLike, column: str) -> list[bytes]:
    """A hash of each list in a column of lists of numbers: lists that are equal have equal ones. Few rows are in memory at once."""
    found = []
    with reading(path):
        for batch in pq.ParquetFile(path).iter_batches(columns=[column], batch_size=4096):
            lists = batch.column(0)
            values, ends = lists.values.to_numpy(), lists.offsets.to_numpy()
            parts = (values[start:end] for start, end in itertools.pairwise(ends))
            found += [hashlib.blake2b(part, digest_size=16).digest() for part in parts]
    return found


def align(rows: list[dict], keys: list[dict], path: str) -> list[dict]:
    """The rows in the order of `keys`, matched by problem and sample. Raises ValueError where one is missing."""
    by_key = {(row["problem_id"], row["sample"]): row for row in rows}
    missing = [key for key in keys if (key["problem_id"], key["sample"]) not in by_key]
    if missing:
        first = f"problem {missing[0]['problem_id']}, sample {missing[0]['sample']}"
        raise ValueError(f"{path}: {len(missing)} of {len(keys)} rows are missing, the first of them {first}")
    return [by_key[key["problem_id"], key["sample"]] for key in keys]
