"""Documents over real HTTP: sent, indexed by a job of its own, asked for, and what goes wrong."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from docx import Document as new_docx
from filelock import FileLock
from reportlab.pdfgen.canvas import Canvas

from api import document_schemas, jobs
from api.app import build_app, build_services
from api.routes import documents as route
from cli.stack import Stack, clean_environment, free_port
from footnote.jobs import Job, jobs_of
from footnote.settings import Settings
from rag.index.datanets import datanet_folder
from rag.models.embedder import SentenceTransformerEmbedder
from tests.corpus import ALICE, BOB

FORM = {"contributor": ALICE, "license": "CC0-1.0"}
LIGHTHOUSE = (
    "The lighthouse of Orsk was lit by whale oil until 1874. Its keeper Ines Moreau climbed two "
    "hundred steps every evening."
)


class Site:
    """A running service and its home."""

    def __init__(self, http: httpx.Client, home: Path, port: int) -> None:
        self.http = http
        self.home = home
        self.port = port

    def send(self, datanet: str, *files: tuple[str, bytes], **more: Any) -> httpx.Response:
        parts = [("file", (name, data)) for name, data in files]
        return self.http.post(
            f"/v1/datanets/{datanet}/documents", files=parts, data={**FORM, **more}
        )

    def ended(self, accepted: httpx.Response, seconds: float = 90.0) -> dict[str, Any]:
        """The job once it is done or failed."""
        assert accepted.status_code == 202, accepted.text
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            body: dict[str, Any] = self.http.get(accepted.headers["location"]).json()
            document_schemas.Job.model_validate(body)
            if body["state"] in ("done", "failed"):
                return body
            time.sleep(0.1)
        raise AssertionError(f"the job did not end: {body}")

    def left_behind(self) -> list[Path]:
        """What lies where uploads arrive."""
        return list((self.home / "uploads" / "incoming").glob("*"))


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder
) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("documents")
    settings = Settings(home=home, max_upload_bytes=2_000_000, max_document_bytes=1_000_000)
    port = free_port()
    app = build_app(build_services(settings, embedder))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            yield Site(http, home, port)
    finally:
        server.should_exit = True
        thread.join()


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:footnote:problem:{code}"
    return body


def shares_of(document: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["address"].lower(), one["share_bps"]) for one in document["contributors"]]


def pdf_of(text: str) -> bytes:
    data = io.BytesIO()
    canvas = Canvas(data)
    canvas.drawString(72, 700, text)
    canvas.save()
    return data.getvalue()


def docx_of(text: str) -> bytes:
    document, data = new_docx(), io.BytesIO()
    document.add_paragraph(text)
    document.save(data)
    return data.getvalue()


# What is sent is found


def test_a_document_that_was_sent_is_indexed_and_then_cited(site: Site) -> None:
    accepted = site.send("coast", ("notes/orsk.md", f"# Orsk\n\n{LIGHTHOUSE}\n".encode()))
    assert accepted.json()["state"] in ("queued", "running")
    job = site.ended(accepted)
    assert (job["state"], job["refused"], job["error"]) == ("done", [], None)
    assert job["counts"] == {"added": 1, "changed": 0, "unchanged": 0, "refused": 0}
    assert job["progress"].keys() == {"stage", "done", "total", "unit"}
    answer = site.http.post(
        "/v1/answers",
        json={"datanet": "coast", "question": "What lit the lighthouse of Orsk until 1874?"},
    ).json()
    (citation, *_) = answer["citations"]
    assert citation["source"]["document_id"] == "notes/orsk.md"
    assert citation["cited_text"] in LIGHTHOUSE
    assert site.http.get("/v1/datanets/coast").json()["snapshot"] == job["snapshot"]
    assert not (site.home / "uploads/jobs/coast" / job["id"] / "files").exists()


def test_every_format_is_read_and_each_document_keeps_its_name(site: Site) -> None:
    line = {"id": "line", "text": "A line of JSON tells of gulls.", "license": "CC0-1.0"}
    files = [
        ("a.md", b"# Gulls\n\nA gull is white."),
        ("b.txt", b"A tern is small."),
        ("c.rst", b"Terns\n=====\n\nA tern dives."),
        ("d.html", b"<title>Skuas</title><p>A skua robs gulls.</p>"),
        ("e.pdf", pdf_of("A puffin nests in burrows.")),
        ("f.docx", docx_of("An auk cannot fly far.")),
        ("g.jsonl", json.dumps(line).encode()),
    ]
    job = site.ended(site.send("birds", *files))
    assert job["refused"] == []
    assert job["counts"]["added"] == 7
    listed = site.http.get("/v1/datanets/birds/documents").json()
    document_schemas.DocumentList.model_validate(listed)
    names = ["a.md", "b.txt", "c.rst", "d.html", "e.pdf", "f.docx", "line"]
    assert [one["id"] for one in listed["data"]] == names
    found = site.http.get("/v1/datanets/birds/documents/e.pdf").json()
    document_schemas.Document.model_validate(found)
    assert found["text"] == "A puffin nests in burrows."
    assert shares_of(found) == [(ALICE, 10_000)]


@pytest.mark.parametrize("shape", ["one", "list", "object"])
def test_documents_are_taken_as_json_in_three_shapes(site: Site, shape: str) -> None:
    own = {"license": "MIT", "contributors": [{"address": BOB, "share_bps": 10_000}]}
    one = {"id": f"doc-{shape}", "text": "Tides follow the moon.", **own}
    bare = {"id": "bare", "text": "Ebb comes twice a day."}
    body = {
        "one": one,
        "list": [one, {**one, "id": "second", "text": "Spring tides are high."}],
        "object": {"documents": [one, bare], "contributors": [ALICE, BOB], "license": "CC0-1.0"},
    }[shape]
    accepted = site.http.post("/v1/datanets/tides/documents", json=body)
    job = site.ended(accepted)
    assert (job["state"], job["refused"]) == ("done", [])
    found = site.http.get(f"/v1/datanets/tides/documents/doc-{shape}").json()
    assert shares_of(found) == [(BOB, 10_000)]
    if shape == "object":
        bare = site.http.get("/v1/datanets/tides/documents/bare").json()
        assert shares_of(bare) == [(ALICE, 5_000), (BOB, 5_000)]


def test_one_bad_file_is_refused_by_name_and_the_others_are_taken(site: Site) -> None:
    files = [
        ("good.md", b"Herring swim in shoals."),
        ("broken.pdf", b"%PDF-1.7 nothing"),
        ("program.exe", b"MZ"),
        ("latin.txt", b"\xff\xfe\x00bad"),
        ("many.jsonl", b'{"id": "x", "text": "X."}\nnot json\n'),
    ]
    job = site.ended(site.send("fish", *files))
    assert job["state"] == "done"
    assert job["counts"] == {"added": 2, "changed": 0, "unchanged": 0, "refused": 4}
    assert [(one["file"], one["document_id"], one["code"]) for one in job["refused"]] == [
        ("broken.pdf", "broken.pdf", "document-unreadable"),
        ("program.exe", "program.exe", "unknown-kind"),
        ("latin.txt", "latin.txt", "document-unreadable"),
        ("many.jsonl", "many.jsonl:2", "document-unreadable"),
    ]
    assert all(one["detail"] and one["what_to_do"] for one in job["refused"])


def test_a_document_without_a_contributor_is_refused_with_what_to_do(site: Site) -> None:
    accepted = site.http.post(
        "/v1/datanets/fish/documents", files=[("file", ("orphan.md", b"Cod is a fish."))]
    )
    (one,) = site.ended(accepted)["refused"]
    assert one["code"] == "document-refused"
    assert one["detail"] in ("no licence", "no contributor")


# Jobs


def test_two_uploads_at_once_are_both_indexed_and_the_later_version_stays(site: Site) -> None:
    def send(number: int) -> httpx.Response:
        text = f"Buoy number {number} rings in the fog."
        return site.send("buoys", (f"b{number}.md", text.encode()))

    with ThreadPoolExecutor(4) as pool:
        accepted = list(pool.map(send, range(4)))
    accepted.append(site.send("buoys", ("b0.md", b"Buoy zero was taken away.")))
    ends = [site.ended(one) for one in accepted]
    assert {one["state"] for one in ends} == {"done"}
    last = site.http.get("/v1/datanets/buoys/documents/b0.md").json()
    assert last["text"] == "Buoy zero was taken away."
    assert len(site.http.get("/v1/datanets/buoys/documents").json()["data"]) == 4
    starts = sorted((one["started"], one["finished"]) for one in ends)
    assert all(before[1] <= after[0] for before, after in pairwise(starts))


def test_the_same_key_and_body_give_the_same_job_and_another_body_is_refused(site: Site) -> None:
    def send(text: bytes) -> httpx.Response:
        return site.http.post(
            "/v1/datanets/keyed/documents",
            files=[("file", ("k.md", text))],
            data=FORM,
            headers={"Idempotency-Key": "k-1"},
        )

    with ThreadPoolExecutor(3) as pool:
        same = list(pool.map(send, [b"Kelp grows fast."] * 3))
    assert {one.status_code for one in same} <= {202, 409}
    (location,) = {one.headers["location"] for one in same if one.status_code == 202}
    assert site.ended(send(b"Kelp grows fast."))["state"] == "done"
    assert send(b"Kelp grows fast.").headers["location"] == location
    refused(send(b"Kelp grows slowly."), 409, "idempotency-key-reused")
    assert len(site.http.get("/v1/datanets/keyed/jobs").json()["data"]) == 1


def worker_of(job: Job) -> int:
    """The process that works on a job."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"indexer.job" in command and job.job_id.encode() in command:
            return int(process.name)
    raise AssertionError("nobody works on it")


def test_a_job_whose_process_was_killed_is_said_to_be_interrupted_and_retried(site: Site) -> None:
    folder = datanet_folder(site.home, "killed")
    folder.path.mkdir(parents=True)
    with FileLock(folder.lock):  # somebody else ingests: the job is there to be killed
        accepted = site.send("killed", ("k.md", b"The wreck lies at nine fathoms."))
        (job,) = jobs_of(site.home, "killed")
        os.kill(worker_of(job), signal.SIGKILL)
        body = site.ended(accepted)
    assert (body["state"], body["error"]["code"]) == ("failed", "interrupted")
    assert body["can_retry"]
    assert "etry" in body["error"]["what_to_do"]
    again = site.http.post(accepted.headers["location"] + "/retry")
    assert again.headers["location"] == accepted.headers["location"]
    assert site.ended(again)["counts"]["added"] == 1
    refused(site.http.post(accepted.headers["location"] + "/retry"), 409, "job-ended")


def test_a_job_goes_on_and_is_remembered_when_the_service_is_killed(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port)]
    environment = clean_environment(HOME=str(tmp_path / "home"), MARKS=str(tmp_path / "marks"))
    with Stack(tmp_path, environment) as stack:
        stack.start("api", command)
        url = f"http://127.0.0.1:{port}"
        stack.wait_http(f"{url}/healthz", 90)
        with httpx.Client(base_url=url, timeout=30) as http:
            site = Site(http, tmp_path / "home", port)
            accepted = site.send("survivor", ("s.md", b"Limpets cling to rocks."))
            (job,) = jobs_of(site.home, "survivor")
            known = (Path("/proc") / str(worker_of(job)) / "environ").read_bytes()
            assert b"FOOTNOTE_HOME=" in known
            assert b"FOOTNOTE_MARKS" not in known  # what pays is not the indexer's to know
            os.kill(stack.pid("api"), signal.SIGKILL)
            stack.replace("api", command)
            stack.wait_http(f"{url}/healthz", 90)
            assert site.ended(accepted)["counts"]["added"] == 1
            assert [one["id"] for one in http.get("/v1/datanets/survivor/jobs").json()["data"]] == [
                accepted.json()["id"]
            ]


def test_old_jobs_are_forgotten_and_what_a_killed_service_left_is_swept(site: Site) -> None:
    left = site.home / "uploads" / "incoming" / "left"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    first = site.ended(site.send("many", ("m.md", b"Mussels filter water.")))
    folder = site.home / "uploads" / "jobs" / "many"
    while Job(folder / first["id"]).is_held():  # until its process is gone
        time.sleep(0.05)
    for number in range(jobs.KEPT_JOBS):
        copy = folder / f"job_{number:024x}"
        copy.mkdir()
        for name in ("job.json", "state.json", "lock"):
            (copy / name).write_bytes((folder / first["id"] / name).read_bytes())
    site.ended(site.send("many", ("n.md", b"Oysters do too.")))
    assert len(jobs_of(site.home, "many")) == jobs.KEPT_JOBS
    assert site.left_behind() == []


# The documents of a Datanet


def test_documents_are_listed_in_pages_and_found_by_title_or_id(site: Site) -> None:
    lines = [
        {"id": f"p{number:03}", "title": f"Pier {number}", "text": f"Pier {number} is of wood."}
        for number in range(25)
    ]
    body = {"documents": lines, "contributors": [ALICE], "license": "CC0-1.0"}
    site.ended(site.http.post("/v1/datanets/piers/documents", json=body))
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        query = {"limit": "10", **({"cursor": cursor} if cursor else {})}
        page = site.http.get("/v1/datanets/piers/documents", params=query).json()
        seen += [one["id"] for one in page["data"]]
        cursor, pages = page["next"], pages + 1
    assert pages == 3
    assert seen == [one["id"] for one in lines]
    by_title = site.http.get("/v1/datanets/piers/documents", params={"q": "PIER 1"}).json()["data"]
    assert [one["title"] for one in by_title] == ["Pier 1", *(f"Pier {n}" for n in range(10, 20))]
    by_id = site.http.get("/v1/datanets/piers/documents", params={"q": "p02"}).json()["data"]
    assert [one["id"] for one in by_id] == [f"p{number:03}" for number in range(20, 25)]
    wild = site.http.get("/v1/datanets/piers/documents", params={"q": "%"}).json()["data"]
    assert wild == []
    beyond = site.http.get("/v1/datanets/piers/documents", params={"cursor": "q"}).json()
    assert (beyond["data"], beyond["next"]) == ([], None)


def test_what_is_not_there_is_not_found(site: Site) -> None:
    for path in (
        "/v1/datanets/nowhere/documents",
        "/v1/datanets/nowhere/documents/a.md",
        "/v1/datanets/nowhere/jobs",
        "/v1/datanets/nowhere/jobs/job_0",
        "/v1/datanets/..%2f..%2fetc/jobs",
        "/v1/datanets/nowhere/jobs/..%2f..",
        "/v1/datanets/NoName/jobs",
    ):
        refused(site.http.get(path), 404, "not-found")
    refused(site.http.post(f"/v1/datanets/nowhere/jobs/job_{'0' * 24}/retry"), 404, "not-found")


# Hostile uploads


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd.txt", "/etc/passwd.txt", "a/../b.md", "C:a.md", "a\\b.md", "a\nb.md",
     "na\u202emd.exe", "a\u200bb.md", "x" * 201 + ".md", "a//b.md", ".", "", " a.md"],
)  # fmt: skip
def test_a_name_that_could_be_a_path_or_a_trick_is_refused(site: Site, name: str) -> None:
    parts = name.replace("\n", "%0A").encode()
    if "\n" in name:
        parts = b"a\x0bb.md"
    refused(raw_form(site, b'name="file"; filename="' + parts + b'"'), 422, "file-name")
    assert site.left_behind() == []


def test_a_name_that_a_system_reserves_is_only_a_name(site: Site) -> None:
    job = site.ended(site.send("reserved", ("CON.txt", b"A console."), ("nul/aux.md", b"Aux.")))
    assert job["counts"]["added"] == 2
    found = [p.name for p in (site.home / "uploads" / "jobs" / "reserved").rglob("*")]
    assert not {"CON.txt", "aux.md", "nul"} & set(found)


def raw_form(site: Site, disposition: bytes, headers: bytes = b"", data: bytes = b"x") -> Any:
    body = (
        b"--b\r\nContent-Disposition: form-data; " + disposition + b"\r\n" + headers + b"\r\n"
        + data + b"\r\n--b--\r\n"
    )  # fmt: skip
    return raw(site, body, "multipart/form-data; boundary=b")


def raw(site: Site, body: bytes, content_type: str, **headers: str) -> httpx.Response:
    return site.http.post(
        "/v1/datanets/hostile/documents",
        content=body,
        headers={"Content-Type": content_type, **headers},
    )


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\nx\r\n'
FIELD = b'--b\r\nContent-Disposition: form-data; name="license"\r\n\r\nx\r\n'


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (PART + b"--b--\r\n", "multipart/form-data", 400, "malformed-upload"),
        (PART.replace(b"--b", b"--") + b"----\r\n", "multipart/form-data; boundary=", 400,
         "malformed-upload"),
        (PART + b"--b--\r\n", "multipart/form-data; boundary=" + "b" * 300, 400,
         "malformed-upload"),
        (PART + b"--b--\r\n", "multipart/form-data; boundary=c", 400, "malformed-upload"),
        (PART, "multipart/form-data; boundary=b", 400, "malformed-upload"),
        (b"", "multipart/form-data; boundary=b", 400, "malformed-upload"),
        (b"\0" * 100, "multipart/form-data; boundary=b", 400, "malformed-upload"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 422, "no-file"),
        (PART + b"--b--\r\n", "multipart/form-data; boundary=b; charset=utf-16", 415,
         "unsupported-media-type"),
        (PART + b"--b--\r\n", "multipart/mixed; boundary=b", 415, "unsupported-media-type"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b"", "", 415, "unsupported-media-type"),
        (PART * 201 + b"--b--\r\n", "multipart/form-data; boundary=b", 422, "too-many"),
        (FIELD * 2 + b"--b--\r\n", "multipart/form-data; boundary=b", 422, "invalid-request"),
        (FIELD.replace(b"license", b"contributor") * 60 + b"--b--\r\n",
         "multipart/form-data; boundary=b", 422, "invalid-request"),
        (b"{", "application/json", 400, "malformed-json"),
        (b"[" * 100_000, "application/json", 422, "invalid-request"),
        (b"[" * 1_000, "application/json", 400, "malformed-json"),
        (b"[]", "application/json", 422, "no-file"),
        (b"3", "application/json", 422, "invalid-request"),
        (b'{"id": "a"}', "application/json", 422, "invalid-request"),
        (b'{"id": "a", "text": "\\ud800"}', "application/json", 400, "malformed-json"),
        (b'{"documents": [], "x": 1}', "application/json", 422, "unknown-field"),
        (b'{"id": "a", "text": "b"}', "application/json; charset=utf-16", 415,
         "unsupported-media-type"),
    ],
)  # fmt: skip
def test_a_hostile_body_is_refused_as_a_problem_and_leaves_nothing(
    site: Site, body: bytes, content_type: str, status: int, code: str
) -> None:
    refused(raw(site, body, content_type), status, code)
    assert site.left_behind() == []
    assert jobs_of(site.home, "hostile") == []


@pytest.mark.parametrize(
    ("disposition", "headers", "data", "status"),
    [
        (b'name="file"; filename="a.md"', b"X: " + b"y" * 9_000 + b"\r\n", b"x", 400),
        (b'name="file"; filename="a.md"', b"X: y\r\n" * 50, b"x", 400),
        (
            b'name="file"; filename="a.md"',
            b"".join(b"X%d: y\r\n" % n for n in range(50)),
            b"x",
            400,
        ),
        (
            b'name="file"; filename="a.md"',
            b"Content-Type: multipart/mixed; boundary=c\r\n",
            b"x",
            422,
        ),
        (b'name="file"; filename="a.md"', b"Content-Transfer-Encoding: base64\r\n", b"eA==", 422),
        (b'name="file"; filename="\xff.md"', b"", b"x", 422),
        (b'name="passwd"; filename="a.md"', b"", b"x", 422),
        (b'name="other"', b"", b"x", 422),
        (b'filename="a.md"', b"", b"x", 400),
        (b'name="file"; filename="a.md"', b"X: y\r\nX: z\r\n", b"x", 400),
        (b'name="license"', b"", b"\xff", 422),
        (b'name="contributor"', b"", b"0x00", 422),
    ],
)
def test_a_hostile_part_is_refused_as_a_problem(
    site: Site, disposition: bytes, headers: bytes, data: bytes, status: int
) -> None:
    response = raw_form(site, disposition, headers, data)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert site.left_behind() == []


def test_a_field_that_is_too_long_is_refused_before_it_is_whole(site: Site) -> None:
    body = FIELD[:-3] + b"x" * 2_000  # the form never ends
    told = refused(raw(site, body, "multipart/form-data; boundary=b"), 422, "invalid-request")
    assert told["detail"].startswith("a field is too long")


def test_an_upload_over_the_limit_is_refused_before_and_while_it_streams(site: Site) -> None:
    body = PART[:-3] + b"y" * 2_000_001 + b"\r\n--b--\r\n"
    kind = "multipart/form-data; boundary=b"
    refused(raw(site, body, kind), 413, "body-too-large")

    sent = 0
    with closing(socket.create_connection(("127.0.0.1", site.port), 10)) as client:
        client.sendall(
            b"POST /v1/datanets/hostile/documents HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\nContent-Type: " + kind.encode() + b"\r\n\r\n"
            b"%x\r\n%s\r\n" % (len(PART), PART[:-2] + b"yy")
        )
        with suppress(OSError):  # it hangs up on who goes on sending
            while sent < 50_000_000:
                client.sendall(b"%x\r\n%s\r\n" % (100_000, b"y" * 100_000))
                sent += 100_000
    assert sent < 50_000_000
    assert site.left_behind() == []


def test_an_upload_with_a_content_encoding_is_refused(site: Site) -> None:
    response = raw(site, b"\x1f\x8b", "application/json", **{"Content-Encoding": "gzip"})
    refused(response, 415, "unsupported-media-type")


def test_a_client_that_leaves_in_the_middle_leaves_nothing(site: Site) -> None:
    with closing(socket.create_connection(("127.0.0.1", site.port))) as client:
        client.sendall(
            b"POST /v1/datanets/hostile/documents HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + PART
        )
        until = time.monotonic() + 10
        while not site.left_behind() and time.monotonic() < until:
            time.sleep(0.01)
        assert site.left_behind()
    until = time.monotonic() + 10
    while site.left_behind() and time.monotonic() < until:
        time.sleep(0.05)
    assert site.left_behind() == []
    assert jobs_of(site.home, "hostile") == []


def test_a_name_that_is_no_datanets_is_refused_before_the_body_is_read(site: Site) -> None:
    response = site.http.post("/v1/datanets/No_Name/documents", content=b"")
    refused(response, 422, "invalid-datanet")


def test_more_jobs_than_may_wait_are_refused_for_now(site: Site) -> None:
    folder = site.home / "uploads" / "jobs" / "crowded"
    locks = []
    for number in range(jobs.MOST_WAITING):
        job = Job(folder / f"job_{number:024x}")
        job.path.mkdir(parents=True)
        (job.path / "lock").touch()
        locks.append(job.hold())
    response = site.send("crowded", ("c.md", b"Crabs."))
    refused(response, 409, "too-many-jobs")
    assert int(response.headers["retry-after"]) > 0
    for lock in locks:
        assert lock is not None
        os.close(lock)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """The system lets this service write no file beyond 300 kB, as a disk without room would."""
    port = free_port()
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
        "from cli.main import main; main(sys.argv[1:])"
    )
    with Stack(tmp_path, clean_environment(HOME=str(tmp_path / "home"))) as stack:
        stack.start("api", [sys.executable, "-c", code, "serve", "--port", str(port)])
        url = f"http://127.0.0.1:{port}"
        stack.wait_http(f"{url}/healthz", 90)
        with httpx.Client(base_url=url, timeout=30) as http:
            site = Site(http, tmp_path / "home", port)
            refused(site.send("full", ("f.md", b"x" * 400_000)), 507, "storage-full")
            assert site.left_behind() == []
            assert jobs_of(site.home, "full") == []


def test_the_service_indexes_without_loading_the_indexer() -> None:
    code = "import sys, api.routes.documents; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not [name for name in loaded if name.split(".")[0] in ("indexer", "torch", "pypdf")]
    assert route.SILENT_SECONDS < 120


COPIED = (
    "The customs house at Vell kept a ledger of every cask that was landed after 1790. Its clerks "
    "weighed salt, wool and oil on three brass scales, and the harbour master signed each page in "
    "red ink before the tide turned. In bad years the town paid the clerks in herring."
)


def test_near_duplicates_are_flagged_reviewed_and_ruled_upon(site: Site) -> None:
    body = [
        {"id": "vell", "text": COPIED, "contributors": [{"address": ALICE}]},
        {"id": "vell-again", "text": COPIED + " So it was.", "contributors": [{"address": BOB}]},
        {"id": "orsk", "text": LIGHTHOUSE, "contributors": [{"address": BOB}]},
    ]
    path = "/v1/datanets/vell"
    for one in body:
        site.ended(site.http.post(f"{path}/documents", json=one | {"license": "CC0-1.0"}))
    flagged = site.http.get(f"{path}/documents", params={"flagged": True}).json()
    document_schemas.DocumentList.model_validate(flagged)
    assert [one["id"] for one in flagged["data"]] == ["vell", "vell-again"]
    assert flagged["data"][1]["flags"] == {
        "near_duplicates": 1, "sentences_of_others": 3, "marks": {},
    }  # fmt: skip
    shown = site.http.get(f"{path}/review").json()
    document_schemas.Review.model_validate(shown)
    (cluster,) = shown["clusters"]
    assert (cluster["first"], shown["unrelated"], shown["total"]) == ("vell", [], 1)
    ruling = {"first": ["vell-again"]}
    job = site.ended(site.http.post(f"{path}/rulings", json=ruling))
    assert (job["state"], job["files"]) == ("done", [])
    (cluster,) = site.http.get(f"{path}/review").json()["clusters"]
    assert (cluster["first"], cluster["documents"][0]["ruled_first"]) == ("vell-again", True)
    site.ended(site.http.post(f"{path}/rulings", json={"unrelated": [["vell-again", "vell"]]}))
    again = site.http.get(f"{path}/review").json()
    assert again["unrelated"] == [["vell", "vell-again"]]
    moved = site.http.get(f"{path}/documents/vell").json()["flags"]["sentences_of_others"]
    assert moved == 0, "what is no copy keeps what it says"


@pytest.mark.parametrize(
    ("ruling", "status"),
    [
        ({}, 422),
        ({"first": ["nobody"]}, 404),
        ({"unrelated": [["birds/gull.md", "birds/gull.md"]]}, 422),
        ({"unrelated": [["one"]]}, 422),
        ({"unrelated": [["a", "b"]], "related": [["b", "a"]]}, 422),
        ({"last": ["x"]}, 422),
    ],
)
def test_a_ruling_that_means_nothing_is_refused(
    site: Site, ruling: dict[str, Any], status: int
) -> None:
    site.ended(site.send("ruled", ("gull.md", b"A gull is a bird of the coast.")))
    assert site.http.post("/v1/datanets/ruled/rulings", json=ruling).status_code == status


def test_a_document_names_the_versions_it_had(site: Site) -> None:
    for text in ("The quay is of oak.", "The quay is of stone."):
        site.ended(site.send("quays", ("quay.md", text.encode())))
    shown = site.http.get("/v1/datanets/quays/documents/quay.md").json()
    assert shown["versions"][0] == shown["version"]
    texts = [site.http.get(f"/v1/datanets/quays/texts/{one}").text for one in shown["versions"]]
    assert [one.strip() for one in texts] == ["The quay is of stone.", "The quay is of oak."]
