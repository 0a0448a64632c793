"""Put every topic's routes into one table; how to add one is told in :mod:`table`.

The table is the same as terraform/modules/api/routes.json; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from campaign_routes import Showing, add_campaign_routes
from console_routes import add_console_routes
from contact_routes import add_contact_routes
from docs_routes import add_docs_routes
from draft_routes import add_draft_routes
from import_routes import add_import_routes
from list_routes import add_list_routes
from operator_routes import add_operator_routes
from sendmill.backlog import WorkQueues
from sendmill.contact_book import ContactBook
from sendmill.drafts import Desk
from sendmill.erasure import Eraser
from sendmill.importing import ImportDesk
from sendmill.lifecycle import Office
from sendmill.preflight import Identity
from sendmill.rate import Account
from sendmill.store import CampaignStore, ListStore, RecipientSearch, TimelineStore
from sendmill.stored_template import TemplateDesk
from sendmill.suppression import SuppressionList
from sendmill.unsubscribe import Unsubscriber
from suppression_routes import add_suppression_routes
from table import RouteTable
from template_routes import add_template_routes
from unsubscribe_routes import add_unsubscribe_routes


def build_routes(
    office: Office,
    *,
    lists: ListStore,
    campaigns: CampaignStore,
    suppressions: SuppressionList,
    unsubscriber: Unsubscriber,
    desk: Desk,
    search: RecipientSearch,
    timeline: TimelineStore,
    queues: WorkQueues,
    account: Callable[[str], Account],
    identities: Callable[[], Sequence[Identity]],
    imports: ImportDesk,
    book: ContactBook,
    eraser: Eraser,
    templates: TemplateDesk,
    region: str,
    environment: str = "",
    sign_in: str = "",
    upload_url: Callable[[], str] = str,
    recent_tasks: Callable[[], Sequence[dict[str, Any]]] = tuple,
) -> RouteTable:
    """Return the routes, bound to the domain."""
    table = RouteTable()
    add_docs_routes(table)
    add_list_routes(table, office, lists)
    add_import_routes(table, imports)
    add_contact_routes(table, book, eraser)
    add_template_routes(table, templates, book)
    showing = Showing(office=office, desk=desk, timeline=timeline, account=account)
    add_campaign_routes(table, showing, campaigns, search)
    add_draft_routes(table, desk, showing)
    add_suppression_routes(table, suppressions)
    add_unsubscribe_routes(table, unsubscriber)
    add_operator_routes(
        table,
        queues=queues,
        campaigns=campaigns,
        account=account,
        identities=identities,
        recent_tasks=recent_tasks,
        region=region,
    )
    add_console_routes(table, environment=environment, sign_in=sign_in, upload_url=upload_url)
    return table
