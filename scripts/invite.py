"""Invite a person to the user pool whose Terraform outputs stand on stdin, and give a role.

Cognito mails a temporary password that must be changed at the first sign-in. Only on the emulator,
which mails nobody, it is printed. A person who is there already keeps the password and gets the
role.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

ROLES = ("viewer", "editor", "sender", "admin")


def main() -> int:
    """Invite, and say so."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--email", required=True)
    parser.add_argument("--role", choices=ROLES, default="admin")
    arguments = parser.parse_args()
    outputs = json.load(sys.stdin)
    if not outputs["user_pool_id"]:
        print("invite: another issuer knows the people: give the role there", file=sys.stderr)
        return 1
    print(invite(boto3.client("cognito-idp"), outputs, arguments.email, arguments.role))
    return 0


def invite(
    cognito: CognitoIdentityProviderClient, outputs: Mapping[str, Any], email: str, role: str
) -> str:
    """Create the person unless there, add the role, and return what to say."""
    pool, emulated = outputs["user_pool_id"], "AWS_ENDPOINT_URL" in os.environ
    password = f"{secrets.token_urlsafe(18)}aA1!"
    told: dict[str, Any] = (
        {"TemporaryPassword": password, "MessageAction": "SUPPRESS"}
        if emulated
        else {"DesiredDeliveryMediums": ["EMAIL"]}
    )
    try:
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=email,
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
            **told,
        )
    except cognito.exceptions.UsernameExistsException:
        said = "was there already"
    else:
        said = f"was invited; temporary password: {password}" if emulated else "was invited by mail"
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=role)
    return f"{email} {said}; role: {role}"


if __name__ == "__main__":
    sys.exit(main())
