"""E-mail, over SMTP."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import pgettext_lazy

from haitang.config.env import env
from haitang.delivery import transport
from haitang.delivery.channel import Accepted, Channel, Letter, Undeliverable, add_channel
from haitang.delivery.gateways import Gateway, absolute, smtp
from haitang.delivery.permit import Permit
from haitang.delivery.recipients import Recipient


@add_channel
class Email(Channel):
    """E-mail."""

    name: ClassVar = "email"
    label: ClassVar = pgettext_lazy("channel", "E-mail")
    icon: ClassVar = "mail"
    personal: ClassVar = True
    missing: ClassVar = "no_email"
    rate_per_s: ClassVar = 20.0

    def address(self, recipient: Recipient) -> str:
        """The mailbox."""
        return recipient.email

    def gateway(self, letter: Letter) -> Gateway:
        """The mail server the operator set, else the local sink."""
        return smtp()

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Hand it to the mail server. The message id stays the same across attempts: what came twice shows as one."""
        message = written(letter)
        transport.mail(permit, self.gateway(letter).url, message)
        return Accepted(ref=str(message["Message-ID"]))


def written(letter: Letter) -> EmailMessage:
    """The mail. A line break in a name or title cannot start another header: they are made one line."""
    sender = str(env("HAITANG_MAIL_FROM"))
    try:
        validate_email(letter.to)
        message = EmailMessage()
        message["From"], message["To"] = sender, letter.to
    except (ValidationError, ValueError, IndexError) as error:
        raise Undeliverable("mailbox_unknown: not an e-mail address") from error
    message["Subject"] = " ".join(letter.title.split())
    message["Message-ID"] = f"<{letter.key}@{(parseaddr(sender)[1].partition('@')[2] or 'localhost')}>"
    message["Date"] = format_datetime(timezone.localtime())
    message["Content-Language"] = "zh-Hans" if letter.language.startswith("zh") else "en"
    message["Auto-Submitted"] = "auto-generated"
    url = absolute(letter.url)
    message.set_content("\n\n".join(part for part in (letter.title, letter.text, url) if part))
    return message
