"""What the API judges by itself, each with its code and what it says. None of it leaves an upload or a job behind."""

import io
import json
import time
import zipfile

import httpx
import pytest

HTML = b"<!DOCTYPE html><html><body>photo.jpg</body></html>"
SVG = b'<?xml version="1.0"?>\n<!-- a drawing -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
HEIC_BRAND = b"\0\0\0\x18ftyp"


def zipped() -> bytes:
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").writestr("a", "b")
    return file.getvalue()


NO_IMAGES = {
    "nothing": (b"", "empty"),
    "a word": (b"hello", "text"),
    "text in another script": ("Ein Bild — 写真, фото".encode(), "text"),
    "text that begins as a bitmap does": (b"BMW builds cars in Munich, and motorcycles too.", "text"),
    "an HTML page": (HTML, "an HTML page"),
    "an SVG drawing": (SVG, "an SVG drawing"),
    "a bare SVG drawing": (b"  <svg></svg>", "an SVG drawing"),
    "an XML document": (b"<?xml version='1.0'?><plist/>", "an XML document"),
    "a PDF document": (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
    "a PDF document with a word before it": (b"junk\n%PDF-1.4", "a PDF document"),
    "PostScript": (b"%!PS-Adobe-3.0", "PostScript"),
    "JSON": (b'{"image": "..."}', "JSON"),
    "a ZIP archive": (zipped(), "a ZIP archive"),
    "a gzip archive": (b"\x1f\x8b\x08\0", "a compressed archive"),
    "a program": (b"\x7fELF\2\1\1\0", "a program"),
    "a shell script": (b"#!/bin/sh\n", "a program"),
    "a film": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "a film"),
    "a sound": (b"ID3\4\0", "a sound"),
    "a wave": (b"RIFF\x24\0\0\0WAVEfmt ", "a sound"),
    "an icon": (b"\0\0\1\0\1\0", "an icon"),
    "a Photoshop document": (b"8BPS\0\1", "a Photoshop document"),
    "JPEG XL": (b"\xff\x0a\xfa", "a JPEG XL image"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    "half a signature": (b"\x89PN", "data of an unknown kind"),
    "zeros": (bytes(1000), "data of an unknown kind"),
}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("case", NO_IMAGES)
def test_what_is_plainly_no_image_is_refused_at_once_and_named(service, case) -> None:
    data, named = NO_IMAGES[case]
    for send in (
        {"content": data, "headers": {"Content-Type": "image/jpeg"}},
        {"files": {"image": ("photo.jpg", data, "image/jpeg")}},
    ):
        answer = service.http.post("/jobs", **send)
        assert answer.status_code == 415, answer.text
        assert answer.json()["type"] == "/problems/no-image"
        assert named in answer.json()["detail"] or (not data and "no body" in answer.json()["detail"])


LONG_TEXTS = (
    b"<!---->" * 40 + b"x",
    b"<!---->" * 70 + b"<svh",
    b"<!----> " * 14 + b" " * 60_000 + b"x",
    b"<!--" * 20_000,
    b" " * 60_000 + b"x",
    b"<?xml" + b" <!DOCTYPE svg" * 5_000,
    b"<!DOCTYPE svg>" * 30 + b"x",
)


def test_no_text_takes_long_to_be_told_from_an_image(program) -> None:
    """In a process of its own: an expression that never ends would hold this one."""
    api = program.serve()
    for body in LONG_TEXTS:
        began = time.monotonic()
        assert httpx.post(f"{api.url}/jobs", content=body, timeout=5).status_code == 415
        assert time.monotonic() - began < 2, body[:50]


IMAGES = {
    "JPEG": b"\xff\xd8\xff\xe0",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "WebP": b"RIFF\x24\0\0\0WEBPVP8 ",
    "GIF": b"GIF89a",
    "old GIF": b"GIF87a",
    "TIFF, little end first": b"II*\0\x08\0\0\0",
    "TIFF, big end first": b"MM\0*\0\0\0\x08",
    "BMP": b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    "AVIF": HEIC_BRAND + b"avif\0\0\0\0",
    "AVIF by its second name": HEIC_BRAND + b"mif1\0\0\0\0avif",
    "HEIC": HEIC_BRAND + b"heic\0\0\0\0mif1",
    "a polyglot": b"GIF89a/*" + HTML,
}


@pytest.mark.parametrize("case", IMAGES)
def test_what_begins_as_an_image_is_for_the_decoder_to_judge(service, case) -> None:
    answer = service.http.post("/jobs", content=IMAGES[case])
    assert answer.status_code == 202, answer.text
    service.stores.objects.delete([f"uploads/{answer.json()['id']}"])


def one(**output) -> dict[str, object]:
    return {"outputs": [output]}


ASKED = {
    "a size of nothing": (one(size="0,0"), "outputs.0.size: '0,0' is no size: width and height are between 1 and 4096"),
    "a negative size": (one(size="-1,5"), "outputs.0.size: '-1,5' is no size: write W,H or WxH"),
    "a huge size": (
        one(size="100000,100000"),
        "outputs.0.size: '100000,100000' is no size: width and height are between",
    ),
    "a huger size": (one(size="9" * 5000 + "x1"), "outputs.0.size"),
    "a size in words": (one(size="abc"), "outputs.0.size: 'abc' is no size"),
    "half a size": (one(size="100"), "outputs.0.size: '100' is no size"),
    "a number as size": (one(size=100), "outputs.0.size"),
    "an unknown format": (one(format="bmp"), "outputs.0.format: 'bmp' is not 'jpeg', 'png', 'webp', 'avif' or 'gif'"),
    "an unknown fit": (one(fit="stretch"), "outputs.0.fit: 'stretch' is not 'cover', 'contain' or 'pad'"),
    "too much quality": (one(quality=101), "outputs.0.quality"),
    "no quality": (one(quality=0), "outputs.0.quality"),
    "quality for a PNG": (one(format="png", quality=80), "outputs.0: quality has no meaning for png"),
    "a colour by name": (one(background="red"), "outputs.0.background: 'red' is no colour: write it as #rrggbb"),
    "a misspelt field": (one(sise="1x1"), "outputs.0.sise: there is no such field"),
    "a field with a long name": ({"x" * 5000: 1}, "x" * 100 + ": there is no such field"),
    "an unknown field": ({"color": 1}, "color: there is no such field"),
    "20,000 outputs": ({"outputs": [{}] * 20_000}, "larger than 65536 bytes: it names 20 outputs"),
    "21 outputs": ({"outputs": [{}] * 21}, "outputs: List should have at most 20 items"),
    "no outputs": ({"outputs": []}, "outputs: is empty: leave it out, or name at least one"),
    "outputs in words": ({"outputs": "png"}, "outputs"),
    "a quality that is true": (one(quality=True), "outputs.0.quality: true and false are no numbers"),
    "an expiry that is true": ({"expires_in": True}, "expires_in: true and false are no numbers"),
    "two names for outputs": ({"outputs": [], "output": []}, "output: it is another name for `outputs`"),
    "an unknown priority": ({"priority": "now"}, "priority: 'now' is not 'express', 'standard' or 'economy'"),
    "a class": ({"class": "gpu"}, "class: 'gpu' is not configured"),
    "a webhook to a local network": ({"webhook": "http://x"}, "We send nothing to that address: it has to begin with"),
    "a webhook without an address": ({"webhook": {}}, "url: is missing"),
    "numbers as metadata": ({"metadata": {"a": 1}}, "metadata.a"),
    "much metadata": (
        {"metadata": {"a": "x" * 5000}},
        "metadata: names and values are larger than 4096 bytes together",
    ),
    "a list": ([], "The part `job` is not as it should be"),
    "a huge job": ({"metadata": {"a": "x" * 70_000}}, "The part `job` is larger than 65536 bytes"),
}


@pytest.mark.parametrize("first", ["image", "job"])
@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("case", ASKED)
def test_what_is_asked_wrongly_is_refused_with_the_field_and_what_is_allowed(service, small, case, first) -> None:
    asked, says = ASKED[case]
    parts = [("image", ("a.png", small)), ("job", (None, json.dumps(asked)))]
    answer = service.http.post("/jobs", files=parts if first == "image" else parts[::-1])
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request"), answer.text
    assert says in answer.json()["detail"]
    assert len(answer.content) < 6000


QUERIES = {
    "output=size=0,0": "outputs.0.size: '0,0' is no size",
    "output=size=1,2,3": "outputs.0.size: '1,2,3' is no size",
    "output=webp": "output: 'webp' has a part without `=`",
    "output=format=webp,200x200": "has a part without `=`",
    "output=": "has a part without `=`",
    "output=size=1x1,size=2x2": "output: 'size=1x1,size=2x2' has 'size' twice",
    "output=sise=1x1": "outputs.0.sise: there is no such field",
    "output=quality=high": "outputs.0.quality",
    "priority=now": "priority: 'now' is not",
    "priority=express&priority=economy": "priority twice",
    "outputs=a&output=size=1x1": "output: it is another name for `outputs`",
    "output=size=1x1&outputs=a": "output: it is another name for `outputs`",
    "outputs=a": "outputs",
    "class=gpu": "class: 'gpu' is not configured",
    "size=100x100": "size: there is no such field",
    "webhook=http://x": "We send nothing to that address: it has to begin with https://",
    "&".join(["output=size=1x1"] * 21): "outputs: List should have at most 20 items",
    "&".join(["output=size=1x1"] * 200): "more than 100 parts",
}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("query", QUERIES)
def test_a_wrong_query_is_refused_with_the_same_words(service, small, query) -> None:
    answer = service.http.post(f"/jobs?{query}", content=small)
    assert answer.status_code == 422, answer.text
    assert QUERIES[query] in answer.json()["detail"]


LISTS = {
    "status=done": "status",
    "limit=0": "limit",
    "limit=201": "limit",
    "limit=many": "limit",
    "since=yesterday": "since",
    "since=0.5": "since: '0.5' is no time",
    "since=2026-11-24T07:07:42": "since",
    "since=0001-01-01T00:00:00%2B14:00": "since: it lies outside the years 1 to 9999",
    "since=9999-12-31T23:59:59-14:00": "since: it lies outside the years 1 to 9999",
    "cursor=abc": "cursor is none of ours",
    "cursor=W10": "cursor is none of ours",
    "limit=1&limit=2": "limit twice",
    "status=pending&status=failed": "status twice",
    "page=2": "page: there is no such field",
}


@pytest.mark.parametrize("query", LISTS)
def test_a_wrong_list_is_refused(service, query) -> None:
    answer = service.http.get(f"/jobs?{query}")
    assert answer.status_code == 422, answer.text
    assert LISTS[query] in answer.json()["detail"]


def test_options_at_an_address_that_has_none_are_refused(service) -> None:
    job = f"/jobs/{service.completed().id}"
    for path in (job, f"{job}/events", f"{job}/outputs/0", "/queue", "/docs", "/openapi.json", "/problems/busy"):
        answer = service.http.get(f"{path}?size=1")
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request"), path
        assert "size: there is no such field" in answer.json()["detail"]


def form(*parts: str, end: str = "--b--\r\n") -> dict[str, object]:
    body = "".join(f"--b\r\nContent-Disposition: form-data; {part}\r\n" for part in parts) + end
    return {"content": body.encode("latin-1"), "headers": {"Content-Type": "multipart/form-data; boundary=b"}}


PNG_PART = 'name="image"; filename="a"\r\n\r\n\x89PNG\r\n\x1a\n'

FORMS = {
    "JSON cut short": (form('name="job"\r\n\r\n{"outputs": [{', PNG_PART), 400, "The part `job` is no JSON"),
    "JSON that is none": (form('name="job"\r\n\r\nplease', PNG_PART), 400, "The part `job` is no JSON"),
    "an empty job": (form('name="job"\r\n\r\n', PNG_PART), 400, "The part `job` is no JSON"),
    "deep JSON": (form('name="job"\r\n\r\n' + "[" * 60_000, PNG_PART), 400, "The part `job` is no JSON"),
    "no image": (form('name="job"\r\n\r\n{}'), 422, "no part named image"),
    "no parts": (form(), 422, "no part named image"),
    "another part": (form(PNG_PART, 'name="picture"\r\n\r\nx'), 422, "a part named 'picture'"),
    "a part without a name": (form("x=y\r\n\r\nx"), 422, "a part named ''"),
    "two images": (form(PNG_PART, PNG_PART), 422, "two parts named image"),
    "two jobs": (form('name="job"\r\n\r\n{}', 'name="job"\r\n\r\n{}', PNG_PART), 422, "two parts named job"),
    "no end": (form(PNG_PART, end=""), 400, "not multipart as it should be"),
    "much before the parts": ({**form(), "content": b"x" * 100_000}, 400, "too much of it is in no part"),
    "much after the parts": (
        {**form(PNG_PART), "content": form(PNG_PART)["content"] + b"x" * 100_000},
        400,
        "too much of it is in no part",
    ),
    "no boundary at all": (form(end="hello"), 400, "not multipart as it should be"),
    "headers without end": (form('name="image"; filename="' + "a" * 300_000), 400, "not multipart as it should be"),
    "a part without headers": (
        {**form(), "content": b"--b\r\n\r\nx\r\n--b--\r\n"},
        400,
        "not multipart as it should be",
    ),
    "options in the query": ({**form(PNG_PART), "params": {"priority": "express"}}, 422, "into its part `job`"),
}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("case", FORMS)
def test_a_form_that_is_not_as_it_should_be_is_refused(service, case) -> None:
    send, code, says = FORMS[case]
    answer = service.http.post("/jobs", **send)
    assert answer.status_code == code, answer.text
    assert says in answer.json()["detail"]


HEADS = {
    "JSON": ({"Content-Type": "application/json"}, 415, "JSON holds no image"),
    "another multipart": ({"Content-Type": "multipart/mixed; boundary=b"}, 415, "multipart/mixed cannot be read here"),
    "no boundary": ({"Content-Type": "multipart/form-data"}, 415, "names no boundary"),
    "a compressed body": ({"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
    "an endless idempotency key": ({"Idempotency-Key": "1" * 256}, 422, "Idempotency-Key"),
}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("case", HEADS)
def test_what_the_head_gives_away_is_refused(service, small, case) -> None:
    headers, code, says = HEADS[case]
    answer = service.http.post("/jobs", content=small, headers=headers)
    assert answer.status_code == code, answer.text
    assert says in answer.json()["detail"]


def test_an_address_that_is_none_answers_with_a_problem(service) -> None:
    for path in (
        "/",
        "//jobs",
        "/jobs//",
        "/jobs//x",
        "/job",
        "/jobs/x/y",
        "/jobs/x/outputs",
        "/problems/none",
        "/static/x",
    ):
        answer = service.http.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found"), path
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_mistake_of_ours_shows_nothing_of_its_inside(service, monkeypatch) -> None:
    def broken(*_) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(type(service.stores.ledger), "counts", broken)
    answer = service.http.get("/queue")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
