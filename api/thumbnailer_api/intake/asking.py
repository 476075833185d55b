"""What a caller may ask for. The models judge the spelling, the record's own classes the values."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from thumbnailer_api.intake.base import NO_TRUTH, Asked
from thumbnailer_api.intake.mistakes import in_our_words, shown
from thumbnailer_api.intake.offer import Offer, offer_of
from thumbnailer_api.intake.times import Moment
from thumbnailer_api.intake.webhooks import JobWebhook
from thumbnailer_storage.jobs.model import MAX_METADATA_BYTES, MAX_OUTPUTS, Priority, Status
from thumbnailer_storage.jobs.pictures import FORMATS, MAX_SIDE, Fit, Output

SHARE = r"(?:0?\.\d{1,9}|[01](?:\.0{0,9})?)"
CROP = re.compile(rf"\s*({SHARE})\s*,\s*({SHARE})\s*")
SIZE = re.compile(r"\s*(\d{1,6})\s*[,xX]\s*(\d{1,6})\s*")


def a_size(text: str) -> str:
    found = SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"{shown(text)} is no size: write W,H or WxH in pixels, such as 200x200")
    width, height = (int(side) for side in found.groups())
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(f"{text!r} is no size: width and height are between 1 and {MAX_SIDE} pixels")
    return f"{width}x{height}"


def a_format(name: object) -> object:
    return {"jpg": "jpeg"}.get(name.lower(), name.lower()) if isinstance(name, str) else name


def a_colour(text: str) -> str:
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        raise ValueError(f"{shown(text)} is no colour: write it as #rrggbb, in an address %23rrggbb or rrggbb")
    return f"#{text.removeprefix('#').lower()}"


def a_crop(text: str) -> str:
    if text.strip() in ("centre", "center"):
        return "centre"
    found = CROP.fullmatch(text)
    if not found:
        raise ValueError(f"{shown(text)} is no crop: write centre, or shares of width and height such as 0.3,0.7")
    return ",".join(f"{float(share):g}" for share in found.groups())


YES = ("true", "yes", "on", "1", "y", "t")
"""What pydantic takes for true."""


def without_meaning(given: dict[str, Any]) -> set[str]:
    """What a preset may say to no end, beside the fit and the format that the caller asks for."""
    form = FORMATS.get(str(a_format(given.get("format"))))
    lossless = str(given.get("lossless")).lower() in YES
    return {
        *(["quality"] if lossless else []),
        *(["lossless"] if given.get("quality") is not None else []),
        *(["crop"] if given.get("fit", Fit.COVER) != Fit.COVER else []),
        *(["quality"] if form and not form.takes_quality else []),
        *(["lossless"] if form and not form.can_be_lossless else []),
    }


class OutputAsked(Asked):
    """One picture that is to be made."""

    preset: str | None = Field(
        default=None, description="One of the service's own, by its name; what is asked for beside it goes before it."
    )

    format: Annotated[
        Literal["jpeg", "png", "webp", "avif", "gif"] | None,
        BeforeValidator(a_format, json_schema_input_type=Literal["jpeg", "jpg", "png", "webp", "avif", "gif"] | None),
    ] = Field(default=None, description="Left out: PNG where the source has transparency, else JPEG.")
    size: Annotated[str, AfterValidator(a_size)] = Field(
        default="100x100",
        description=f"`W,H` or `WxH` in pixels, each from 1 to {MAX_SIDE}.",
        examples=["100,100", "200x200"],
        json_schema_extra={"pattern": r"^\s*\d{1,6}\s*[,xX]\s*\d{1,6}\s*$"},
    )
    fit: Fit = Field(
        default=Fit.COVER,
        description="`cover` fills the box exactly, `contain` stays inside it, `pad` fills it up with `background`.",
    )
    quality: Annotated[int, Field(ge=1, le=100), NO_TRUTH] | None = Field(
        default=None, description="For jpeg, webp and avif."
    )
    background: Annotated[str, AfterValidator(a_colour)] | None = Field(
        default=None,
        description="A colour as `#rrggbb`.",
        examples=["#ffffff"],
        json_schema_extra={"pattern": "^#?[0-9a-fA-F]{6}$"},
    )
    enlarge: bool | None = Field(
        default=None, description="Whether a small source is enlarged; left out, cover and pad do and contain does not."
    )

    lossless: bool | None = Field(
        default=None, description="Whether no pixel may change: for webp; png always is. `quality` has no meaning then."
    )
    crop: Annotated[str, AfterValidator(a_crop)] | None = Field(
        default=None,
        description="What `cover` keeps: `centre`, or a point as shares of width and height from the left top, which "
        "is kept as near to the middle as the picture allows.",
        examples=["centre", "0.3,0.7"],
        json_schema_extra={"pattern": rf"^\s*cent(re|er)\s*$|^\s*{SHARE}\s*,\s*{SHARE}\s*$"},
    )

    @model_validator(mode="before")
    @classmethod
    def preset_as_its_fields(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("preset"), str):
            return given
        presets = {preset.name: preset for preset in offer_of(info).presets}
        if given["preset"] not in presets:
            ours = f"name one of {', '.join(presets)}" if presets else "this service has no presets, leave it out"
            raise ValueError(f"preset: {shown(given['preset'])} is not configured: {ours}")
        idle = without_meaning(given)
        return {name: value for name, value in presets[given["preset"]].fields.items() if name not in idle} | given

    @model_validator(mode="after")
    def the_record_takes_it(self) -> Self:
        self.output()
        return self

    @property
    def pixels(self) -> int:
        width, height = self.size.split("x")
        return int(width) * int(height)

    def output(self) -> Output:
        """As it is recorded; raises InvalidJob."""
        width, height = self.size.split("x")
        across, _, down = (self.crop or "centre").partition(",")
        return Output(
            format=self.format,
            width=int(width),
            height=int(height),
            fit=self.fit,
            quality=self.quality,
            background=self.background,
            enlarge=self.enlarge,
            lossless=self.lossless,
            focus=(float(across), float(down)) if down else None,
            preset=self.preset,
        )


def listed(outputs: object) -> object:
    return [outputs] if isinstance(outputs, dict) else outputs


def small_metadata(metadata: dict[str, str]) -> dict[str, str]:
    if sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items()) > MAX_METADATA_BYTES:
        raise ValueError(f"names and values are larger than {MAX_METADATA_BYTES} bytes together")
    return metadata


def a_class(name: str | None, info: ValidationInfo) -> str | None:
    """One of the service's own."""
    classes = offer_of(info).classes
    if name is None or name in classes:
        return name
    ours = (
        f"name one of {', '.join(classes)}, or leave it out" if classes else "this service has no classes, leave it out"
    )
    raise ValueError(f"{shown(name)} is not configured: {ours}")


def few_enough(outputs: list[OutputAsked], info: ValidationInfo) -> list[OutputAsked]:
    offer = offer_of(info)
    if len(outputs) > offer.max_outputs:
        raise ValueError(f"{len(outputs)} are asked for: a job makes 1 to {offer.max_outputs} here")
    if sum(output.pixels for output in outputs) > offer.max_output_pixels:
        raise ValueError(f"they have more than {offer.max_output_pixels} pixels together: ask for smaller or fewer")
    return outputs


def a_while(seconds: int, info: ValidationInfo) -> int:
    """Within the service's limit."""
    most = offer_of(info).keep_seconds_max
    if not 1 <= seconds <= most:
        raise ValueError(f"{shown(str(seconds))} is not between 1 and {most} seconds")
    return seconds


class JobAsked(Asked):
    """What is to be made of an image, and how urgently. All of it may be left out."""

    outputs: Annotated[
        list[OutputAsked],
        BeforeValidator(
            listed,
            json_schema_input_type=Annotated[list[OutputAsked], Field(min_length=1, max_length=MAX_OUTPUTS)]
            | OutputAsked,
        ),
        AfterValidator(few_enough),
    ] = Field(
        default_factory=list,
        min_length=1,
        max_length=MAX_OUTPUTS,
        description="The pictures to make; `output` is accepted too. Left out: one of exactly 100x100.",
    )
    priority: Priority = Field(default=Priority.STANDARD, description="Which queue it waits in.")
    job_class: Annotated[str | None, AfterValidator(a_class)] = Field(
        default=None,
        validation_alias="class",
        description="A kind of machine to run on, one of those that the service has; its queue is waited in then.",
    )
    metadata: Annotated[dict[str, str], AfterValidator(small_metadata)] = Field(
        default_factory=dict,
        description=f"Names and values of your own, up to {MAX_METADATA_BYTES} bytes; they come back with the job.",
    )

    expires_in: Annotated[int, NO_TRUTH, AfterValidator(a_while)] | None = Field(
        default=None,
        description="For how many seconds after its finish the job's data is kept. Left out: the service's own time.",
    )
    webhook: JobWebhook = Field(
        default=None,
        description="Who is told what becomes of the job; left out: your default webhook, if you have set one; `null` "
        "or `false`: nobody.",
    )

    @model_validator(mode="before")
    @classmethod
    def other_names(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if "output" in given:
            if "outputs" in given:
                raise ValueError("output: it is another name for `outputs`; send one of the two")
            given = {("outputs" if name == "output" else name): value for name, value in given.items()}
        return given

    @classmethod
    def from_json(cls, text: bytes, offer: Offer) -> Self:
        """Read the part `job`.

        Raises Malformed where it is no JSON, Invalid where it asks for what we do not do.
        """
        try:
            return cls.model_validate_json(text, context=offer)
        except ValidationError as error:
            raise in_our_words(error, "The part `job`") from None


class CancelAsked(Asked):
    """Which of the caller's jobs are cancelled."""

    status: Literal["pending", "processing"] = Field(description="Those in this state.")
    priority: Priority | None = Field(default=None, description="Only jobs of this priority.")
    since: Moment | None = Field(default=None, description="Only jobs accepted at this time or later (RFC 3339).")


class ListAsked(Asked):
    """Which of the caller's jobs are listed."""

    status: Status | None = Field(default=None, description="Only jobs in this state.")
    priority: Priority | None = Field(default=None, description="Only jobs of this priority.")
    since: Moment | None = Field(default=None, description="Only jobs accepted at this time or later (RFC 3339).")
    limit: int = Field(default=50, ge=1, le=200, description="How many at most.")
    cursor: str | None = Field(default=None, max_length=200, description="`next` of the page before.")
