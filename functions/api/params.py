"""Name the parameters that routes share, with what they may be."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from sendmill.campaign import Status
from sendmill.ledger import State

_ID = r"^[A-Za-z0-9_-]{1,64}$"
MAX_PAGE = 1000

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How long the page may be.")]
Cursor = Annotated[
    str, Query(max_length=2000, description="Where the page begins: `cursor` of the one before.")
]
CampaignId = Annotated[str, Path(pattern=_ID, description="Id of a campaign.")]
ListId = Annotated[str, Path(pattern=_ID, description="Id of a contact list.")]
AddressHash = Annotated[str, Path(pattern=r"^[a-z2-7]{26}$", description="Hash of an address.")]
Name = Annotated[str, Query(max_length=200, description="What it is to be called.")]
Reason = Annotated[
    str, Query(max_length=300, description="Only those with this in their reason, or as news.")
]
QueueName = Annotated[
    str, Query(pattern=r"^[a-z0-9_-]{1,40}$", description="Name of a queue; `email` by default.")
]
Search = Annotated[str, Query(max_length=254, description="Part of an address.")]
StateName = Annotated[
    str,
    Query(pattern=f"^({'|'.join(State)})?$", description="Only recipients in this state."),
]
StatusName = Annotated[
    str,
    Query(pattern=f"^({'|'.join(Status)})?$", description="Only campaigns that are doing this."),
]
