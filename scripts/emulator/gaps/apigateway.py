"""HTTP API authorizers: what Terraform reads back of a JWT authorizer."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

apigateway: Any = import_module("ministack.services.apigateway")

REQUEST_ONLY = ("authorizerPayloadFormatVersion", "enableSimpleResponses")


def close() -> None:
    """Show a JWT authorizer without the settings that only REQUEST authorizers have.

    Wrong upstream: CreateAuthorizer fills in payload format 2.0 for JWT too; AWS shows none, and
    Terraform plans to take it away again.
    """
    create = apigateway._create_authorizer

    def create_plain(api_id: str, data: dict[str, Any]) -> Any:
        status, headers, body = create(api_id, data)
        if status != 201 or data.get("authorizerType", "JWT") != "JWT":
            return status, headers, body
        authorizer = apigateway._authorizers[api_id][json.loads(body)["authorizerId"]]
        for name in REQUEST_ONLY:
            if name not in data:
                authorizer.pop(name, None)
        return apigateway._apigw_response(authorizer, status)

    apigateway._create_authorizer = create_plain
