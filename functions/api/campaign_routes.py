"""Map the routes of campaigns: make one, look at it, and say what it is to do."""

from __future__ import annotations

from bodies import CampaignBody, ResolveBody, RetryBody, ScheduleBody
from params import CampaignId, Cursor, Limit, StateName
from request import Answer, caller, json_answer
from sendmill.campaign import Campaign
from sendmill.lifecycle import Office
from sendmill.roles import Role
from sendmill.store import CampaignStore
from table import RouteTable
from views import campaign_view, page_view, row_view

_TAG = "campaigns"
_VIEW = "shapes:CampaignView"


def add_campaign_routes(table: RouteTable, office: Office, campaigns: CampaignStore) -> None:
    """Add the routes, bound to the domain."""
    _drafting(table, office)
    _looking(table, office, campaigns)
    _control(table, office)


def _drafting(table: RouteTable, office: Office) -> None:
    @table.post("/v1/campaigns", role=Role.EDITOR, tag=_TAG, answers={201: _VIEW})
    def create_campaign(body: CampaignBody) -> Answer:
        """Create a campaign as a draft; nothing is sent before it is started."""
        made = office.create_campaign(body.plain(), created_by=caller(table.router).subject)
        return _shown(office, made, 201)


def _looking(table: RouteTable, office: Office, campaigns: CampaignStore) -> None:
    @table.get("/v1/campaigns", role=Role.VIEWER, tag=_TAG, answers={200: "shapes:CampaignPage"})
    def show_campaigns(cursor: Cursor = "", limit: Limit = 100) -> Answer:
        """List campaigns, newest first."""
        found, following = campaigns.list(cursor=cursor, limit=limit)
        views = [campaign_view(campaign, office.progress(campaign)) for campaign in found]
        return json_answer(200, page_view(views, following))

    @table.get("/v1/campaigns/<campaign_id>", role=Role.VIEWER, tag=_TAG, answers={200: _VIEW})
    def show_campaign(campaign_id: CampaignId) -> Answer:
        """Show a campaign; `states` add up to `total`."""
        return _shown(office, office.campaign(campaign_id), 200)

    @table.get(
        "/v1/campaigns/<campaign_id>/recipients",
        role=Role.VIEWER,
        tag=_TAG,
        answers={200: "shapes:RecipientPage"},
    )
    def show_recipients(
        campaign_id: CampaignId, state: StateName = "", cursor: Cursor = "", limit: Limit = 100
    ) -> Answer:
        """List recipients: who is in which state, and why."""
        rows, following = office.recipients(campaign_id, state=state, cursor=cursor, limit=limit)
        return json_answer(200, page_view([row_view(row) for row in rows], following))


def _control(table: RouteTable, office: Office) -> None:
    path = "/v1/campaigns/<campaign_id>"

    @table.post(f"{path}/start", role=Role.SENDER, tag=_TAG, answers={202: _VIEW})
    def start_campaign(campaign_id: CampaignId) -> Answer:
        """Start a campaign: every row is checked, then the mails leave.

        Asking again while it is planned or running changes nothing.
        """
        return _shown(office, office.start(campaign_id), 202)

    @table.post(f"{path}/pause", role=Role.SENDER, tag=_TAG, answers={200: _VIEW})
    def pause_campaign(campaign_id: CampaignId) -> Answer:
        """Stop sending within seconds; who waits goes on waiting."""
        return _shown(office, office.pause(campaign_id), 200)

    @table.post(f"{path}/resume", role=Role.SENDER, tag=_TAG, answers={202: _VIEW})
    def resume_campaign(campaign_id: CampaignId) -> Answer:
        """Go on with a paused campaign."""
        return _shown(office, office.resume(campaign_id), 202)

    @table.post(f"{path}/cancel", role=Role.SENDER, tag=_TAG, answers={202: _VIEW})
    def cancel_campaign(campaign_id: CampaignId) -> Answer:
        """End a campaign: nobody who still waits is mailed."""
        return _shown(office, office.cancel(campaign_id), 202)

    @table.post(f"{path}/schedule", role=Role.SENDER, tag=_TAG, answers={202: _VIEW})
    def schedule_campaign(campaign_id: CampaignId, body: ScheduleBody) -> Answer:
        """Start a campaign at a time, but not later than `max_late_seconds` after it."""
        campaign = office.schedule(
            campaign_id, start_at=body.start_at, max_late_seconds=body.max_late_seconds
        )
        return _shown(office, campaign, 202)

    @table.post(f"{path}/retry", role=Role.SENDER, tag=_TAG, answers={202: _VIEW})
    def retry_failed(campaign_id: CampaignId, body: RetryBody | None = None) -> Answer:
        """Try failed recipients again: all, or those whose reason starts with `reason`."""
        reason = (body.reason if body else None) or ""
        return _shown(office, office.retry_failed(campaign_id, reason=reason), 202)

    @table.post(f"{path}/resolve", role=Role.SENDER, tag=_TAG, answers={202: _VIEW})
    def resolve_unknown(campaign_id: CampaignId, body: ResolveBody) -> Answer:
        """Settle recipients whose mail may or may not have been taken."""
        return _shown(office, office.resolve_unknown(campaign_id, how=body.how), 202)


def _shown(office: Office, campaign: Campaign, status: int) -> Answer:
    return json_answer(status, campaign_view(campaign, office.progress(campaign)))
