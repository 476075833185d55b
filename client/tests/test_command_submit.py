"""`thumbnailer submit` against the stand-in of the service."""

from __future__ import annotations

import json
import signal
import socket

import pytest


def test_an_image_becomes_a_thumbnail(thumbnailer, service, images, tmp_path):
    images("photo.jpg")
    code, out, err = thumbnailer("submit", "photo.jpg", "--to", "made/here")
    (job,) = service.jobs
    assert (code, err) == (0, "")
    assert out == f"{job}\tcomplete\tphoto.jpg\tmade/here/photo-100x100.jpg\n"
    assert [path.name for path in (tmp_path / "made/here").iterdir()] == ["photo-100x100.jpg"]


def test_without_waiting_the_accepted_jobs_are_listed(thumbnailer, service, images):
    code, out, _ = thumbnailer("submit", *images("a.jpg", "b.jpg"))
    assert code == 0
    assert {tuple(line.split("\t")[1:]) for line in out.splitlines()} == {("pending", "a.jpg"), ("pending", "b.jpg")}
    assert all(method == "POST" for method, _, _ in service.requests)


@pytest.mark.parametrize("folder", ["file/made", "/proc/made"])
def test_a_folder_that_cannot_be_written_to_is_named(thumbnailer, service, images, folder):
    images("file", "photo.jpg")
    code, _, err = thumbnailer("submit", "photo.jpg", "--to", folder)
    assert code == 2
    assert err.startswith(f"thumbnailer: The folder {folder} cannot be written to (")
    assert service.requests == []


def test_options_reach_the_service(thumbnailer, service, images):
    images("a.jpg")
    options = ["--output", "format=webp,size=20x30", "--output", "size=40,50", "--priority", "economy"]
    thumbnailer("submit", "a.jpg", *options, "--class", "gpu", "--metadata", "album=a=b", THUMBNAILER_KEY="sesame")
    assert service.submitted == [
        {
            "outputs": [{"format": "webp", "size": "20x30"}, {"size": "40,50"}],
            "priority": "economy",
            "class": "gpu",
            "metadata": {"album": "a=b"},
        }
    ]
    assert service.requests[0][2]["Authorization"] == "Bearer sesame"
    thumbnailer("submit", "a.jpg", "--expires-in", "7d", "--webhook", "https://example.com/x")
    thumbnailer("submit", "a.jpg", "--expires-in", "90", "--no-webhook")
    assert service.submitted[1:] == [
        {"expires_in": 604800, "webhook": {"url": "https://example.com/x"}},
        {"expires_in": 90, "webhook": False},
    ]


def test_folders_and_quoted_globs_give_their_images(thumbnailer, service, images, tmp_path):
    images("in/a.jpg", "in/deep/b.PNG", "in/notes.txt", "in/.hidden/c.jpg", "x1.jpg", "x2.dat", "[odd].jpg")
    code, _, err = thumbnailer("submit", "in", "x*", "[odd].jpg", "x1.jpg")
    assert code == 0
    assert err == "thumbnailer: in: left out 1 that is no image by name\n"
    assert sorted(job["filename"] for job in service.jobs.values()) == [
        "[odd].jpg",
        "a.jpg",
        "b.PNG",
        "x1.jpg",
        "x2.dat",
    ]


def test_a_folder_without_images_is_wrong_usage(thumbnailer, images):
    images("in/notes.txt")
    code, _, err = thumbnailer("submit", "in")
    assert code == 2
    assert "there is no image to send" in err


def test_standard_input_is_sent(thumbnailer, service):
    code, out, _ = thumbnailer("submit", "-", "--to", ".", stdin="an image")
    assert code == 0
    assert out.endswith("\tstdin\tstdin-100x100.jpg\n")
    assert list(service.bodies.values()) == [b"an image"]


def test_no_thumbnail_overwrites_another(thumbnailer, images, tmp_path):
    images("a/photo.jpg", "b/photo.png")
    (tmp_path / "photo-100x100.jpg").write_bytes(b"mine")
    code, out, _ = thumbnailer("submit", "a", "b", "--output", "size=100x100", "--output", "size=100x100", "--to", ".")
    assert code == 0
    assert sorted(path for line in out.splitlines() for path in line.split("\t")[3:]) == [
        "photo-100x100-2.jpg",
        "photo-100x100-3.jpg",
        "photo-2-100x100-2.jpg",
        "photo-2-100x100.jpg",
    ]
    assert (tmp_path / "photo-100x100.jpg").read_bytes() == b"mine"


def test_what_this_run_wrote_stays_when_overwriting_is_allowed(thumbnailer, images, tmp_path):
    images("photo.jpg")
    (tmp_path / "photo-100x100.jpg").write_bytes(b"old")
    arguments = ["--output", "size=100x100", "--output", "size=100x100", "--to", ".", "--overwrite"]
    _, out, _ = thumbnailer("submit", "photo.jpg", *arguments)
    assert out.rstrip().split("\t")[3:] == ["photo-100x100.jpg", "photo-100x100-2.jpg"]
    assert (tmp_path / "photo-100x100.jpg").read_bytes() != b"old"


def test_bad_files_do_not_stop_the_others(thumbnailer, images):
    images("a.jpg", "b.jpg", text=b"TEXT", broken=b"BROKEN")
    code, out, err = thumbnailer("submit", "a.jpg", "text.jpg", "missing.jpg", "broken.jpg", "b.jpg", "--to", "made")
    assert code == 4  # the largest of 1, 2 and 4
    assert sorted(line.split("\t")[2] for line in out.splitlines()) == ["a.jpg", "b.jpg"]
    assert sorted(err.splitlines()) == [
        next(line for line in err.splitlines() if line.startswith("thumbnailer: broken.jpg: Job ")),
        "thumbnailer: missing.jpg: No such file or directory",
        "thumbnailer: text.jpg: The body is text: send an image. (415)",
    ]


@pytest.mark.parametrize(("image", "code"), [(b"an image", 0), (b"BROKEN", 1), (b"TEXT", 4)])
def test_the_exit_code_tells_how_a_job_ended(thumbnailer, images, image, code):
    images(photo=image)
    assert thumbnailer("submit", "photo.jpg", "--wait")[0] == code


def test_a_missing_file_is_wrong_usage(thumbnailer):
    code, _, err = thumbnailer("submit", "missing.jpg")
    assert (code, err) == (2, "thumbnailer: missing.jpg: No such file or directory\n")


def test_many_files_are_sent_a_few_at_once(thumbnailer, service, images):
    names = images(*(f"many/{n:03}.jpg" for n in range(120)))
    code, out, err = thumbnailer("submit", "many", "--to", "made", "--parallel", "3")
    assert (code, err) == (0, "")
    assert len({line.split("\t")[3] for line in out.splitlines()}) == len(names)
    assert 1 < service.most_at_once <= 3
    gets = [path for method, path, _ in service.requests if method == "GET"]
    assert len(gets) == 2 * len(names)  # one look and one download each


def test_time_to_wait_is_bounded(thumbnailer, images):
    images("quick.jpg", slow=b"SLOW")
    code, out, err = thumbnailer("submit", "slow.jpg", "quick.jpg", "--timeout", "1")
    assert code == 5
    assert "\tcomplete\tquick.jpg" in out
    assert "is still pending: it goes on" in err


def test_ctrl_c_says_which_jobs_go_on(start, service, images, tmp_path):
    images("quick.jpg", slow=b"SLOW")
    process = start("submit", "quick.jpg", "slow.jpg", "--to", "made")
    assert "complete" in process.stdout.readline()
    slow = next(job for job, image in service.bodies.items() if image == b"SLOW")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err == f"thumbnailer: Interrupted. 1 job goes on in the service: thumbnailer status --wait {slow}\n"
    assert out == f"{slow}\tpending\tslow.jpg\n"
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["quick-100x100.jpg"]


def test_a_service_that_is_not_there_ends_the_run(thumbnailer, images):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        images(*(f"many/{n}.jpg" for n in range(20)))
        code, out, err = thumbnailer("submit", "many", "--parallel", "2", THUMBNAILER_URL=url)
    assert (code, out) == (3, "")
    assert "is it running" in err
    assert "Not sent: 17." in err or "Not sent: 18." in err


def test_wrong_options_are_refused_once(thumbnailer, service, images):
    images(*(f"many/{n}.jpg" for n in range(20)))
    refusal = b'{"title": "Invalid", "status": 422, "detail": "There is no class gpu."}'
    service.scripted = [(422, {}, refusal)] * 20
    code, _, err = thumbnailer("submit", "many", "--class", "gpu", "--parallel", "1")
    assert code == 4
    assert err.count("There is no class gpu.") == 1
    assert len(service.requests) <= 2


def test_json_lines_hold_jobs_and_errors(thumbnailer, images):
    images("a.jpg", text=b"TEXT")
    code, out, _ = thumbnailer("submit", "a.jpg", "text.jpg", "--to", "made", "--json")
    lines = {line["name"]: line for line in map(json.loads, out.splitlines())}
    assert code == 4
    assert lines["a.jpg"]["job"]["status"] == "complete"
    assert lines["a.jpg"]["saved"] == ["made/a-100x100.jpg"]
    assert lines["text.jpg"]["job"] is None
    assert lines["text.jpg"]["error"] == {
        "kind": "Refused",
        "message": "The body is text: send an image. (415)",
        "type": "about:blank#415",
        "status": 415,
        "detail": "The body is text: send an image.",
        "request_id": "r1",
    }


def test_the_wait_for_room_is_no_longer_than_the_timeout(thumbnailer, service, images):
    images("a.jpg")
    service.scripted = [(429, {"Retry-After": "30"}, b'{"title": "Too many", "detail": "Come back later."}')]
    code, _, err = thumbnailer("submit", "a.jpg", "--timeout", "6")
    assert code == 3
    assert "Come back later." in err
    assert len(service.requests) == 1
