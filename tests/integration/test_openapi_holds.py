"""The running API keeps what its own OpenAPI document says, whatever is asked of it.

Every operation is asked with data that the document allows and with data that it does not. Of the
checks of schemathesis are off: ``unsupported_method``, which wants a 405, where API Gateway answers
404 to a route that does not exist; ``positive_data_acceptance``, which wants a success for whatever
fits the document, where an id that fits need not be anybody's; ``ignored_auth`` and
``object_level_authorization``, which test_access asks of every route with every kind of token; and
``use_after_free`` and ``ensure_resource_availability``, which follow links, of which the document
has none.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stack import Stack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# Few examples an operation keep the whole below 90 s; all 60 operations are asked in every run.
EXAMPLES = 6
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    allow_header_conformance,
]


@pytest.fixture(scope="module")
def operations(stack: Stack) -> list[Any]:
    """The operations of the document that the API itself gives out."""
    found = stack.request("GET", "/v1/openapi.json", token="")
    schema = schemathesis.openapi.from_dict(found)
    schema.config.update(base_url=stack.outputs["api_url"])
    return [operation.ok() for operation in schema.get_all_operations()]


# one loop, and not schemathesis' own parametrize: its plugin knows no pytest 9 yet; no threads, for
# Hypothesis parses code, which two threads of an older Python may not do at once (CPython 106905)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
def test_every_operation_keeps_its_promise(
    stack: Stack, operations: list[Any], mode: GenerationMode
) -> None:
    assert len(operations) >= 50, len(operations)
    found = [broken(stack, operation, mode) for operation in operations]
    assert [one for one in found if one] == []


def broken(stack: Stack, operation: Any, mode: GenerationMode) -> str:
    """Return how an operation breaks its promise, empty if it keeps it."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if "x-role" in operation.definition.raw:
            case.headers["Authorization"] = f"Bearer {stack.token}"
        case.call_and_validate(checks=CHECKS, timeout=30)

    try:
        ask()
    except Unsatisfiable:
        return ""  # nothing that the document forbids can be said to this operation
    except (Exception, BaseExceptionGroup) as error:
        return f"{operation.label}: {' '.join(str(error).split())[:700]}"
    return ""
