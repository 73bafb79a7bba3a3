"""The safetensors files of a checkpoint: which they are, what tensors their headers name, and whether the values are numbers.

Format: https://huggingface.co/docs/safetensors. Nothing here needs torch.
"""

import json
import math
import pathlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

INDEX = "model.safetensors.index.json"
GIT_LFS = b"version https://git-lfs"
CHUNK = 1 << 20
"""Values that are looked at together: they stay in a processor's cache."""

INFINITE = {
    "BF16": ("uint16", 0x7F80),
    "F16": ("uint16", 0x7C00),
    "F32": ("uint32", 0x7F800000),
    "F64": ("uint64", 0x7FF0000000000000),
}
"""How each float is stored, and infinity in it (IEEE 754): without the sign bit, NaN is larger and every number smaller."""

OTHER_FORMATS = {
    "adapter_model.*": "an adapter: merge it into its base model (peft: merge_and_unload) and save that with save_pretrained",
    "*.gguf": "a GGUF file: load it with from_pretrained(folder, gguf_file=...) of transformers and save it with save_pretrained",
    "*.bin": "a file of PyTorch: load the folder with from_pretrained of transformers and save them with save_pretrained",
}
"""What may lie in a folder in place of safetensors, and how to make a checkpoint of it."""


class Header(NamedTuple):
    """Where a tensor lies: its file, its type as safetensors names it, its shape, and the offset of its first byte."""

    file: pathlib.Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def values(self) -> "np.ndarray":
        """The values as unsigned integers of the same width, mapped from the file: (size,)."""
        import numpy as np

        stored, size = INFINITE[self.dtype][0], math.prod(self.shape)
        return (
            np.memmap(self.file, stored, mode="r", offset=self.offset, shape=(size,)) if size else np.empty(0, stored)
        )


def weight_files(folder: str | pathlib.Path) -> list[pathlib.Path]:
    """The files that hold the weights: model.safetensors, or the shards that its index names.

    Raises ValueError where there are none, both, or not all of them; the message says how to convert what is there instead.
    """
    single, index = pathlib.Path(folder) / "model.safetensors", pathlib.Path(folder) / INDEX
    if single.exists() and index.exists():
        raise ValueError(f"{folder} holds two sets of weights, {single.name} and {index.name}; move one of them away")
    if index.exists():
        return _shards(index)
    if not single.exists():
        raise ValueError(
            f"{folder} holds no {single.name} and no {index.name}; a checkpoint in safetensors is needed. {other_format(pathlib.Path(folder))}"
        )
    return [single]


def other_format(folder: pathlib.Path) -> str:
    """What a folder without safetensors holds, and how to make a checkpoint of it."""
    for pattern, advice in OTHER_FORMATS.items():
        if found := sorted(folder.glob(pattern)):
            return f"{found[0].name} is {advice}"
    return f"It holds {', '.join(sorted(path.name for path in folder.iterdir())[:10]) or 'nothing'}"


def _shards(index: pathlib.Path) -> list[pathlib.Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        plain = all(isinstance(name, str) and pathlib.PurePath(name).name == name for name in names)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{index} is no index of tensors: {type(error).__name__}: {error}; get it again") from None
    if not names or not plain:
        raise ValueError(f"{index} must name files of its own folder; found {names[:3]}")
    missing = [name for name in names if not (index.parent / name).exists()]
    if missing:
        raise ValueError(
            f"{index} names {len(missing)} files that are not there: {some(missing)}; get the checkpoint again"
        )
    return [index.parent / name for name in names]


def read_headers(folder: str | pathlib.Path) -> dict[str, Header]:
    """The tensors of a checkpoint by name. Raises ValueError for a file that is damaged, and for a tensor that is stored twice."""
    headers: dict[str, Header] = {}
    for file in weight_files(folder):
        found = _headers_of(file)
        twice = sorted(headers.keys() & found.keys())
        if twice:
            raise ValueError(
                f"{file} and {headers[twice[0]].file.name} both hold {some(twice)}; get the checkpoint again"
            )
        headers |= found
    return headers


def _headers_of(file: pathlib.Path) -> dict[str, Header]:
    from safetensors import SafetensorError, safe_open

    try:
        # The library refuses a header that does not describe every byte of its file.
        with safe_open(file, framework="numpy"), open(file, "rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(length))
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} cannot be read as safetensors: {_reason(file, error)}; get the file again") from None
    header.pop("__metadata__", None)
    return {
        name: Header(file, entry["dtype"], tuple(entry["shape"]), 8 + length + entry["data_offsets"][0])
        for name, entry in header.items()
    }


def check_finite_values(folder: str | pathlib.Path) -> None:
    """Raise ValueError where a weight is NaN or infinite. All values are read, file beside file."""
    headers = {name: header for name, header in read_headers(folder).items() if header.dtype in INFINITE}
    with ThreadPoolExecutor() as pool:
        finite = pool.map(_is_finite, headers.values())
    broken = sorted(name for name, holds in zip(headers, finite, strict=True) if not holds)
    if broken:
        raise ValueError(
            f"{folder}: {len(broken)} tensors hold NaN or infinite weights: {some(broken)}; the checkpoint is broken, get it again"
        )


def _is_finite(header: Header) -> bool:
    values, infinity = header.values(), INFINITE[header.dtype][1]
    magnitude = values.dtype.type((1 << (8 * values.itemsize - 1)) - 1)
    parts = (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
    return all((part & magnitude).max() < infinity for part in parts)


def are_equal(one: Header, other: Header) -> bool:
    """True where two tensors hold the same bits."""
    import numpy as np

    if one[1:3] != other[1:3]:
        return False
    return one.dtype not in INFINITE or bool(np.array_equal(one.values(), other.values()))


def _reason(file: pathlib.Path, error: Exception) -> str:
    if file.is_file():
        with open(file, "rb") as opened:
            if opened.read(len(GIT_LFS)) == GIT_LFS:
                return "it is a pointer of Git LFS and not the file (git lfs pull)"
        return f"{error} ({file.stat().st_size:,} bytes)"
    return str(error)


def some(names: list[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
