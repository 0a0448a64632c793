"""Map the routes of campaigns: make one, look at it, and steer it once it was started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bodies import CampaignBody, ResolveBody, RetryBody
from params import CampaignId, Cursor, Limit, Reason, Search, StateName, StatusName
from request import Answer, caller, csv_answer, json_answer
from sendmill.advice import failures
from sendmill.campaign import Campaign, Status
from sendmill.drafts import Desk, approval_digest
from sendmill.ledger import News, State
from sendmill.lifecycle import Office
from sendmill.observe import logger
from sendmill.progress import Progress
from sendmill.rate import Account
from sendmill.roles import Role
from sendmill.store import CampaignStore, RecipientSearch, TimelineStore
from sendmill.store.look import Wanted
from sendmill.timeline import Point, curve, eta_of, point_of, rate_of, thinned
from table import RouteTable
from views import campaign_view, page_view, recipients_csv, row_view

VIEW = "shapes:CampaignView"
_TAG = "campaigns"
_PATH = "/v1/campaigns/<campaign_id>"
# An answer of a function holds 6 MB.
_EXPORT_BYTES = 4_000_000
_EXPORT_PAGES = 8
# Pages of the list that one answer looks through for campaigns of one status.
_STATUS_PAGES = 10
# A point is noted while somebody looks, but not for every look.
_NOTE_SECONDS = 10
_OVER = (Status.COMPLETE, Status.COMPLETE_WITH_UNKNOWN, Status.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Showing:
    """Hold what it takes to show a campaign."""

    office: Office
    desk: Desk
    timeline: TimelineStore
    account: Callable[[str], Account]

    def view(self, campaign: Campaign) -> dict[str, object]:
        """Return a campaign as lists and verbs show it."""
        return self.view_at(campaign, self.office.progress(campaign))

    def view_at(self, campaign: Campaign, progress: Progress) -> dict[str, object]:
        """Return a campaign with this progress."""
        valid = bool(campaign.approved_digest) and (
            campaign.approved_digest == approval_digest(campaign)
        )
        needed = self.desk.needs_approval(campaign)
        return campaign_view(campaign, progress, needs_approval=needed, approved=valid)

    def one(self, campaign: Campaign, status: int) -> Answer:
        """Return the answer that shows a campaign."""
        return json_answer(status, self.view(campaign))

    def whole(self, campaign: Campaign) -> Answer:
        """Return the answer that shows a campaign with its body, and how fast it goes."""
        progress, now = self.office.progress(campaign), self.office.clock()
        points = self.timeline.points(campaign.id)
        live = point_of(progress.states, now)
        if campaign.status is Status.RUNNING and (
            not points or now - points[-1].at >= _NOTE_SECONDS
        ):
            self.timeline.note(campaign.id, live)
        sending = campaign.status is Status.RUNNING and progress.open() > 0
        rate = rate_of([*points, live]) if sending else 0.0
        account = self.account(campaign.content.config.aws_region)
        left = account.left_today()
        return json_answer(
            200,
            {
                **self.view_at(campaign, progress),
                "body": campaign.content.body,
                "text": campaign.content.text,
                "defaults": dict(campaign.content.defaults),
                "timeline": [asdict(point) for point in thinned(_curve(campaign, points, live))],
                "rate_per_second": rate,
                "eta_seconds": eta_of(progress.open(), rate) if sending else 0,
                "quota": {
                    "rate": round(account.rate(), 2),
                    "left": -1 if left == float("inf") else int(left),
                },
            },
        )


def _curve(campaign: Campaign, noted: Sequence[Point], live: Point) -> list[Point]:
    if campaign.status is Status.DRAFT:
        return []
    made, changed = campaign.created_at, campaign.changed_at
    return curve(noted, live, made_at=made, changed_at=changed, over=campaign.status in _OVER)


def add_campaign_routes(
    table: RouteTable, showing: Showing, campaigns: CampaignStore, search: RecipientSearch
) -> None:
    """Add the routes, bound to the domain."""
    _campaigns(table, showing, campaigns)
    _recipients(table, showing.office, search)
    _control(table, showing)


def _campaigns(table: RouteTable, showing: Showing, campaigns: CampaignStore) -> None:
    @table.post("/v1/campaigns", role=Role.EDITOR, tag=_TAG, answers={201: VIEW})
    def create_campaign(body: CampaignBody) -> Answer:
        """Create a campaign as a draft; nothing is sent before it is started."""
        by = caller(table.router).subject
        return showing.one(showing.office.create_campaign(body.plain(), created_by=by), 201)

    @table.get("/v1/campaigns", role=Role.VIEWER, tag=_TAG, answers={200: "shapes:CampaignPage"})
    def show_campaigns(status: StatusName = "", cursor: Cursor = "", limit: Limit = 100) -> Answer:
        """List campaigns, newest first.

        With `status` a page may be short, even empty, while its `cursor` leads on.
        """
        found, following = campaigns.list(cursor=cursor, limit=limit)
        wanted = [one for one in found if status in ("", one.status)]
        for _ in range(_STATUS_PAGES):
            if wanted or not following:
                break
            found, following = campaigns.list(cursor=following, limit=limit)
            wanted = [one for one in found if one.status == status]
        return json_answer(200, page_view([showing.view(one) for one in wanted], following))

    @table.get(_PATH, role=Role.VIEWER, tag=_TAG, answers={200: "shapes:CampaignWhole"})
    def show_campaign(campaign_id: CampaignId) -> Answer:
        """Show a campaign; `states` add up to `total`.

        `timeline` has at most 120 points; `eta_seconds` is -1 while nothing can be said.
        """
        return showing.whole(showing.office.campaign(campaign_id))


def _recipients(table: RouteTable, office: Office, search: RecipientSearch) -> None:
    @table.get(
        f"{_PATH}/recipients",
        role=Role.VIEWER,
        tag=_TAG,
        answers={200: "shapes:RecipientPage"},
    )
    def show_recipients(
        campaign_id: CampaignId,
        state: StateName = "",
        reason: Reason = "",
        query: Search = "",
        cursor: Cursor = "",
        limit: Limit = 100,
    ) -> Answer:
        """List recipients: who is in which state, and why.

        A search reads rows: a page may be short, even empty, while its `cursor` leads on.
        """
        found = office.campaign(campaign_id)
        wanted = Wanted(state=state, reason=reason, query=query)
        rows, following = search.page(found.id, wanted, cursor=cursor, limit=limit)
        return json_answer(200, page_view([row_view(row) for row in rows], following))

    @table.get(f"{_PATH}/recipients/export", role=Role.VIEWER, tag=_TAG, answers={200: "text/csv"})
    def export_recipients(
        campaign_id: CampaignId, state: StateName = "", reason: Reason = "", cursor: Cursor = ""
    ) -> Answer:
        """Download recipients; `X-Next-Cursor` says where the next part of a long list begins."""
        found = office.campaign(campaign_id)
        wanted = Wanted(state=state, reason=reason)
        text, following = recipients_csv([], heading=not cursor), cursor
        for _ in range(_EXPORT_PAGES):
            rows, following = search.page(found.id, wanted, cursor=following, limit=1000)
            text += recipients_csv(rows)
            if not following or len(text.encode()) > _EXPORT_BYTES:
                break
        return csv_answer(text, filename=f"{found.id}-recipients.csv", cursor=following)

    @table.get(
        f"{_PATH}/failures", role=Role.VIEWER, tag=_TAG, answers={200: "shapes:FailureGroups"}
    )
    def show_failures(campaign_id: CampaignId) -> Answer:
        """Group what went wrong by reason, with what to do about it.

        `complete` is false when there were more rows than could be counted in five seconds.
        """
        campaign = office.campaign(campaign_id)
        counts, complete = search.groups(campaign.id, _wrong(office.progress(campaign)))
        items = [asdict(found) for found in failures(counts)]
        return json_answer(200, {"items": items, "complete": complete})


def _wrong(progress: Progress) -> int:
    states = (State.FAILED, State.RETRY, State.UNKNOWN, State.SUPPRESSED)
    news = (News.BOUNCED, News.COMPLAINED)
    return sum(progress.states.get(one, 0) for one in states) + sum(
        progress.news.get(one, 0) for one in news
    )


def _control(table: RouteTable, showing: Showing) -> None:
    office = showing.office

    @table.post(f"{_PATH}/pause", role=Role.SENDER, tag=_TAG, answers={200: VIEW})
    def pause_campaign(campaign_id: CampaignId) -> Answer:
        """Stop sending within seconds; who waits goes on waiting."""
        return done("campaign_paused", office.pause(campaign_id), 200)

    @table.post(f"{_PATH}/resume", role=Role.SENDER, tag=_TAG, answers={202: VIEW})
    def resume_campaign(campaign_id: CampaignId) -> Answer:
        """Go on with a paused campaign."""
        return done("campaign_resumed", office.resume(campaign_id), 202)

    @table.post(f"{_PATH}/cancel", role=Role.SENDER, tag=_TAG, answers={202: VIEW})
    def cancel_campaign(campaign_id: CampaignId) -> Answer:
        """End a campaign: nobody who still waits is mailed."""
        return done("campaign_cancelled", office.cancel(campaign_id), 202)

    @table.post(f"{_PATH}/retry", role=Role.SENDER, tag=_TAG, answers={202: VIEW})
    def retry_failed(campaign_id: CampaignId, body: RetryBody | None = None) -> Answer:
        """Try failed recipients again: all, or those whose reason starts with `reason`."""
        reason = (body.reason if body else None) or ""
        return done("campaign_retried", office.retry_failed(campaign_id, reason=reason), 202)

    @table.post(f"{_PATH}/resolve", role=Role.SENDER, tag=_TAG, answers={202: VIEW})
    def resolve_unknown(campaign_id: CampaignId, body: ResolveBody) -> Answer:
        """Settle recipients whose mail may or may not have been taken."""
        return done("campaign_resolved", office.resolve_unknown(campaign_id, how=body.how), 202)

    def done(event: str, campaign: Campaign, status: int) -> Answer:
        logger.info(event, campaign_id=campaign.id, by=caller(table.router).subject)
        return showing.one(campaign, status)
