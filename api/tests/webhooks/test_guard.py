"""Where webhooks never go: what is refused as it is written, and what is refused once it was looked up."""

from __future__ import annotations

import socket
import ssl
import threading
from ipaddress import ip_address, ip_network

import pytest
from receivers import Receiver

from thumbnailer_api.webhooks.guard import Forbidden, Place, Rules, permitted, place_of
from thumbnailer_api.webhooks.posting import NoAnswer, NotSent, Postman

OPEN = Rules(ports=tuple(range(1, 65536)), http=True)
"""Everything that settings can open, save networks."""

CLOSED_ADDRESSES = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255"),  # noqa: S104 - nothing is bound to it
    *("100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1.2.3"),
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.170.23", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("168.63.129.16", "100.100.100.200"),
    *("::", "::1", "::127.0.0.1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1"),
    *("::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("100::1", "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::"),
    *("2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fd12:3456::1", "fe80::1"),
    *("fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1", "ff0e::1"),
]
OPEN_ADDRESSES = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450::1"]
OPEN_ADDRESSES += ["64:ff9b::101:101", "::ffff:1.1.1.1"]

CLOSED_URLS = [
    # Spellings that some program or other takes for the loopback or for metadata.
    *("https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://127.1/"),
    *("https://127.0.1/", "https://0/", "https://017700000001/", "https://0x7f.1/", "https://127.0.0.01/"),
    *("https://127.0.0.1./", "https://2852039166/", "https://0xa9fea9fe/", "https://169.254.43518/"),
    *(
        "https://0251.0376.0251.0376/",
        "https://[::ffff:127.0.0.1]/",
        "https://[0:0:0:0:0:ffff:7f00:1]/",
        "https://[::]/",
    ),
    *("https://[fe80::1%25eth0]/", "https://[::1%25lo]/", "https://127.0.0.0x1/", "https://1.2.3.4.5/"),
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    "https://exämple.com/",
    "https://%31%32%37.0.0.1/",
    # Hosts that are no names of the internet.
    *("https://localhost/", "https://thumbnailer-postgresql/", "https://example.com./", "https://.example.com/"),
    *("https://-a.example.com/", "https://a..example.com/", "https:///path", "https://", "https://exa mple.com/"),
    # Who is meant depends on who reads it.
    *("https://example.com@127.0.0.1/", "https://user:password@example.com/", "https://127.0.0.1#@example.com/"),
    *("https://example.com\\@127.0.0.1/", "https://example.com\r\nX-Evil: 1/", "https://example.com/\x00"),
    *("https://[2606:4700::1111]evil.com/", "https://[2606:4700::1111].evil.com/", "https://x[2606:4700::1111]/"),
    *("https://example.com/a b", "https://example.com/\t", "https://[example.com]/", "https://[::1/", "https://a:b:c/"),
    *("https://example.com:port/", "https://example.com:99999/", "https://example.com:-1/", "https://example.com:0/"),
    # No HTTP.
    *("file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "//example.com/", "example.com", ""),
    *("javascript:alert(1)", "data:,x", "unix:///run/docker.sock", "https:example.com", "HTTPS//example.com"),
    "https://example.com/" + "x" * 2000,
]


@pytest.mark.parametrize("address", CLOSED_ADDRESSES)
def test_a_special_address_is_closed(address: str) -> None:
    assert not permitted(ip_address(address), OPEN)


@pytest.mark.parametrize("address", OPEN_ADDRESSES)
def test_an_address_of_the_internet_is_open(address: str) -> None:
    assert permitted(ip_address(address), Rules())


@pytest.mark.parametrize("address", CLOSED_ADDRESSES)
def test_a_closed_address_is_refused_as_it_is_written(address: str) -> None:
    host = f"[{address.replace('%', '%25')}]" if ":" in address else address
    with pytest.raises(Forbidden):
        place_of(f"https://{host}/", OPEN)


@pytest.mark.parametrize("url", CLOSED_URLS)
def test_an_odd_address_is_refused_as_it_is_written(url: str) -> None:
    with pytest.raises(Forbidden):
        place_of(url, OPEN)


def test_the_tables_are_long_enough() -> None:
    assert len(CLOSED_ADDRESSES) >= 60
    assert len(CLOSED_URLS) >= 50


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://example.com/a?b=c", Place("example.com", 443)),
        ("https://EXAMPLE.com:443", Place("example.com", 443)),
        ("https://1.1.1.1/", Place("1.1.1.1", 443)),
        ("https://[2606:4700:4700::1111]/", Place("2606:4700:4700::1111", 443)),
        ("https://xn--bcher-kva.example/", Place("xn--bcher-kva.example", 443)),
        ("https://hooks.slack.com/services/T0/B0/x", Place("hooks.slack.com", 443)),
    ],
)
def test_an_ordinary_address_is_taken(url: str, place: Place) -> None:
    assert place_of(url, Rules()) == place


@pytest.mark.parametrize("url", ["http://example.com/", "https://example.com:8443/", "https://example.com:80/"])
def test_only_https_on_its_own_port_is_open_unless_settings_say_so(url: str) -> None:
    with pytest.raises(Forbidden):
        place_of(url, Rules())


def test_settings_open_private_networks_and_never_those_where_credentials_are() -> None:
    rules = Rules(networks=(ip_network("10.20.0.0/16"), ip_network("0.0.0.0/0"), ip_network("fd00::/8")))
    assert permitted(ip_address("10.20.3.4"), rules)
    assert permitted(ip_address("::ffff:10.20.3.4"), rules)
    assert permitted(ip_address("fd12::1"), rules)
    for closed in ("169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "168.63.129.16", "100.100.100.200"):
        assert not permitted(ip_address(closed), rules)


def test_credentials_are_not_reached_inside_of_ipv6_either_however_much_of_it_is_open() -> None:
    rules = Rules(networks=(ip_network("::/0"),))
    assert permitted(ip_address("::1"), rules)
    for closed in (
        "2002:a9fe:a9fe::1",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "::a9fe:a9fe",
        "2002:a83f:8110::",
    ):
        assert not permitted(ip_address(closed), rules)


class Resolver:
    """Says what it is told to say, each time the next; counts how often it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> list:
        self.asked += 1
        return [ip_address(address) for address in self.answers[min(self.asked, len(self.answers)) - 1]]


def postman(resolver: Resolver, *networks: str, **more: object) -> Postman:
    rules = Rules(ports=OPEN.ports, networks=tuple(ip_network(network) for network in networks), http=True)
    return Postman(rules, resolver, whole_seconds=3.0, **more)  # type: ignore[arg-type]


def test_a_name_is_looked_up_once_and_what_was_judged_is_what_is_dialled(hook: Receiver) -> None:
    """A name that changes its answer between the check and the use: the second answer is never asked for."""
    changing = Resolver(["127.0.0.1"], ["169.254.169.254"])
    answer = postman(changing, "127.0.0.0/8").post(f"http://rebinding.example:{hook.server.server_port}/", {}, b"{}")
    assert answer.status == 204
    assert changing.asked == 1
    assert hook.received[0].headers["host"] == f"rebinding.example:{hook.server.server_port}"


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"], ["2606:4700::1", "::1"], []],
    ids=str,
)
def test_a_name_that_has_a_closed_address_among_open_ones_is_refused(hook: Receiver, addresses: list[str]) -> None:
    with pytest.raises(NotSent, match=r"^mixed.example leads to no address that is open$"):  # and not to which
        postman(Resolver(addresses)).post(f"http://mixed.example:{hook.server.server_port}/", {}, b"{}")
    assert hook.received == []


def test_a_redirect_to_metadata_is_an_answer_and_nothing_more(hook: Receiver) -> None:
    hook.answers = [(307, {"Location": "http://169.254.169.254/latest/meta-data/"})]
    resolver = Resolver(["127.0.0.1"])
    assert postman(resolver, "127.0.0.0/8").post(hook.url.replace("127.0.0.1", "a.example"), {}, b"{}").status == 307
    assert resolver.asked == 1


def test_an_address_that_does_not_connect_leaves_time_for_the_next(hook: Receiver) -> None:
    resolver = Resolver(["127.0.0.2", "127.0.0.1"])  # nothing listens on the first
    url = f"http://two.example:{hook.server.server_port}/"
    assert postman(resolver, "127.0.0.0/8").post(url, {}, b"{}").status == 204


def test_proxies_of_the_environment_are_not_asked(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert postman(Resolver(["127.0.0.1"]), "127.0.0.0/8").post(hook.url, {}, b"{}").status == 204


def test_tls_wants_a_certificate_for_the_name_although_a_number_is_dialled(tmp_path) -> None:
    listener, trust = tls_server(tmp_path, "right.example")
    post = postman(Resolver(["127.0.0.1"]), "127.0.0.0/8", trust=trust)
    port = listener.getsockname()[1]
    assert post.post(f"https://right.example:{port}/", {}, b"{}").status == 200
    with pytest.raises(NoAnswer, match="Hostname mismatch"):
        post.post(f"https://wrong.example:{port}/", {}, b"{}")
    listener.close()


def tls_server(folder, name: str) -> tuple[socket.socket, ssl.SSLContext]:
    """A server that answers 200, with a certificate for one name, and a context that trusts it."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*private))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
                with serving.wrap_socket(connection, server_side=True) as secured:
                    while not secured.recv(65536).endswith(b"{}"):
                        pass
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            except ssl.SSLError:
                connection.close()
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    return listener, ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
