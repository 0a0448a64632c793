"""Keep who is signed in where: one profile for each environment, in a file of the user's alone.

The environment comes before the file: ``SENDMILL_API_URL`` with ``SENDMILL_TOKEN``, or with
``SENDMILL_CLIENT_ID``, ``SENDMILL_CLIENT_SECRET`` and ``SENDMILL_TOKEN_ENDPOINT``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sendmill.cli import signin
from sendmill.cli.failure import NotPermitted, WrongUse
from sendmill.cli.http import Api

# A token that ends sooner than this is renewed first, in seconds.
_SPARE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Hold an environment's address and who is signed in there."""

    api_url: str = ""
    access_token: str = ""
    refresh_token: str = ""
    expires_at: float = 0
    token_endpoint: str = ""
    client_id: str = ""
    scope: str = ""


class Session:
    """Find and renew tokens."""

    def __init__(
        self, *, profile: str = "", api_url: str = "", environ: Mapping[str, str] = os.environ
    ) -> None:
        self._environ = environ
        self.name = profile or environ.get("SENDMILL_PROFILE", "") or "default"
        self._file = _folder(environ) / "credentials.json"
        self.profile = self._load(self.name)
        self.api_url = api_url or environ.get("SENDMILL_API_URL", "") or self.profile.api_url

    def api(self) -> Api:
        """Return the API of this environment; raises WrongUse when none is known."""
        if not self.api_url:
            raise WrongUse(
                "no environment is known: sendmill login --api-url https://..., or set "
                "SENDMILL_API_URL"
            )
        return Api(self.api_url, self.token)

    def token(self, anew: bool = False) -> str:
        """Return an access token; raises NotPermitted."""
        given = self._environ.get("SENDMILL_TOKEN", "")
        if given:
            if anew:
                raise NotPermitted("SENDMILL_TOKEN is not accepted: it is over, or of elsewhere")
            return given
        found = self.profile
        if anew or not found.access_token or found.expires_at < time.time() + _SPARE_SECONDS:
            self.keep(**self._renewed())
        return self.profile.access_token

    def keep(self, **changes: Any) -> None:
        """Change the profile, and its file, which only its owner reads."""
        self.profile = replace(self.profile, **changes)
        kept = self._all()
        kept[self.name] = asdict(self.profile)
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._file.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(kept, out, indent=1)
        beside.replace(self._file)

    def forget(self) -> bool:
        """Sign out; say whether somebody was signed in."""
        kept = self._all()
        if kept.pop(self.name, None) is None:
            return False
        self._file.write_text(json.dumps(kept, indent=1))
        return True

    def _renewed(self) -> dict[str, Any]:
        environ, found = self._environ, self.profile
        if secret := environ.get("SENDMILL_CLIENT_SECRET", ""):
            return signin.as_program(
                environ.get("SENDMILL_TOKEN_ENDPOINT", "") or found.token_endpoint,
                client_id=environ.get("SENDMILL_CLIENT_ID", "") or found.client_id,
                secret=secret,
                scope=environ.get("SENDMILL_SCOPE", "") or found.scope,
            )
        if found.refresh_token:
            return signin.renewed(
                found.token_endpoint, client_id=found.client_id, refresh_token=found.refresh_token
            )
        raise NotPermitted("nobody is signed in: sendmill login")

    def _load(self, name: str) -> Profile:
        known = {field.name for field in fields(Profile)}
        found = self._all().get(name, {})
        return Profile(**{key: value for key, value in found.items() if key in known})

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise WrongUse(f"{self._file} is damaged: remove it and sign in again") from error
        return dict(found)


def _folder(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CONFIG_HOME", "") or str(Path.home() / ".config")
    return Path(home) / "sendmill"
