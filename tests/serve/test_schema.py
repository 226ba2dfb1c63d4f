"""Requests that schemathesis makes up from the OpenAPI schema: none is an error of the server."""

import pytest
from hypothesis import HealthCheck, given, seed, settings

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

AS_IT_SAYS, OTHERWISE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
ROUTES = {
    "GET /health": (AS_IT_SAYS,),
    "GET /metrics": (AS_IT_SAYS,),
    "POST /lift": (AS_IT_SAYS, OTHERWISE),
    "POST /jobs": (AS_IT_SAYS, OTHERWISE),
    "GET /jobs/{id}": (AS_IT_SAYS,),
    "GET /jobs/{id}/result": (AS_IT_SAYS,),
    "GET /jobs/{id}/keypoints": (AS_IT_SAYS,),
    "DELETE /jobs/{id}": (AS_IT_SAYS,),
}
"""Which requests can be made of each; no text is none that an id may be."""
MANY, FEW = 10, 3
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
"""Not that a body of the schema is taken: it may still be no keypoints."""


@pytest.fixture(scope="module")
def schema(address):
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


@pytest.mark.parametrize(
    ("route", "mode"), [(route, mode) for route, modes in ROUTES.items() for mode in modes]
)
def test_no_request_of_the_schema_is_an_error_of_the_server(schema, address, route, mode):
    method, _, path = route.partition(" ")
    count = MANY if method == "POST" else FEW

    @seed(14)
    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def ask(case):
        said = case.call(base_url=address)
        assert said.status_code < 500, said.text
        case.validate_response(said, checks=CHECKS)

    ask()


def test_each_route_of_the_schema_is_asked(schema):
    own = {f"{each.ok().method.upper()} {each.ok().path}" for each in schema.get_all_operations()}

    assert own == set(ROUTES)
