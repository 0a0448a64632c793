"""Keep campaigns, recipients and contact lists in DynamoDB and S3; nothing else calls them.

No boto3 response leaves this package: it takes and returns value objects.
"""

from sendmill.store.campaigns import CampaignStore
from sendmill.store.lists import ListStore
from sendmill.store.recipients import RecipientStore

__all__ = ["CampaignStore", "ListStore", "RecipientStore"]
