"""Call AWS with little CPU: signed HTTP/1.1 requests side by side over connections that are kept.

boto3 costs 0.7 ms of CPU a call, 1.2 ms among ten threads; this 0.1 ms. Only what is called for
every mail or every batch goes this way; boto3 serves everything else, and still says where a
service is and who is asking (docs/performance.md).
"""

from sendmill.wire.answer import Answer, Loss
from sendmill.wire.endpoint import Endpoint
from sendmill.wire.exchange import Wire

__all__ = ["Answer", "Endpoint", "Loss", "Wire"]
