"""Map what people do with a campaign before it is started, and the start itself."""

from __future__ import annotations

from dataclasses import asdict

from bodies import ApproveBody, CloneBody, EditBody, ScheduleBody, StartBody, TestBody
from campaign_routes import VIEW, Showing
from params import CampaignId
from request import Answer, caller, json_answer, no_content
from sendmill.drafts import Desk, ready
from sendmill.observe import logger
from sendmill.preflight import checklist, estimate
from sendmill.roles import Role
from table import RouteTable

_TAG = "campaigns"
_PATH = "/v1/campaigns/<campaign_id>"


def add_draft_routes(table: RouteTable, desk: Desk, showing: Showing) -> None:
    """Add the routes, bound to the domain."""
    _drafts(table, desk, showing)
    _starting(table, desk, showing)


def _drafts(table: RouteTable, desk: Desk, showing: Showing) -> None:
    @table.patch(_PATH, role=Role.EDITOR, tag=_TAG, answers={200: VIEW})
    def edit_campaign(campaign_id: CampaignId, body: EditBody) -> Answer:
        """Change a draft; what is left out stays. An approval is void after it."""
        by = caller(table.router).subject
        return showing.one(desk.edit(campaign_id, body.plain(), by=by), 200)

    @table.delete(_PATH, role=Role.EDITOR, tag=_TAG, answers={204: ""})
    def delete_campaign(campaign_id: CampaignId) -> Answer:
        """Delete a draft; what was started stays for the record."""
        desk.delete(campaign_id)
        logger.info("campaign_deleted", campaign_id=campaign_id, by=caller(table.router).subject)
        return no_content()

    @table.post(f"{_PATH}/clone", role=Role.EDITOR, tag=_TAG, answers={201: VIEW})
    def clone_campaign(campaign_id: CampaignId, body: CloneBody | None = None) -> Answer:
        """Make a new draft with the same content, list and sender."""
        name = (body.name if body else None) or ""
        made = desk.clone(campaign_id, by=caller(table.router).subject, name=name)
        return showing.one(made, 201)

    @table.get(
        f"{_PATH}/preflight", role=Role.VIEWER, tag=_TAG, answers={200: "shapes:PreflightView"}
    )
    def show_preflight(campaign_id: CampaignId) -> Answer:
        """Show the checklist before a start, with an estimate of time, cost and quota.

        Errors keep a campaign from being started. As many rows are rendered as fit into five
        seconds; a start renders all of them before the first mail leaves.
        """
        facts = desk.preflight(campaign_id)
        checks = checklist(facts)
        return json_answer(
            200,
            {
                "ready": ready(checks),
                "checks": [asdict(check) for check in checks],
                "estimate": asdict(estimate(facts)),
            },
        )

    @table.post(f"{_PATH}/test", role=Role.EDITOR, tag=_TAG, answers={202: "shapes:TestView"})
    def test_campaign(campaign_id: CampaignId, body: TestBody) -> Answer:
        """Mail it to up to five addresses, rendered with a contact of its list.

        The subject begins with `[Test]`, the unsubscribe link leads nowhere, and nothing is
        counted. `contact_id` is the line of the contact; the first one by default.
        """
        found = desk.test(campaign_id, body.to, contact_id=body.contact_id or "")
        sent = [{"to": one.to, "message_id": one.message_id} for one in found if not one.reason]
        failed = [{"to": one.to, "reason": one.reason} for one in found if one.reason]
        by = caller(table.router).subject
        logger.info("test_sent", campaign_id=campaign_id, sent=len(sent), failed=len(failed), by=by)
        return json_answer(202, {"sent": sent, "failed": failed})

    @table.post(f"{_PATH}/approve", role=Role.SENDER, tag=_TAG, answers={200: VIEW})
    def approve_campaign(campaign_id: CampaignId, body: ApproveBody | None = None) -> Answer:
        """Approve a campaign as it is: content and list. Whoever made or started it may not.

        With `digest`, the `approval.digest` of what was looked at, a campaign that was changed
        since, or whose list was, is a 409.
        """
        by, seen = caller(table.router).subject, (body.digest if body else None) or ""
        found = desk.approve(campaign_id, by=by, seen=seen)
        logger.info("campaign_approved", campaign_id=campaign_id, by=by)
        return showing.one(found, 200)


def _starting(table: RouteTable, desk: Desk, showing: Showing) -> None:
    @table.post(f"{_PATH}/start", role=Role.SENDER, tag=_TAG, answers={202: VIEW})
    def start_campaign(campaign_id: CampaignId, body: StartBody | None = None) -> Answer:
        """Start a campaign: every row is checked, then the mails leave.

        Asking again while it is planned or running changes nothing. Checks that fail are a 409
        that names them in `checks`. With `accept_warnings`, every warning must be in it.
        """
        by, accepted = caller(table.router).subject, body.accept_warnings if body else None
        found = desk.start(campaign_id, by=by, accepted=accepted)
        logger.info("campaign_started", campaign_id=campaign_id, by=by)
        return showing.one(found, 202)

    @table.post(f"{_PATH}/schedule", role=Role.SENDER, tag=_TAG, answers={202: VIEW})
    def schedule_campaign(campaign_id: CampaignId, body: ScheduleBody) -> Answer:
        """Start a campaign at a time, but not later than `max_late_seconds` after it."""
        by = caller(table.router).subject
        found = desk.schedule(
            campaign_id, by=by, start_at=body.start_at, late=body.max_late_seconds
        )
        logger.info("campaign_scheduled", campaign_id=campaign_id, by=by)
        return showing.one(found, 202)
