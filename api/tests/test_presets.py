"""What an output may ask for: presets, crops, and the spellings and limits of them all."""

import json

import pytest

from thumbnailer_api.config import ApiSettings
from thumbnailer_storage.config import load
from thumbnailer_storage.errors import SettingError

PRESETS = (
    "avatar: format=webp,size=128x128,crop=0.5,0.3; card: size=400,300, quality=70\nround-2: lossless=true,format=png"
)


def settings(presets: str = PRESETS, **more: str) -> dict:
    given = {"THUMBNAILER_PRESETS": presets} | {f"THUMBNAILER_{name}": value for name, value in more.items()}
    read = load(ApiSettings, given)
    return {name: getattr(read, name) for name in ("presets", "max_outputs", "max_output_pixels")}


@pytest.fixture
def service(start):
    return start(**settings())


def asked(service, *outputs: object, **job: object) -> dict:
    answer = service.post(data={"job": json.dumps({"outputs": outputs, **job})})
    assert answer.status_code == 202, answer.text
    return answer.json()["outputs"]


def refusal(service, *outputs: object) -> str:
    answer = service.post(data={"job": json.dumps({"outputs": outputs})})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    return answer.json()["detail"]


def test_a_preset_stands_for_its_fields_and_the_record_keeps_both(service) -> None:
    avatar, card, plain = asked(service, {"preset": "avatar"}, {"preset": "card"}, {})
    assert (avatar["preset"], avatar["format"], avatar["size"], avatar["crop"]) == (
        "avatar",
        "webp",
        "128x128",
        "0.5,0.3",
    )
    assert (card["size"], card["quality"], card["crop"], card["lossless"]) == ("400x300", 70, "centre", None)
    assert (plain["preset"], plain["crop"], plain["size"]) == (None, "centre", "100x100")


def test_what_is_asked_for_beside_a_preset_goes_before_it(service) -> None:
    ours = {"preset": "card", "size": "40x40", "fit": "contain", "quality": None}
    (card,) = asked(service, ours)
    assert (card["preset"], card["size"], card["fit"], card["quality"]) == ("card", "40x40", "contain", None)


@pytest.mark.parametrize(
    ("ours", "dropped"),
    [
        ({"preset": "avatar", "fit": "pad"}, ("crop", "centre")),
        ({"preset": "card", "format": "PNG"}, ("quality", None)),
        ({"preset": "round-2", "format": "jpg", "quality": 90}, ("lossless", None)),
    ],
)
def test_what_a_preset_says_falls_away_where_it_has_no_meaning(service, ours, dropped) -> None:
    (output,) = asked(service, ours)
    name, left = dropped
    assert (output["preset"], output[name]) == (ours["preset"], left)


@pytest.mark.parametrize(
    ("preset", "beside", "expected"),
    [
        ("format=webp,quality=50", "lossless=true", (None, True)),
        ("format=webp,lossless=true", "quality=50", (50, None)),
        ("format=webp,quality=50", "lossless=false", (50, False)),
    ],
)
def test_lossless_and_quality_go_before_each_other_in_a_preset(start, small, preset, beside, expected) -> None:
    service = start(**settings(f"g: {preset}"))
    answer = service.http.post(f"/jobs?output=preset=g,{beside}", content=small)
    assert answer.status_code == 202, answer.text
    (output,) = answer.json()["outputs"]
    assert (output.get("quality"), output.get("lossless")) == expected


def test_a_preset_is_asked_for_in_the_query_too(service, small) -> None:
    answer = service.http.post("/jobs?output=preset=avatar,size=9,8&output=crop=0.2,.75", content=small)
    first, second = answer.json()["outputs"]
    assert (first["preset"], first["size"], first["format"]) == ("avatar", "9x8", "webp")
    assert second["crop"] == "0.2,0.75"


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ({"preset": "icon"}, "preset: 'icon' is not configured: name one of avatar, card, round-2"),
        ({"preset": 7}, "preset: 7 is no valid string"),
        ({"preset": ["avatar"]}, "preset: ['avatar'] is no valid string"),
        ({"preset": "avatar", "fit": "pad", "crop": "0.5,0.3"}, "crop has no meaning for fit pad"),
        ({"preset": "round-2", "quality": 9}, "quality has no meaning for png"),
        ({"format": "jpeg", "lossless": True}, "lossless has no meaning for jpeg: ask for png or webp"),
        ({"format": "webp", "lossless": "maybe"}, "lossless: 'maybe'"),
        ({"crop": "0.3"}, "crop: '0.3' is no crop: write centre, or shares of width and height such as 0.3,0.7"),
        ({"crop": "0.3,1.01"}, "is no crop"),
        ({"crop": "-0.1,0.5"}, "is no crop"),
        ({"crop": "nan,nan"}, "is no crop"),
        ({"crop": "left"}, "is no crop"),
        ({"crop": [0.3, 0.7]}, "crop: [0.3, 0.7] is no valid string"),
    ],
)
def test_what_an_output_cannot_be_is_refused_with_what_is_allowed(service, output, says) -> None:
    assert says in refusal(service, output)


def test_a_crop_and_a_lossless_picture_come_back_as_they_were_asked_for(service) -> None:
    outputs = asked(
        service, {"crop": " 0.30 , 0.7"}, {"crop": "center"}, {"crop": "1,0"}, {"format": "webp", "lossless": True}
    )
    assert [output["crop"] for output in outputs] == ["0.3,0.7", "centre", "1,0", "centre"]
    assert outputs[3]["lossless"] is True


def test_sizes_and_formats_may_be_spelled_as_row_r6_has_them_and_with_spaces(service) -> None:
    job = (
        '{"output": [{"format": "png", "size": "100,100"}, {"format": "jpg", "size": "200, 200"}, {"size": "20 x 30"}]}'
    )
    outputs = service.post(data={"job": job}).json()["outputs"]
    assert [(output["format"], output["size"]) for output in outputs] == [
        ("png", "100x100"),
        ("jpeg", "200x200"),
        (None, "20x30"),
    ]


def test_a_service_without_presets_says_so(start) -> None:
    assert "this service has no presets" in refusal(start(), {"preset": "avatar"})


def test_a_service_may_make_less_than_all_could(start) -> None:
    service = start(**settings(MAX_OUTPUTS="2", MAX_OUTPUT_PIXELS="20000"))
    assert len(asked(service, {}, {})) == 2
    assert "outputs: 3 are asked for: a job makes 1 to 2 here" in refusal(service, {}, {}, {})
    assert "more than 20000 pixels together" in refusal(service, {}, {"size": "100x101"})
    document = service.http.get("/openapi.json").json()["components"]["schemas"]
    assert document["JobAsked"]["properties"]["outputs"]["anyOf"][0]["maxItems"] == 2


def test_the_document_lists_presets_with_what_they_stand_for(service) -> None:
    preset = service.http.get("/openapi.json").json()["components"]["schemas"]["OutputAsked"]["properties"]["preset"]
    assert preset["enum"] == ["avatar", "card", "round-2", None]
    assert "`avatar` is `format=webp,size=128x128,crop=0.5,0.3`." in preset["description"]


@pytest.mark.parametrize(
    ("presets", "says"),
    [
        ("avatar: sise=3", "preset avatar: sise: there is no such field"),
        ("card: size=9x9; avatar: size=0x0", "preset avatar: size: '0x0' is no size"),
        ("avatar: format=jpeg,lossless=true", "preset avatar: lossless has no meaning for jpeg"),
        ("avatar: preset=card; card: size=9x9", "preset avatar: preset: 'card' is not configured"),
        ("avatar: webp", "preset avatar: 'webp' has a part without `=`"),
        ("avatar: size=9x9; avatar: size=8x8", "the preset avatar is there twice"),
        ("Avatar: size=9x9", "'Avatar: size=9x9' is no preset"),
        ("size=9x9", "'size=9x9' is no preset"),
        (f"{'x' * 41}: size=9x9", "up to 40"),
    ],
)
def test_a_preset_that_is_wrong_is_named_at_start(presets: str, says: str) -> None:
    with pytest.raises(SettingError) as refused:
        settings(presets)
    assert str(refused.value).startswith("THUMBNAILER_PRESETS is ")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_OUTPUTS", "0"), ("MAX_OUTPUTS", "21"), ("MAX_OUTPUT_PIXELS", "9999"), ("MAX_OUTPUT_PIXELS", "64000001")],
)
def test_a_limit_lies_within_what_a_worker_can_do(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"THUMBNAILER_{name} is '{value}'"):
        settings(**{name: value})
