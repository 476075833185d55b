"""Outputs: the bytes of a picture that was made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

from flask import Response, g, request
from werkzeug.http import is_resource_modified

from thumbnailer_api import metrics
from thumbnailer_api.admission import Admission
from thumbnailer_api.errors import Gone, JobFailed, NoSuchOutput, NotFinished, RangeOutside
from thumbnailer_api.routes.jobs import job_id
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.jobs.model import Job, Status
from thumbnailer_storage.jobs.pictures import Result
from thumbnailer_storage.objects import Reading

LARGE = 64 * 1024
"""An output from this size on may not fit into the system's buffers, so it counts as a transfer from its beginning:
where there is no room, its caller is told so, and not cut off in the middle."""

NO_BYTES = re.compile(r"\s*bytes\s*=\s*-0+\s*", re.IGNORECASE)
"""A range that werkzeug takes for none of its kind, which would get the whole."""


def get(wiring: Wiring, job: str, n: str) -> Response:
    """The bytes of output `n`, or the part of them that is asked for; or where the store itself has them."""
    found = wiring.stores.jobs.get(job_id(job), g.owner)
    result = result_of(found, n)
    # Names are never used twice, so the name is as good as a hash of the bytes.
    etag = f'"{found.id.hex}-{found.attempt}-{result.n}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if not is_resource_modified(request.environ, etag=etag):
        return Response(None, 304, headers)
    start, length, status = part_of(result.bytes, etag)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{result.bytes}"
    headers["Content-Length"] = str(length)
    if request.method == "HEAD":
        wiring.stores.objects.size(found.result_key(result))  # raises ObjectMissing, as GET would
        return Response(None, status, headers, mimetype=result.media_type)
    if address := address_of(wiring, found.result_key(result), result.media_type):
        # 307 keeps the method and the range, and nobody may keep the address: it ends, and needs no key.
        return Response(None, 307, {"Location": address, "ETag": etag, "Cache-Control": "no-store"})
    chunks = wiring.stores.objects.read(found.result_key(result), start, length)
    metrics.download_bytes.inc(length)
    body = Sending(chunks, wiring.transfers) if length >= LARGE else chunks
    return Response(body, status, headers, mimetype=result.media_type, direct_passthrough=True)


def address_of(wiring: Wiring, key: str, media_type: str) -> str | None:
    """The address to send a caller to; None where the bytes are sent from here."""
    settings = wiring.settings
    if settings.downloads != "redirect":
        return None
    return wiring.stores.objects.address(key, media_type, base=settings.downloads_url)


def result_of(job: Job, n: str) -> Result:
    """What was made as output `n`; raises NoSuchOutput, NotFinished, JobFailed, Gone."""
    number = int(n) if re.fullmatch("[0-9]{1,9}", n) else len(job.outputs)
    if number >= len(job.outputs):
        raise NoSuchOutput(f"The job has the outputs 0 to {len(job.outputs) - 1}.")
    if not job.status.final:
        raise NotFinished(f"The job is {job.status}: ask for it with `Prefer: wait=20` until it is complete.")
    if job.status is Status.FAILED:
        raise JobFailed(job.message)
    result = job.outputs[number].result
    if job.status is not Status.COMPLETE or result is None:
        raise Gone(f"The job is {job.status} and its data is removed: send the image again.")
    return result


def part_of(total: int, etag: str) -> tuple[int, int, int]:
    """Start, length and status of the answer: one range is answered with 206, several with the whole.

    Raises RangeOutside.
    """
    asked = request.range
    nothing = NO_BYTES.fullmatch(request.headers.get("Range", ""))
    changed = request.headers.get("If-Range", etag) != etag  # as it stands: a weak one never matches
    if nothing and not changed:
        raise RangeOutside(f"The output has {total} bytes, and the last 0 of them are none.", total)
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or changed:
        return 0, total, 200
    first, end = asked.ranges[0]
    start = first if first >= 0 else max(0, total + first)
    if start >= total:
        raise RangeOutside(f"The output has {total} bytes.", total)
    return start, (total if end is None else min(end, total)) - start, 206


class Sending:
    """The bytes on their way to the caller, a transfer until the server closes them.

    Raises Busy when it is made, before the answer has begun.
    """

    def __init__(self, chunks: Reading, transfers: Admission) -> None:
        self._chunks = chunks
        with ExitStack() as held:
            held.callback(chunks.close)
            held.enter_context(transfers.one())
            self._held = held.pop_all()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        self._held.close()
