"""Map the routes of the suppression list to the domain: list, add, import, export, remove."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from problems import guarded, problem
from request import Answer, body_bytes, caller, json_answer, json_body, limit_of, query
from sendmill.errors import InvalidContact
from sendmill.observe import logger
from sendmill.suppression import Reason, SuppressionList
from views import imported_view, page_view, suppression_csv, suppression_view

# Lambda takes 6 MB a request, a third of it lost to base64.
MAX_UPLOAD_BYTES = 4_000_000
_SOURCE = "api"


def add_suppression_routes(router: Router, suppressions: SuppressionList) -> None:
    """Add the routes of the list of addresses that must not be mailed."""

    @router.get("/v1/suppressions")
    @guarded
    def show_suppressions() -> Answer:
        found, cursor = suppressions.rows(cursor=query(router, "cursor"), limit=limit_of(router))
        return json_answer(200, page_view([suppression_view(one) for one in found], cursor))

    @router.post("/v1/suppressions")
    @guarded
    def add_suppressions() -> Answer:
        if _is_csv(router):
            return _import(router, suppressions)
        raw = json_body(router)
        address, reason = raw.get("email"), raw.get("reason", Reason.MANUAL)
        if not isinstance(address, str) or not isinstance(reason, str):
            raise InvalidContact("email and reason must be text")
        found = suppressions.add(address, reason=reason, source=_SOURCE)
        logger.info("suppressed", address_hash=found.hash, reason=reason, by=caller(router))
        return json_answer(201, suppression_view(found))

    @router.get("/v1/suppressions/export")
    @guarded
    def export_suppressions() -> Answer:
        found, cursor = suppressions.rows(cursor=query(router, "cursor"))
        headers: dict[str, Any] = {
            "Content-Disposition": 'attachment; filename="suppressions.csv"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        if cursor:
            headers["X-Next-Cursor"] = cursor
        return Response(
            200,
            content_type="text/csv; charset=utf-8",
            body=suppression_csv(found),
            headers=headers,
        )

    @router.delete("/v1/suppressions/<hash>")
    @guarded
    def remove_suppression(hash: str) -> Answer:
        erase = query(router, "erase").lower() == "true"
        if erase:
            suppressions.erase(hash)
        else:
            suppressions.remove(hash)
        event = "suppression_erased" if erase else "suppression_removed"
        logger.info(event, address_hash=hash, by=caller(router))
        return Response(204, content_type="application/json", body="")


def _import(router: Router, suppressions: SuppressionList) -> Answer:
    data = body_bytes(router)
    if len(data) > MAX_UPLOAD_BYTES:
        return problem(413, f"a file has at most {MAX_UPLOAD_BYTES} bytes (got {len(data)})")
    found = suppressions.load(data, source="import")
    logger.info(
        "suppressions_imported",
        accepted=found.accepted,
        rejected=len(found.rejected),
        by=caller(router),
    )
    return json_answer(200, imported_view(found))


def _is_csv(router: Router) -> bool:
    headers = router.current_event.headers or {}
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return str(kind).split(";")[0].strip().lower() == "text/csv"
