"""Map each route of the HTTP API to one call of the domain.

The list of routes is the same as terraform/modules/api/routes.json; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from operator_routes import add_operator_routes

from problems import guarded, problem
from request import (
    MAX_PAGE,
    Answer,
    body_bytes,
    caller,
    json_answer,
    json_body,
    limit_of,
    query,
    whole_number,
)
from sendmill.dead_letters import DeadLetterQueue
from sendmill.lifecycle import Office
from sendmill.store import AccountStore, CampaignStore, ListStore
from sendmill.suppression import SuppressionList
from sendmill.unsubscribe import Unsubscriber
from suppression_routes import add_suppression_routes
from unsubscribe_routes import add_unsubscribe_routes
from views import campaign_view, list_view, page_view, rejected_csv, rejected_view, row_view

# A scheduled campaign that could not start within an hour of its time wants a person's word.
DEFAULT_LATE_SECONDS = 3600
# Lambda takes 6 MB a request, a third of it lost to base64; larger files come by S3 upload.
MAX_UPLOAD_BYTES = 4_000_000


def build_routes(
    office: Office,
    *,
    lists: ListStore,
    campaigns: CampaignStore,
    suppressions: SuppressionList,
    unsubscriber: Unsubscriber,
    letters: DeadLetterQueue,
    accounts: AccountStore,
    region: str,
) -> Router:
    """Return the routes, bound to the domain."""
    router = Router()  # type: ignore[no-untyped-call]
    _list_routes(router, office, lists)
    _campaign_routes(router, office, campaigns)
    _control_routes(router, office)
    add_suppression_routes(router, suppressions)
    add_unsubscribe_routes(router, unsubscriber)
    add_operator_routes(router, letters=letters, accounts=accounts, region=region)
    return router


def _list_routes(router: Router, office: Office, lists: ListStore) -> None:
    @router.post("/v1/contact-lists")
    @guarded
    def import_list() -> Answer:
        data = body_bytes(router)
        if len(data) > MAX_UPLOAD_BYTES:
            return problem(413, f"a file has at most {MAX_UPLOAD_BYTES} bytes (got {len(data)})")
        name = query(router, "name")
        found = office.import_list(data, name=name, created_by=caller(router))
        rejected = office.rejected_rows(found.id)
        return json_answer(
            201, list_view(found) | {"rejected_rows": rejected_view(rejected[:MAX_PAGE])}
        )

    @router.get("/v1/contact-lists")
    @guarded
    def show_lists() -> Answer:
        found, cursor = lists.list(cursor=query(router, "cursor"), limit=limit_of(router))
        return json_answer(200, page_view([list_view(one) for one in found], cursor))

    @router.get("/v1/contact-lists/<list_id>")
    @guarded
    def show_list(list_id: str) -> Answer:
        return json_answer(200, list_view(office.contact_list(list_id)))

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
        campaign = office.create_campaign(json_body(router), created_by=caller(router))
        return json_answer(201, campaign_view(campaign, office.progress(campaign)))

    @router.get("/v1/campaigns")
    @guarded
    def show_campaigns() -> Answer:
        found, cursor = campaigns.list(cursor=query(router, "cursor"), limit=limit_of(router))
        views = [campaign_view(campaign, office.progress(campaign)) for campaign in found]
        return json_answer(200, page_view(views, cursor))

    @router.get("/v1/campaigns/<campaign_id>")
    @guarded
    def show_campaign(campaign_id: str) -> Answer:
        return _shown(office, office.campaign, campaign_id, 200)

    @router.get("/v1/campaigns/<campaign_id>/recipients")
    @guarded
    def show_recipients(campaign_id: str) -> Answer:
        rows, cursor = office.recipients(
            campaign_id,
            state=query(router, "state"),
            cursor=query(router, "cursor"),
            limit=limit_of(router),
        )
        return json_answer(200, page_view([row_view(row) for row in rows], cursor))


def _control_routes(router: Router, office: Office) -> None:
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

    @router.post("/v1/campaigns/<campaign_id>/cancel")
    @guarded
    def cancel_campaign(campaign_id: str) -> Answer:
        return _shown(office, office.cancel, campaign_id, 202)

    @router.post("/v1/campaigns/<campaign_id>/schedule")
    @guarded
    def schedule_campaign(campaign_id: str) -> Answer:
        raw = json_body(router)
        start_at = whole_number(raw, "start_at", None)
        late = whole_number(raw, "max_late_seconds", DEFAULT_LATE_SECONDS)
        campaign = office.schedule(campaign_id, start_at=start_at, max_late_seconds=late)
        return json_answer(202, campaign_view(campaign, office.progress(campaign)))

    @router.post("/v1/campaigns/<campaign_id>/retry")
    @guarded
    def retry_failed(campaign_id: str) -> Answer:
        reason = str(json_body(router, optional=True).get("reason") or "")
        campaign = office.retry_failed(campaign_id, reason=reason)
        return json_answer(202, campaign_view(campaign, office.progress(campaign)))

    @router.post("/v1/campaigns/<campaign_id>/resolve")
    @guarded
    def resolve_unknown(campaign_id: str) -> Answer:
        how = str(json_body(router).get("how") or "")
        campaign = office.resolve_unknown(campaign_id, how=how)
        return json_answer(202, campaign_view(campaign, office.progress(campaign)))


def _shown(office: Office, act: Callable[[str], Any], campaign_id: str, status: int) -> Answer:
    campaign = act(campaign_id)
    return json_answer(status, campaign_view(campaign, office.progress(campaign)))
