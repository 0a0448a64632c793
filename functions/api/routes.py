"""Map each route of the HTTP API to one call of the domain.

The list of routes is the same as terraform/modules/api/routes.json; a test compares them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from problems import guarded, problem
from sendmill.errors import InvalidCampaign
from sendmill.lifecycle import Office
from sendmill.store import CampaignStore, ListStore
from views import campaign_view, list_view, page_view, rejected_csv, rejected_view, row_view

MAX_PAGE = 1000
# Lambda takes 6 MB a request, a third of it lost to base64; larger files come by S3 upload.
MAX_UPLOAD_BYTES = 4_000_000

Answer = Response[str]


def build_routes(office: Office, *, lists: ListStore, campaigns: CampaignStore) -> Router:
    """Return the routes, bound to the domain."""
    router = Router()  # type: ignore[no-untyped-call]
    _list_routes(router, office, lists)
    _campaign_routes(router, office, campaigns)
    return router


def _list_routes(router: Router, office: Office, lists: ListStore) -> None:
    @router.post("/v1/contact-lists")
    @guarded
    def import_list() -> Answer:
        data = _body(router)
        if len(data) > MAX_UPLOAD_BYTES:
            return problem(413, f"a file has at most {MAX_UPLOAD_BYTES} bytes (got {len(data)})")
        name = _query(router, "name")
        found = office.import_list(data, name=name, created_by=_caller(router))
        rejected = office.rejected_rows(found.id)
        return _json(201, list_view(found) | {"rejected_rows": rejected_view(rejected[:MAX_PAGE])})

    @router.get("/v1/contact-lists")
    @guarded
    def show_lists() -> Answer:
        found, cursor = lists.list(cursor=_query(router, "cursor"), limit=_limit(router))
        return _json(200, page_view([list_view(one) for one in found], cursor))

    @router.get("/v1/contact-lists/<list_id>")
    @guarded
    def show_list(list_id: str) -> Answer:
        return _json(200, list_view(office.contact_list(list_id)))

    @router.get("/v1/contact-lists/<list_id>/rejected")
    @guarded
    def show_rejected(list_id: str) -> Answer:
        body = rejected_csv(office.rejected_rows(list_id))
        headers: dict[str, Any] = {
            "Content-Disposition": f'attachment; filename="{list_id}-rejected.csv"',
            "X-Content-Type-Options": "nosniff",
        }
        return Response(200, content_type="text/csv; charset=utf-8", body=body, headers=headers)


def _campaign_routes(router: Router, office: Office, campaigns: CampaignStore) -> None:
    @router.post("/v1/campaigns")
    @guarded
    def create_campaign() -> Answer:
        campaign = office.create_campaign(_json_body(router), created_by=_caller(router))
        return _json(201, campaign_view(campaign, office.progress(campaign)))

    @router.get("/v1/campaigns")
    @guarded
    def show_campaigns() -> Answer:
        found, cursor = campaigns.list(cursor=_query(router, "cursor"), limit=_limit(router))
        views = [campaign_view(campaign, office.progress(campaign)) for campaign in found]
        return _json(200, page_view(views, cursor))

    @router.get("/v1/campaigns/<campaign_id>")
    @guarded
    def show_campaign(campaign_id: str) -> Answer:
        return _shown(office, office.campaign, campaign_id, 200)

    @router.post("/v1/campaigns/<campaign_id>/start")
    @guarded
    def start_campaign(campaign_id: str) -> Answer:
        return _shown(office, office.start, campaign_id, 202)

    @router.post("/v1/campaigns/<campaign_id>/pause")
    @guarded
    def pause_campaign(campaign_id: str) -> Answer:
        return _shown(office, office.pause, campaign_id, 200)

    @router.post("/v1/campaigns/<campaign_id>/resume")
    @guarded
    def resume_campaign(campaign_id: str) -> Answer:
        return _shown(office, office.resume, campaign_id, 202)

    @router.get("/v1/campaigns/<campaign_id>/recipients")
    @guarded
    def show_recipients(campaign_id: str) -> Answer:
        rows, cursor = office.recipients(
            campaign_id,
            state=_query(router, "state"),
            cursor=_query(router, "cursor"),
            limit=_limit(router),
        )
        return _json(200, page_view([row_view(row) for row in rows], cursor))


def _shown(office: Office, act: Callable[[str], Any], campaign_id: str, status: int) -> Answer:
    campaign = act(campaign_id)
    return _json(status, campaign_view(campaign, office.progress(campaign)))


def _json(status: int, body: object) -> Answer:
    text = json.dumps(body, ensure_ascii=False)
    return Response(status, content_type="application/json", body=text)


def _query(router: Router, name: str) -> str:
    return (router.current_event.query_string_parameters or {}).get(name, "").strip()


def _limit(router: Router) -> int:
    raw = _query(router, "limit") or "100"
    if not raw.isdigit() or not 1 <= int(raw) <= MAX_PAGE:
        raise InvalidCampaign(f"limit must be 1 to {MAX_PAGE} (got {raw!r})")
    return int(raw)


def _body(router: Router) -> bytes:
    """Return the body's bytes; API Gateway hands over text or base64."""
    event = router.current_event
    body = event.body or ""
    return base64.b64decode(body) if event.is_base64_encoded else body.encode()


def _json_body(router: Router) -> dict[str, Any]:
    try:
        found = json.loads(_body(router) or b"null")
    except ValueError as error:
        raise InvalidCampaign(f"body must be JSON ({error})") from error
    if not isinstance(found, dict):
        raise InvalidCampaign(f"body must be a JSON object (got {type(found).__name__})")
    return found


def _caller(router: Router) -> str:
    context = router.current_event.raw_event.get("requestContext", {})
    claims = context.get("authorizer", {}).get("jwt", {}).get("claims", {})
    return str(claims.get("sub", ""))
