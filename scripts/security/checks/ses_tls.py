"""SES hands a mail over by TLS or not at all: checkov's own check knows SES v1 alone."""

from __future__ import annotations

from typing import Any

from checkov.common.models.enums import CheckCategories
from checkov.terraform.checks.resource.base_resource_value_check import BaseResourceValueCheck


class SesTls(BaseResourceValueCheck):  # type: ignore[misc]  # checkov has an environment of its own
    """Ask every SES v2 configuration set for ``tls_policy = "REQUIRE"``."""

    def __init__(self) -> None:
        super().__init__(
            name="Ensure an SES v2 configuration set refuses to deliver without TLS",
            id="CKV_SENDMILL_1",
            categories=[CheckCategories.ENCRYPTION],
            supported_resources=["aws_sesv2_configuration_set"],
        )

    def get_inspected_key(self) -> str:
        """Return the path of the argument."""
        return "delivery_options/[0]/tls_policy"

    def get_expected_value(self) -> Any:
        """Return the only value that is taken."""
        return "REQUIRE"


check = SesTls()
