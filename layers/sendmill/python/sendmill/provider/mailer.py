"""Choose the provider that a campaign's config names, and keep it between invocations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from sendmill.campaign import Config, Service
from sendmill.errors import InvalidSettings, SecretRefused, SecretUnavailable
from sendmill.mail import Mail
from sendmill.outcome import Fate, Outcome
from sendmill.provider.ses import SesProvider
from sendmill.provider.smtp import SmtpProvider
from sendmill.secret import SecretStore, SmtpServer


class Provider(Protocol):
    """Take mails, one recipient each."""

    def send_all(self, mails: Sequence[Mail]) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order."""


class ProviderMailer:
    """Send through SES in the campaign's region, or through the SMTP server of its secret."""

    def __init__(
        self,
        *,
        ses: Callable[[str], SesProvider],
        secrets: SecretStore,
        default_secret_name: str = "",
        home: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_ses = ses
        self._home = home
        self._monotonic = monotonic
        self._secrets = secrets
        self._default_secret_name = default_secret_name
        self._ses: dict[str, SesProvider] = {}

    def send(
        self, config: Config, mails: Sequence[Mail], *, within: float = math.inf
    ) -> Sequence[Outcome]:
        """Return the outcome of each mail, in their order.

        A call of SES is short. Over SMTP, what cannot be over ``within`` so many seconds is not
        begun.
        """
        if config.email_service is Service.SES:
            return self._ses_in(config.aws_region or self._home).send_all(mails)
        return self._send_smtp(config, mails, until=self._monotonic() + within)

    def prepare(self) -> ProviderMailer:
        """Make ready what most mails need, while a start costs nobody time; return itself."""
        self._ses_in(self._home)
        return self

    def _ses_in(self, region: str) -> SesProvider:
        if region not in self._ses:
            self._ses[region] = self._make_ses(region)
        return self._ses[region]

    def _send_smtp(
        self, config: Config, mails: Sequence[Mail], *, until: float
    ) -> Sequence[Outcome]:
        name = config.aws_secret_name or self._default_secret_name
        try:
            server = self._secrets.smtp_server(name)
        except (SecretRefused, InvalidSettings) as error:
            stop = Outcome(fate=Fate.STOP, reason="secret_invalid", detail=str(error))
            return [stop] * len(mails)
        except SecretUnavailable as error:
            later = Outcome(
                fate=Fate.LATER, reason="secret_unavailable", detail=str(error), unasked=True
            )
            return [later] * len(mails)
        outcomes = self._post(server, mails, until)
        if any(_refused(outcome) for outcome in outcomes):
            return self._send_anew(name, server, mails, outcomes, until=until)
        return outcomes

    def _post(self, server: SmtpServer, mails: Sequence[Mail], until: float) -> Sequence[Outcome]:
        return SmtpProvider(server).send_all(mails, within=until - self._monotonic())

    def _send_anew(
        self,
        name: str,
        server: SmtpServer,
        mails: Sequence[Mail],
        outcomes: Sequence[Outcome],
        *,
        until: float,
    ) -> Sequence[Outcome]:
        """Sign in with what the secret holds now, if its password was rotated since it was read.

        Only mails of which the server has not heard are sent again: nobody signed in for them.
        """
        self._secrets.forget(name)
        try:
            fresh = self._secrets.smtp_server(name)
        except (SecretUnavailable, InvalidSettings):
            return outcomes
        if fresh == server:
            # the next batch asks again
            self._secrets.forget(name)
            return outcomes
        left = [mail for mail, outcome in zip(mails, outcomes, strict=True) if _refused(outcome)]
        again = iter(self._post(fresh, left, until))
        return [next(again) if _refused(outcome) else outcome for outcome in outcomes]


def _refused(outcome: Outcome) -> bool:
    return outcome.reason == "credentials_rejected"
