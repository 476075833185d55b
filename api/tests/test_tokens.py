"""Tokens of an OIDC issuer, judged against a real little issuer on the loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from thumbnailer_api import app
from thumbnailer_api.auth import issuer as issuing
from thumbnailer_api.config import ApiSettings

AUDIENCE = "thumbnailer"


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


FIRST, SECOND, STRANGER, WEAK = rsa_key(), rsa_key(), rsa_key(), rsa_key(1024)
CURVE, EDWARDS = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


def described(key: Any, **more: object) -> dict[str, Any]:
    """The public half as an issuer lists it."""
    algorithm = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    kind = next((known for base, known in algorithm.items() if isinstance(key, base)), OKPAlgorithm)
    return {**kind.to_jwk(key.public_key(), as_dict=True), "use": "sig", **more}


@dataclass
class Issuer:
    """What it lists, how often it was asked, and whether it is down or slow."""

    url: str
    keys: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    status: int = 200
    hang: float = 0.0
    about: dict[str, Any] = field(default_factory=dict)

    def answer(self, path: str) -> bytes:
        if path == "/.well-known/openid-configuration":
            return json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.about}).encode()
        self.asked += 1
        return json.dumps({"keys": self.keys}).encode()

    def token(self, key: Any = FIRST, algorithm: str = "RS256", headers: dict[str, Any] | None = None, **claims) -> str:
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300}
        given = {**usual, "scope": "openid thumbnailer:read", **claims}
        kept = {name: value for name, value in given.items() if value is not None}
        return jwt.encode(kept, key, algorithm, headers={"kid": "first"} if headers is None else headers)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(made.hang)
            body = made.answer(self.path)
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Issuer(f"http://127.0.0.1:{server.server_port}", [described(FIRST, kid="first")])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def serving(start, issuer) -> Callable[..., Any]:
    """Starts an API that takes this issuer's tokens beside keys."""
    usual = {"auth": "keys", "oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    return lambda **settings: start(**{**usual, **settings})


def call(service, token: str, path: str = "/queue", method: str = "GET", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    return httpx.request(method, service.url + path, headers=headers, trust_env=False, timeout=20, **more)


def is_refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-token")


def test_a_good_token_and_a_key_both_let_in(serving, issuer) -> None:
    service = serving()
    assert call(service, issuer.token()).status_code == 200
    assert call(service, service.new_key("laptop", "ada")).status_code == 200
    assert call(service, "thn_nokey").json()["type"] == "/problems/wrong-key"
    assert issuer.asked == 1


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(FIRST, "RS256"), (FIRST, "RS512"), (FIRST, "PS256"), (CURVE, "ES256"), (EDWARDS, "EdDSA")],
    ids=["RS256", "RS512", "PS256", "ES256", "EdDSA"],
)
def test_asymmetric_algorithms_are_taken_each_with_a_key_of_its_kind(serving, issuer, key, algorithm) -> None:
    issuer.keys = [described(key, kid="first")]
    assert call(serving(), issuer.token(key, algorithm)).status_code == 200


def in_parts(header: object, claims: object, signature: bytes = b"x") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed_with_the_public_key(issuer: Issuer) -> str:
    """The public key taken for a shared secret; PyJWT would not make one."""
    public = FIRST.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    unsigned = in_parts({"alg": "HS256", "typ": "JWT", "kid": "first"}, claims).rpartition(".")[0]
    signature = hmac.new(public, unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


WRONG: dict[str, Callable[[Issuer], str]] = {
    "no token": lambda _: "sesame",
    "two parts": lambda issuer: issuer.token().rpartition(".")[0],
    "five parts": lambda issuer: f"{issuer.token()}.a.b",
    "expired": lambda issuer: issuer.token(exp=int(time.time()) - 31),
    "not yet": lambda issuer: issuer.token(nbf=int(time.time()) + 60),
    "made in the future": lambda issuer: issuer.token(iat=int(time.time()) + 60),
    "without exp": lambda issuer: issuer.token(exp=None),
    "without iat": lambda issuer: issuer.token(iat=None),
    "without aud": lambda issuer: issuer.token(aud=None),
    "without iss": lambda issuer: issuer.token(iss=None),
    "without an owner": lambda issuer: issuer.token(sub=None),
    "exp is text": lambda issuer: issuer.token(exp="soon"),
    "exp is endless": lambda issuer: in_parts(
        {"alg": "RS256", "kid": "first"}, {"iss": issuer.url, "exp": float("inf")}
    ),
    "another audience": lambda issuer: issuer.token(aud="mail"),
    "another issuer": lambda issuer: issuer.token(iss="https://login.example.com"),
    "issuer with a slash": lambda issuer: issuer.token(iss=f"{issuer.url}/"),
    "another's signature": lambda issuer: issuer.token(STRANGER),
    "claims changed": lambda issuer: issuer.token().replace(".ey", ".eyJ4IjoxfQey", 1),
    "alg none": lambda issuer: in_parts(
        {"alg": "none", "kid": "first"}, jwt.decode(issuer.token(), options={"verify_signature": False}), b""
    ),
    "alg None": lambda issuer: in_parts({"alg": "None", "kid": "first"}, {"iss": issuer.url}, b""),
    "alg missing": lambda issuer: in_parts({"kid": "first"}, {"iss": issuer.url}),
    "alg is a list": lambda issuer: in_parts({"alg": ["RS256"], "kid": "first"}, {"iss": issuer.url}),
    "HS256 with the public key": signed_with_the_public_key,
    "another algorithm than the key's": lambda issuer: issuer.token(CURVE, "ES256"),
    "kid unknown": lambda issuer: issuer.token(headers={"kid": "third"}),
    "kid is a path": lambda issuer: issuer.token(headers={"kid": "../../../etc/passwd"}),
    "kid is a number": lambda issuer: in_parts({"alg": "RS256", "kid": 1}, {"iss": issuer.url}),
    "crit": lambda issuer: issuer.token(headers={"kid": "first", "crit": ["exp"], "exp": 1}),
    "deep header": lambda issuer: f"{base64.urlsafe_b64encode(b'[' * 6000).decode().rstrip('=')}.e30.e30",
    "deep claims": lambda issuer: (
        f"{issuer.token().split('.')[0]}.{base64.urlsafe_b64encode(b'[' * 6000).decode().rstrip('=')}.e30"
    ),
    "claims are a list": lambda issuer: in_parts({"alg": "RS256", "kid": "first"}, [1]),
    "owner is a number": lambda issuer: in_parts({"alg": "RS256", "kid": "first"}, {"iss": issuer.url, "sub": 7}),
    "owner does not print": lambda issuer: issuer.token(sub="a\nb"),
    "owner is too long": lambda issuer: issuer.token(sub="a" * 200),
    "owner is empty": lambda issuer: issuer.token(sub=""),
}


def test_whatever_is_wrong_with_a_token_gets_one_and_the_same_answer(serving, issuer, monkeypatch) -> None:
    monkeypatch.setattr(issuing, "PAUSE_SECONDS", 600)
    service = serving()
    assert call(service, issuer.token()).status_code == 200
    answers = set()
    for name, make in WRONG.items():
        token = make(issuer)
        answer = call(service, token, headers={"X-Request-Id": "one"})
        assert is_refused(answer), (name, answer.text)
        answers.add((answer.text, answer.headers["www-authenticate"]))
    assert len(answers) == 1
    assert issuer.asked == 1  # what is plainly wrong makes nobody ask, and what is not, no more than once in a while


def test_every_route_judges_tokens_as_it_does_keys(serving, issuer) -> None:
    service = serving()
    stale, may_nothing = issuer.token(exp=1), issuer.token(scope="openid")
    for method, path, _, scope in app.ROUTES:
        address = re.sub("<[a-z]+>", "3b241101-e2bb-4255-8caf-4136c566a962", path)
        assert is_refused(call(service, stale, address, method)), (method, path)
        answer = call(service, may_nothing, address, method)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/missing-scope"), (method, path)
        assert f"`{scope}`" in answer.json()["detail"]


def test_a_token_that_is_larger_than_any_head_is_refused_without_being_looked_at(serving, issuer) -> None:
    answer = call(serving(), issuer.token(more="x" * 20_000))
    assert answer.status_code in (400, 413, 431)


def test_clocks_may_be_a_little_apart(serving, issuer) -> None:
    service = serving()
    now = int(time.time())
    assert call(service, issuer.token(exp=now - 5)).status_code == 200
    assert call(service, issuer.token(iat=now + 20, nbf=now + 20)).status_code == 200


def test_an_audience_among_others_is_enough(serving, issuer) -> None:
    assert call(serving(), issuer.token(aud=["mail", AUDIENCE])).status_code == 200


def test_keys_that_are_named_in_the_token_are_not_looked_at(serving, issuer) -> None:
    elsewhere = f"{issuer.url}/elsewhere"
    for header in ({"jku": elsewhere}, {"x5u": elsewhere}, {"jwk": described(STRANGER)}):
        assert is_refused(call(serving(), issuer.token(STRANGER, headers={"kid": "first", **header})))
    assert issuer.asked <= 3


def test_a_token_without_a_kid_is_taken_where_the_issuer_has_one_key(serving, issuer, monkeypatch) -> None:
    service = serving()
    assert call(service, issuer.token(headers={})).status_code == 200
    monkeypatch.setattr(issuing, "PAUSE_SECONDS", 0.1)
    issuer.keys.append(described(SECOND, kid="second"))
    fresh = serving_again(service)
    assert is_refused(call(fresh, issuer.token(headers={})))


def serving_again(service: Any) -> Any:
    """The same service once it has looked at the issuer anew."""
    keys = service.api.wiring.authenticator._tokens._keys
    before = keys._rounds
    deadline = time.monotonic() + 20
    while keys._rounds == before:
        assert time.monotonic() < deadline
        with keys._changed:
            keys._wanted = True
            keys._tried = -1e9
            keys._changed.notify_all()
        time.sleep(0.05)
    return service


@pytest.mark.parametrize(
    "listed",
    [
        described(FIRST, kid="first", use="enc"),
        described(FIRST, kid="first", alg="RS512"),
        described(WEAK, kid="first"),
        {"kty": "oct", "kid": "first", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "RSA", "kid": "first"},
        {"kty": "RSA", "kid": "first", "n": [], "e": {}},
        {"kty": ["RSA"], "kid": "first"},
    ],
    ids=["for encryption", "of another algorithm", "short", "symmetric", "empty", "broken", "odd"],
)
def test_keys_that_are_no_good_for_signatures_are_passed_over(serving, issuer, listed) -> None:
    issuer.keys = [listed, "nonsense", described(SECOND, kid="second")]  # type: ignore[list-item]
    service = serving()
    weak = listed.get("n") == described(WEAK)["n"]
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning) if weak else memoryview(b""):
        token = issuer.token(WEAK if weak else FIRST)
    assert is_refused(call(service, token))
    assert call(service, issuer.token(SECOND, headers={"kid": "second"})).status_code == 200


def test_a_new_key_counts_as_soon_as_a_token_names_it_and_an_old_one_no_more(serving, issuer, monkeypatch) -> None:
    monkeypatch.setattr(issuing, "PAUSE_SECONDS", 0.2)
    service = serving()
    assert call(service, issuer.token()).status_code == 200
    issuer.keys = [described(SECOND, kid="second")]
    time.sleep(0.5)
    assert call(service, issuer.token(SECOND, headers={"kid": "second"})).status_code == 200
    assert is_refused(call(service, issuer.token()))


def test_keys_are_fetched_again_when_they_are_old(serving, issuer, monkeypatch) -> None:
    monkeypatch.setattr(issuing, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(issuing, "AGE_SECONDS", 0.2)
    serving()
    deadline = time.monotonic() + 20
    while issuer.asked < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_forged_kids_make_the_issuer_be_asked_once_in_a_while_and_no_more(serving, issuer, monkeypatch) -> None:
    monkeypatch.setattr(issuing, "PAUSE_SECONDS", 600)
    service = serving()
    assert call(service, issuer.token()).status_code == 200
    with ThreadPoolExecutor(6) as pool:
        tokens = [issuer.token(STRANGER, headers={"kid": f"forged {n}"}) for n in range(40)]
        answers = list(pool.map(lambda token: call(service, token), tokens))
    assert all(is_refused(answer) for answer in answers)
    assert issuer.asked == 1
    assert call(service, issuer.token()).status_code == 200


def test_an_issuer_that_is_down_from_the_beginning_makes_a_token_unjudged_and_not_wrong(serving, issuer) -> None:
    issuer.status = 500
    service = serving()
    answer = call(service, issuer.token())
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/issuer-unavailable")
    assert answer.headers["retry-after"]
    assert "www-authenticate" not in answer.headers
    assert is_refused(call(service, "sesame"))
    assert call(service, service.new_key("laptop", "ada")).status_code == 200


def test_while_the_issuer_is_down_known_keys_go_on_and_others_cannot_be_judged(serving, issuer, monkeypatch) -> None:
    monkeypatch.setattr(issuing, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(issuing, "AGE_SECONDS", 0.3)
    service = serving()
    assert call(service, issuer.token()).status_code == 200
    issuer.status = 500
    time.sleep(1)
    assert call(service, issuer.token()).status_code == 200
    assert call(service, issuer.token(SECOND, headers={"kid": "second"})).status_code == 503
    monkeypatch.setattr(issuing, "KEEP_SECONDS", 0.5)
    assert call(service, issuer.token()).status_code == 503
    issuer.status = 200
    deadline = time.monotonic() + 20
    while call(service, issuer.token()).status_code != 200:
        assert time.monotonic() < deadline


def test_an_issuer_that_hangs_holds_up_few_and_not_for_long(serving, issuer, monkeypatch) -> None:
    monkeypatch.setattr(issuing, "WAIT_SECONDS", 1.0)
    issuer.hang = 2.5
    service = serving(threads=32)
    begun = time.monotonic()
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: call(service, issuer.token()).status_code, range(24)))
    assert set(answers) <= {503, 200}
    assert time.monotonic() - begun < 20
    assert call(service, service.new_key("laptop", "ada")).status_code == 200


@pytest.mark.parametrize(
    "about", [{"issuer": "https://other.example.com"}, {"jwks_uri": "http://192.0.2.1/keys"}, {"jwks_uri": 7}]
)
def test_an_issuer_that_is_another_or_would_send_its_keys_in_clear_is_not_believed(serving, issuer, about) -> None:
    issuer.about = about
    assert call(serving(), issuer.token()).status_code == 503
    assert issuer.asked == 0


def test_the_address_of_the_keys_may_be_given(serving, issuer) -> None:
    issuer.about = {"issuer": "never asked"}
    assert call(serving(oidc_jwks_url=f"{issuer.url}/keys"), issuer.token()).status_code == 200


def test_an_owner_of_tokens_is_none_of_keys_unless_that_is_meant(serving, issuer, small) -> None:
    service = serving(oidc_scopes=("submit", "read"))
    mine = call(service, issuer.token(), "/jobs", "POST", content=small).json()["id"]
    recorded = UUID(mine)
    assert service.stores.jobs.get(recorded).owner == "oidc:ada"
    (event,) = service.stores.events.of_job(recorded)
    assert event.by == "token of ada"
    key = service.new_key("laptop", "ada")
    assert call(service, key, f"/jobs/{mine}").status_code == 404
    assert call(service, issuer.token(), f"/jobs/{mine}").status_code == 200
    assert call(service, issuer.token(sub="eve"), f"/jobs/{mine}").status_code == 404


def test_where_it_is_meant_the_claim_is_the_owner(serving, issuer, small) -> None:
    service = serving(oidc_owner_prefix="-", oidc_owner_claim="team", oidc_scopes=("submit", "read"))
    key = service.new_key("laptop", "ada")
    mine = call(service, key, "/jobs", "POST", content=small).json()["id"]
    assert call(service, issuer.token(team="ada", sub="bob"), f"/jobs/{mine}").status_code == 200
    assert is_refused(call(service, issuer.token()))
    assert is_refused(call(service, issuer.token(team="thn_x")))


@pytest.mark.parametrize(
    ("claims", "settings", "may"),
    [
        ({"scope": "openid thumbnailer:read"}, {}, {"read"}),
        ({"scope": ["thumbnailer:submit", "thumbnailer:cancel", 7]}, {}, {"submit", "cancel"}),
        ({"scope": "read admin"}, {}, set()),
        ({"scope": None}, {}, set()),
        ({"scope": {"thumbnailer:read": 1}}, {}, set()),
        ({"scope": None}, {"oidc_scopes": ("read",)}, {"read"}),
        ({"roles": ["admin", "read"]}, {"oidc_scope_claim": "roles", "oidc_scope_prefix": "-"}, {"admin", "read"}),
    ],
)  # fmt: skip
def test_the_claim_says_what_a_token_may_do(serving, issuer, claims, settings, may) -> None:
    service = serving(**settings)
    token = issuer.token(**claims)
    calls = {
        "read": ("GET", "/queue"),
        "cancel": ("DELETE", "/jobs/42"),
        "submit": ("POST", "/jobs"),
        "admin": ("GET", "/keys"),
    }
    for scope, (method, path) in calls.items():
        assert (call(service, token, path, method).status_code != 403) is (scope in may), scope


OURS = {"auth": "keys", "oidc_issuer": "https://login.example.com", "oidc_audience": "thumbnailer"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"oidc_issuer": "http://login.example.com"}, "https://login.example.com"),
        ({"oidc_issuer": "https://me:secret@login.example.com"}, "without a name"),
        ({"oidc_issuer": "file:///etc/passwd"}, "https://"),
        ({"oidc_jwks_url": "http://login.example.com/keys"}, "https://"),
        ({"oidc_audience": ""}, "without an audience"),
        ({"oidc_issuer": ""}, "go together"),
        ({"oidc_issuer": "", "oidc_audience": "", "oidc_jwks_url": "https://login.example.com/keys"}, "go together"),
        ({"auth": "nobody"}, "THUMBNAILER_AUTH=keys"),
        ({"oidc_scopes": "read,write"}, "name some of"),
    ],
)
def test_settings_that_would_let_in_others_are_refused(given, says) -> None:
    ApiSettings(**OURS)
    with pytest.raises(ValueError, match=says):
        ApiSettings(**{**OURS, **given})
