"""One outbox for whatever must reach people: messages, channels, receipts."""

from django.apps import AppConfig
from django.utils.translation import pgettext_lazy


class DeliveryApp(AppConfig):
    """The delivery slice."""

    name = "haitang.delivery"
    verbose_name = pgettext_lazy("delivery", "Messages")
