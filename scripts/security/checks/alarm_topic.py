"""An encrypted topic under SNS's own key is one that CloudWatch and SES cannot publish to."""

from __future__ import annotations

from typing import Any

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck


class TopicKey(BaseResourceCheck):  # type: ignore[misc]  # checkov has an environment of its own
    """Ask every topic for a key of the account."""

    def __init__(self) -> None:
        super().__init__(
            name="Ensure an SNS topic has a key that other services can be let in to",
            id="CKV_SENDMILL_2",
            categories=[CheckCategories.ENCRYPTION],
            supported_resources=["aws_sns_topic"],
        )

    def scan_resource_conf(self, conf: dict[str, Any]) -> CheckResult:
        """Refuse no key, and the alias of SNS's own."""
        (key,) = conf.get("kms_master_key_id", [None])
        return CheckResult.FAILED if not key or key == "alias/aws/sns" else CheckResult.PASSED


check = TopicKey()
