"""What the child may answer, and what of it is believed: nothing before it is checked."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from thumbnailer_storage.jobs.pictures import FORMATS, Output, Result
from thumbnailer_worker.errors import ScratchFull
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.made import Made, SourceInfo

_FULL_BYTES = 16 << 20
"""With more room than this no disk is full, whatever the child says."""


class Lie(Exception):
    """An answer that no child of ours gives; the text says what is wrong with it, for the log."""


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,12}$")]
_Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Side = Annotated[int, Field(ge=1, le=1_000_000)]
_Length = Annotated[int, Field(ge=1, lt=1 << 31)]
"""Of a source: only its area is limited."""
_Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class _Source(_Checked):
    format: _Name
    width: _Length
    height: _Length


class _Result(_Checked):
    n: int
    format: Literal["jpeg", "png", "webp", "avif", "gif"]
    width: _Side
    height: _Side
    bytes: int


class _Made(_Checked):
    source: _Source
    results: list[_Result]
    decode_seconds: _Seconds
    encode_seconds: _Seconds


class _Refused(_Checked):
    code: Literal[413, 415, 422]
    message: _Line


class _Answer(_Checked):
    made: _Made | None = None
    refused: _Refused | None = None
    full: bool = False


class Hello(_Checked):
    """What the child says once, before its first job: what it could not give up."""

    lacks: list[_Line]


def hello(line: bytes) -> tuple[str, ...]:
    """What the child lacks. Raises Lie."""
    try:
        return tuple(Hello.model_validate_json(line).lacks)
    except ValidationError as error:
        raise Lie(str(error)) from None


def made(line: bytes, outputs: Sequence[Output], folder: Path, most_bytes: int) -> Made:
    """The pictures that the child made. Raises ImageRefused, ScratchFull and Lie.

    Each result must be what was asked for, and its file a regular one of the size that was told.
    """
    try:
        answer = _Answer.model_validate_json(line)
    except ValidationError as error:
        raise Lie(str(error)) from None
    if answer.full and shutil.disk_usage(folder).free < _FULL_BYTES:
        raise ScratchFull(f"no room is left under {folder}: make the volume of the scratch folder larger")
    if answer.refused and answer.refused.message.isprintable():
        raise ImageRefused(answer.refused.code, answer.refused.message)
    if not answer.made:
        raise Lie("neither pictures nor a reason that can be printed")
    results = tuple(Result(**result.model_dump()) for result in answer.made.results)
    if len(results) != len(outputs):
        raise Lie(f"{len(results)} results for {len(outputs)} outputs")
    for n, (output, result) in enumerate(zip(outputs, results, strict=True)):
        _check(n, output, result)
        with open_result(folder, result, most_bytes):
            pass
    return Made(
        source=SourceInfo(**answer.made.source.model_dump()),
        results=results,
        decode_seconds=answer.made.decode_seconds,
        encode_seconds=answer.made.encode_seconds,
    )


def open_result(folder: Path, result: Result, most_bytes: int) -> BinaryIO:
    """The file of a result, for reading: never through a link, a pipe or a device. Raises Lie."""
    path = folder / f"{result.n}.{FORMATS[result.format].extension}"
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise Lie(f"result {result.n} cannot be opened: {error.strerror}") from None
    found = os.fstat(file.fileno())
    honest = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size == result.bytes
    if not honest or not 0 < found.st_size < most_bytes:  # one that reached the limit may have been cut there
        file.close()
        raise Lie(f"result {result.n} is no plain file of {result.bytes} bytes")
    return file


def _check(n: int, output: Output, result: Result) -> None:
    if result.n != n:
        raise Lie(f"result {result.n} stands in place {n}")
    if result.format not in ((output.format,) if output.format else ("png", "jpeg")):
        raise Lie(f"result {n} is {result.format} where {output.format} was asked for")
    if result.width > output.width or result.height > output.height:
        raise Lie(f"result {n} is {result.width}x{result.height}, larger than was asked for")
