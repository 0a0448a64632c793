"""Put every topic's routes into one table; how to add one is told in :mod:`table`.

The table is the same as terraform/modules/api/routes.json; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable

from campaign_routes import add_campaign_routes
from console_routes import add_console_routes
from contact_routes import add_contact_routes
from docs_routes import add_docs_routes
from import_routes import add_import_routes
from list_routes import add_list_routes
from operator_routes import add_operator_routes
from sendmill.contact_book import ContactBook
from sendmill.dead_letters import DeadLetterQueue
from sendmill.erasure import Eraser
from sendmill.importing import ImportDesk
from sendmill.lifecycle import Office
from sendmill.store import AccountStore, CampaignStore, ListStore
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
    letters: DeadLetterQueue,
    accounts: AccountStore,
    imports: ImportDesk,
    book: ContactBook,
    eraser: Eraser,
    templates: TemplateDesk,
    region: str,
    environment: str = "",
    sign_in: str = "",
    upload_url: Callable[[], str] = str,
) -> RouteTable:
    """Return the routes, bound to the domain."""
    table = RouteTable()
    add_docs_routes(table)
    add_list_routes(table, office, lists)
    add_import_routes(table, imports)
    add_contact_routes(table, book, eraser)
    add_template_routes(table, templates, book)
    add_campaign_routes(table, office, campaigns)
    add_suppression_routes(table, suppressions)
    add_unsubscribe_routes(table, unsubscriber)
    add_operator_routes(table, letters=letters, accounts=accounts, region=region)
    add_console_routes(table, environment=environment, sign_in=sign_in, upload_url=upload_url)
    return table
