"""Tell people and programs about the API: its OpenAPI document, a page made of it, who asks."""

from __future__ import annotations

import json
from functools import cache

from aws_lambda_powertools.event_handler import Response

from request import Answer, caller, json_answer
from sendmill.roles import Role
from table import RouteTable


def add_docs_routes(table: RouteTable) -> None:
    """Add the routes; the document is written when it is first asked for."""

    @cache
    def written() -> tuple[str, str, str]:
        # neither is needed to answer any other request, and both take their time
        import openapi
        import reference

        found = openapi.document(table)
        page, policy = reference.page(found)
        return json.dumps(found, ensure_ascii=False), page, policy

    @table.get(
        "/v1/openapi.json", role=Role.ANONYMOUS, tag="about", answers={200: "application/json"}
    )
    def show_openapi() -> Answer:
        """Show this document."""
        return Response(200, content_type="application/json", body=written()[0])

    @table.get("/docs", role=Role.ANONYMOUS, tag="about", answers={200: "text/html"})
    def show_docs() -> Answer:
        """Show this document as a page for people."""
        _, page, policy = written()
        return Response(
            200,
            content_type="text/html; charset=utf-8",
            body=page,
            headers={"Content-Security-Policy": policy},
        )

    @table.get("/v1/me", role=Role.VIEWER, tag="about", answers={200: "shapes:Me"})
    def show_me() -> Answer:
        """Show who asks, and in which role."""
        found = caller(table.router)
        return json_answer(
            200,
            {
                "subject": found.subject,
                "email": found.email,
                "role": found.role.title,
                "roles": list(found.roles),
                "expires_at": found.expires_at,
            },
        )
