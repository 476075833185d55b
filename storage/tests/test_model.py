"""What a job may be."""

import pytest

from thumbnailer_storage.errors import InvalidJob
from thumbnailer_storage.jobs.model import MAX_OUTPUTS, Job, Priority, Source
from thumbnailer_storage.jobs.pictures import Output, Result

SOURCE = Source(bytes=1, sha256="0" * 64)


def test_asked_for_nothing_a_job_makes_one_output_of_exactly_100_by_100() -> None:
    job = Job.new(owner="ada", source=SOURCE)
    assert job.outputs == (Output(format=None, width=100, height=100),)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"format": "bmp"}, "use one of jpeg, png, webp, avif, gif"),
        ({"width": 0}, "width 0 is not between 1 and"),
        ({"height": 100_000}, "height 100000 is not between 1 and"),
        ({"quality": 0}, "quality 0 is not between 1 and 100"),
        ({"format": "png", "quality": 80}, "quality has no meaning for png"),
        ({"background": "red"}, "write it as #rrggbb"),
        ({"format": "jpeg", "lossless": True}, "lossless has no meaning for jpeg: ask for png or webp"),
        ({"format": "avif", "lossless": True}, "lossless has no meaning for avif"),
        ({"format": "gif", "lossless": True}, "lossless has no meaning for gif"),
        ({"lossless": True}, "lossless has no meaning for a format that is left out"),
        ({"format": "webp", "lossless": True, "quality": 80}, "quality has no meaning for what is lossless"),
        ({"fit": "contain", "focus": (0.3, 0.7)}, "crop has no meaning for fit contain"),
        ({"focus": (0.3, 1.1)}, "between 0 and 1"),
        ({"focus": (float("nan"), 0.5)}, "between 0 and 1"),
    ],
)
def test_an_impossible_output_is_refused_with_what_is_allowed(fields: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidJob, match=says):
        Output(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"outputs": (Output(),) * (MAX_OUTPUTS + 1)}, f"a job makes 1 to {MAX_OUTPUTS}"),
        ({"outputs": (Output(width=4096, height=4096),) * 4}, "together have more than 64000000 pixels"),
        ({"metadata": {"a": "x" * 5000}}, "metadata is larger than"),
        ({"metadata": {"a": 1}}, "metadata holds text only"),
        ({"metadata": {"a": "\ud800"}}, "half of a surrogate pair"),
    ],
)
def test_an_impossible_job_is_refused_with_what_is_allowed(fields: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidJob, match=says):
        Job.new(owner="ada", source=SOURCE, **fields)  # type: ignore[arg-type]


def test_the_message_goes_to_the_queue_of_the_class_or_else_of_the_priority() -> None:
    assert Job.new(owner="ada", source=SOURCE, priority=Priority.ECONOMY).queue == "economy"
    assert Job.new(owner="ada", source=SOURCE, job_class="gpu").queue == "gpu"


def test_each_attempt_has_names_of_its_own_for_its_results() -> None:
    from dataclasses import replace

    job, result = Job.new(owner="ada", source=SOURCE), Result(1, "jpeg", 100, 100, 9)
    names = {replace(job, attempt=attempt).result_key(result) for attempt in (1, 2)}
    assert names == {f"results/{job.id}/1/1.jpg", f"results/{job.id}/2/1.jpg"}
