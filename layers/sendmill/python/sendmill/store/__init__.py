"""Keep campaigns, recipients and contact lists in DynamoDB and S3; nothing else calls them.

No boto3 response leaves this package: it takes and returns value objects. Its modules are layers
of their own (tests/infra/test_imports.py):
item < campaign_item recipient_item kinds hot_calls < campaign_table < chunks counters watch_list <
campaigns recipients look lists templates timeline accounts answers suppressions watermarks <
archive uploads imports.
"""

from sendmill.store.accounts import AccountStore, SharedLimiter
from sendmill.store.answers import AnswerStore
from sendmill.store.archive import ContactArchive
from sendmill.store.campaigns import CampaignStore
from sendmill.store.imports import ImportBook
from sendmill.store.lists import ListStore
from sendmill.store.look import RecipientSearch
from sendmill.store.recipients import RecipientStore
from sendmill.store.suppressions import SuppressionStore
from sendmill.store.templates import TemplateStore
from sendmill.store.timeline import TimelineStore
from sendmill.store.uploads import UploadDepot
from sendmill.store.watermarks import WatermarkStore

__all__ = [
    "AccountStore",
    "AnswerStore",
    "CampaignStore",
    "ContactArchive",
    "ImportBook",
    "ListStore",
    "RecipientSearch",
    "RecipientStore",
    "SharedLimiter",
    "SuppressionStore",
    "TemplateStore",
    "TimelineStore",
    "UploadDepot",
    "WatermarkStore",
]
