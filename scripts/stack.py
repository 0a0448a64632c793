"""Reach a deployed environment from outside, as its users do: HTTP, SQS, and the mailbox.

Used by the demo, the load run and the integration tests. Nothing here knows the product's code.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parent.parent
DEMO_USER = "demo@example.com"


class ApiError(Exception):
    """An answer of the API that is not 2xx; ``problem`` is its body."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status}: {problem.get('detail') or problem}")
        self.status = status
        self.problem = problem


def local_environment(port: int) -> dict[str, str]:
    """Return the variables that send every AWS client to the emulator, and nowhere else."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-gov-west-1",
        "AWS_DEFAULT_REGION": "us-gov-west-1",
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@dataclass
class Stack:
    """Hold the outputs of one environment on the emulator, and a token for its API."""

    outputs: Mapping[str, Any]
    port: int
    token: str = ""
    user: str = ""
    id_token: str = ""
    _clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def local(cls, port: int | None = None) -> Stack:
        """Return the environment ``local`` as Terraform knows it."""
        at = port or int(os.environ.get("EMULATOR_PORT", "4566"))
        found = subprocess.run(
            [ROOT / "scripts/terraform.sh", "output"],
            env={**os.environ, "ENV": "local", "EMULATOR_PORT": str(at)},
            check=True,
            stdout=subprocess.PIPE,
        )
        return cls(outputs=json.loads(found.stdout), port=at)

    def client(self, service: str) -> Any:
        """Return a boto3 client that talks to the emulator."""
        if service not in self._clients:
            local = local_environment(self.port)
            make: Any = boto3.client
            self._clients[service] = make(
                service,
                endpoint_url=local["AWS_ENDPOINT_URL"],
                region_name=local["AWS_REGION"],
                aws_access_key_id=local["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=local["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def sign_in(self, user: str = DEMO_USER, *, role: str = "admin") -> str:
        """Create the user with a role if need be, set a fresh password, and keep the token."""
        cognito = self.client("cognito-idp")
        pool = self.outputs["user_pool_id"]
        password = f"{secrets.token_urlsafe(18)}aA1!"
        with contextlib.suppress(cognito.exceptions.UsernameExistsException):
            cognito.admin_create_user(
                UserPoolId=pool,
                Username=user,
                MessageAction="SUPPRESS",
                TemporaryPassword=password,
            )
        cognito.admin_set_user_password(
            UserPoolId=pool, Username=user, Password=password, Permanent=True
        )
        if role:
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=user, GroupName=role)
        answer = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=self.outputs["user_pool_client_id"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user, "PASSWORD": password},
        )
        found = answer["AuthenticationResult"]
        self.token, self.user, self.id_token = found["AccessToken"], user, found["IdToken"]
        return self.token

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        token: str | None = None,
        timeout: float = 60,
    ) -> Any:
        """Return the JSON (or text) that a route answers; raises ApiError.

        Our own token is renewed when it has expired, which it does within a quarter of an hour.
        """
        try:
            return self._request(method, path, body, content_type, token, timeout)
        except ApiError as error:
            if error.status != 401 or token is not None or not self.user:
                raise
            self.sign_in(self.user)
            return self._request(method, path, body, content_type, token, timeout)

    def _request(
        self,
        method: str,
        path: str,
        body: object,
        content_type: str,
        token: str | None,
        timeout: float,
    ) -> Any:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        found = self.token if token is None else token
        request = urllib.request.Request(  # noqa: S310  loopback, made from Terraform's output
            self.outputs["api_url"].rstrip("/") + path,
            data=data,
            method=method,
            headers={
                "Content-Type": content_type,
                **({"Authorization": f"Bearer {found}"} if found else {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                return _parsed(answer.headers.get_content_type(), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                problem = _parsed(error.headers.get_content_type(), error.read())
            raise ApiError(
                error.code, problem if isinstance(problem, dict) else {"detail": problem}
            ) from error

    def pages(self, path: str) -> list[dict[str, Any]]:
        """Return every item of a paged route."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            joint = "&" if "?" in path else "?"
            page = self.request("GET", f"{path}{joint}limit=1000&cursor={cursor}")
            items += page["items"]
            cursor = page["cursor"]
            if not cursor:
                return items

    @property
    def mailbox_url(self) -> str:
        """Return where the stand-in for SES shows what it delivered."""
        port = os.environ.get("EMULATOR_SES_PORT", str(self.port + 1))
        return f"http://127.0.0.1:{port}/_standin"

    def mailbox(self, method: str, path: str, body: object = None) -> Any:
        """Return what the control interface of the stand-in for SES answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  loopback
            self.mailbox_url + path, data=data, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return _parsed(answer.headers.get_content_type(), answer.read())

    def delivered(self, **match: str) -> list[dict[str, Any]]:
        """Return the delivered mails that match: ``to=...`` or ``campaign_id=...``."""
        query = {
            f"tag.{name}" if name.endswith("_id") else name: value for name, value in match.items()
        }
        found = self.mailbox("GET", f"/messages?{urllib.parse.urlencode(query)}")
        return list(found["messages"] if isinstance(found, dict) else found)


def _parsed(content_type: str, raw: bytes) -> Any:
    text = raw.decode("utf-8", "replace")
    return json.loads(text) if content_type.endswith("json") and text else text
