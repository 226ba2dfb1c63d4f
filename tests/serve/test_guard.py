"""Who is answered: names, pages, keys, and how many at once."""

import json
import socket
from urllib.parse import urlsplit

import pytest
from helpers.served import ask, opened, people, plain, post_json, stream_to
from websockets.exceptions import InvalidStatus

from graphlift.errors import ConfigError
from graphlift.serve.guard import check_key
from graphlift.serve.refusals import Refusal
from graphlift.serve.settings import KEY, Settings, check_name, read_key

SECRET = "a-secret-of-24-characters"
ONE = plain(people(1)[:, 0])


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "["]
)
def test_another_host_name_is_refused(address, host):
    said = ask(address, "GET", "/health", Host=host)

    assert (said.status, "answers only to" in said.error) == (403, True)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://"]
)
def test_another_page_is_refused(address, origin):
    said = post_json(address, "/lift?raw=true", ONE, Origin=origin)
    with pytest.raises(InvalidStatus) as refused, stream_to(address, origin=origin):
        pass

    assert (said.status, "its own page" in said.error) == (403, True)
    assert refused.value.response.status_code == 403
    assert "its own page" in json.loads(refused.value.response.body)["error"]


def test_its_own_page_is_answered(address):
    port = urlsplit(address).port
    for name in ("127.0.0.1", "localhost", "LOCALHOST"):
        host = f"{name}:{port}"
        assert ask(address, "GET", "/health", Host=host, Origin=f"http://{host}").status == 200
    with stream_to(address, origin=address) as link:
        assert opened(link)["units"] == "m"


def test_answers_may_not_be_read_by_other_pages(address):
    for said in (
        ask(address, "GET", "/health"),
        ask(address, "GET", "/x"),
        post_json(address, "/lift?raw=true", ONE),
    ):
        assert said.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert said.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in said.headers


def test_a_key_is_asked_of_all_but_health(served):
    address = served(key=SECRET)
    right = f"Bearer {SECRET}"

    assert ask(address, "GET", "/health").status == 200
    for wrong in ({}, {"Authorization": f"Bearer {SECRET}x"}, {"Authorization": SECRET}):
        for method, path in (("GET", "/metrics"), ("POST", "/lift"), ("GET", "/openapi.json")):
            said = ask(address, method, path, **wrong)
            assert (said.status, said.headers["WWW-Authenticate"]) == (401, "Bearer")
        with pytest.raises(InvalidStatus) as refused, stream_to(address, additional_headers=wrong):
            pass
        assert refused.value.response.status_code == 401
    assert post_json(address, "/lift?raw=true", ONE, Authorization=right).status == 200
    with stream_to(address, additional_headers={"Authorization": right}) as link:
        assert opened(link)["units"] == "m"


@pytest.mark.parametrize(
    "given", [[], ["Bearer"], ["Bearer "], ["Basic a"], [f"Bearer {SECRET}"] * 2, ["Bearer ÿ"]]
)
def test_no_other_key_is_taken(given):
    with pytest.raises(Refusal) as refused:
        check_key(given, SECRET)
    assert (refused.value.status, check_key([f"bearer {SECRET}"], SECRET)) == (401, None)


def test_more_connections_than_allowed_are_refused(served):
    address = served(connections=2)

    with stream_to(address) as link, stream_to(address) as other:
        for each in (link, other):
            opened(each)
        said = post_json(address, "/lift?raw=true", ONE)
        watched = [ask(address, "GET", path).status for path in ("/health", "/metrics")]
        with pytest.raises(InvalidStatus) as refused, stream_to(address):
            pass

    assert watched == [200, 200]
    assert (said.status, said.headers["Retry-After"]) == (503, "5")
    assert said.error.startswith("2 requests and streams are open")
    assert refused.value.response.status_code == 503


def test_a_server_that_others_reach_needs_a_key_and_names():
    with pytest.raises(ConfigError, match=KEY):
        Settings(host="192.0.2.7")
    with pytest.raises(ConfigError, match="--name"):
        Settings(host="0.0.0.0", key=SECRET)
    for bad in ("short", "with spaces in it, and long", "ключ-из-многих-букв"):
        with pytest.raises(ConfigError, match="16 or more"):
            Settings(key=bad)
    assert SECRET not in repr(Settings(key=SECRET))


def test_the_names_that_are_known():
    assert "localhost" in Settings().known_names
    assert Settings(host="192.0.2.7", key=SECRET).known_names[-1] == "192.0.2.7"
    settings = Settings(host="0.0.0.0", key=SECRET, names=("Lift.example",))
    assert settings.known_names[-1] == "lift.example"
    assert "0.0.0.0" not in settings.known_names


@pytest.mark.parametrize("name", ["http://a", "a:80", "a/b", "u@a", ""])
def test_a_name_is_a_name_alone(name):
    with pytest.raises(ConfigError, match="--name"):
        check_name(name)
    assert [check_name(n) for n in ("lift.example", "::1", "192.0.2.7")]


def test_the_key_is_in_a_file_of_its_own_or_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    assert read_key(None) is None
    monkeypatch.setenv(KEY, "from-the-environment")
    assert read_key(None) == "from-the-environment"
    path = tmp_path / "key"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    assert read_key(path) == SECRET
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"other users .* chmod 600"):
        read_key(path)


def test_what_is_counted_is_what_prometheus_reads(address):
    from prometheus_client.parser import text_string_to_metric_families

    ask(address, "GET", "/nothing/at/all")
    said = ask(address, "GET", "/metrics")

    families = {each.name: each for each in text_string_to_metric_families(said.body.decode())}
    assert {f"graphlift_{name}" for name in (
        "requests", "latency_seconds", "frames", "batch_people", "connections", "queue"
    )} <= set(families)  # fmt: skip
    routes = {sample.labels["route"] for sample in families["graphlift_requests"].samples}
    assert "/nothing/at/all" not in routes
    assert "(none)" in routes


def test_the_schema_has_every_route_with_what_may_be_answered(address):
    schema = ask(address, "GET", "/openapi.json").json

    routes = {(method, path) for path, item in schema["paths"].items() for method in item}
    assert routes == {
        *(("get", f"/{name}") for name in ("health", "metrics", "jobs/{id}", "jobs/{id}/result")),
        ("get", "/jobs/{id}/keypoints"),
        *(("post", "/lift"), ("post", "/jobs"), ("delete", "/jobs/{id}")),
    }
    lift = schema["paths"]["/lift"]["post"]
    assert {"200", "413", "415", "422", "429", "503", "504"} <= set(lift["responses"])
    options = {each["name"]: each["schema"] for each in lift["parameters"]}
    assert options["gaps"]["default"] == 0.5
    assert "file" in lift["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    problem = schema["components"]["schemas"]["Problem"]
    assert list(problem["properties"]) == ["error"]


def test_the_schema_says_where_a_key_is_asked_for(served, address):
    keyed = ask(served(key=SECRET), "GET", "/openapi.json", Authorization=f"Bearer {SECRET}").json
    open_to_all = ask(address, "GET", "/openapi.json").json

    asked = {
        path
        for path, item in keyed["paths"].items()
        for each in item.values()
        if each.get("security")
    }
    assert asked == set(keyed["paths"]) - {"/health"}
    (scheme,) = keyed["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert "securitySchemes" not in open_to_all["components"]


@pytest.mark.parametrize("form", ["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::1]"])
def test_an_address_of_ipv6_is_the_same_in_all_its_forms(address, form):
    port = urlsplit(address).port
    said = ask(address, "GET", "/health", Host=f"{form}:{port}", Origin=f"http://{form}:{port}")

    assert said.status == 200
    assert Settings(host=form.strip("[]")).local
    other = Settings(host="2001:DB8:0:0::7", key=SECRET, names=("::1",))
    assert other.known_names[-1] == "2001:db8::7"
    assert check_name("2001:DB8:0:0::7")
    with pytest.raises(ConfigError, match="--name"):
        Settings(host="0:0::0", key=SECRET)


def test_every_address_of_ipv6_is_every_address_of_ipv4_too(served):
    if not socket.has_dualstack_ipv6():
        pytest.skip("this system has no sockets for both")
    address = served(host="::", key=SECRET, names=("127.0.0.1", "::1"))
    port = urlsplit(address).port

    for where in ("127.0.0.1", "[::1]"):
        assert ask(f"http://{where}:{port}", "GET", "/health").status == 200


def test_a_name_that_others_ask_for_demands_a_key_on_loopback_too():
    with pytest.raises(ConfigError, match=r"--name lift\.example\.org: others reach.*API key"):
        Settings(names=("lift.example.org",))

    assert not Settings(names=("lift.example.org",), key="k" * 40).local  # https pages may ask
    assert Settings(names=("localhost",)).local
