"""Hand mails to SES or to an SMTP server, each exactly once.

A provider never raises for a mail: whatever happens is an outcome (:mod:`sendmill.outcome`).
"""

from sendmill.provider.mailer import ProviderMailer
from sendmill.provider.ses import SesProvider
from sendmill.provider.smtp import SmtpProvider

__all__ = ["ProviderMailer", "SesProvider", "SmtpProvider"]
