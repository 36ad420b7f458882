"""What must reach people: messages, their deliveries, and where people and organisations can be reached."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.models import Organisation
from haitang.accounts.roles import OFFICIALS, OPERATIONS, Role
from haitang.accounts.scope import Scope, ScopedManager
from haitang.delivery.channel import CHANNELS, Channel
from haitang.delivery.reasons import shown
from haitang.delivery.states import State
from haitang.geo.models import Place
from haitang.geo.names import localised
from haitang.spaces.models import Space

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from haitang.accounts.models import User

INAPP = "inapp"


def new_key() -> str:
    """A fresh idempotency key: what a gateway knows a delivery by, across every retry."""
    return uuid.uuid4().hex


class MessageScope(Scope):
    """A message is seen by whoever sees one of its deliveries, and by its sender's organisation."""

    def condition(self, user: User | AnonymousUser) -> Q:
        """The messages this user sees."""
        own = super().condition(user)
        if not user.is_authenticated or not user.is_active:
            return own
        return own | Q(pk__in=Delivery.objects.visible_to(user).order_by().values("message"))


class Message(models.Model):
    """One thing said to some people, on some channels. Its rows and the change it tells of are one transaction."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="messages")
    # What makes sending it again do nothing: one key, one message in a space.
    key = models.CharField(max_length=200)
    title_zh = models.CharField(_("title (Chinese)"), max_length=300)
    title_en = models.CharField(_("title (English)"), max_length=300, blank=True)
    body_zh = models.TextField(_("message text (Chinese)"), blank=True)
    body_en = models.TextField(_("message text (English)"), blank=True)
    url = models.CharField(max_length=500, blank=True)
    about_type = models.CharField(max_length=60)
    about_id = models.CharField(max_length=60)
    thread = models.CharField(max_length=80, blank=True)
    colour = models.CharField(max_length=10, blank=True)
    channels = models.JSONField(_("channels"), default=list)
    in_order = models.BooleanField(_("one channel after the other"), default=False)
    # Sent in an exercise, or said to be a drill: nothing of it ever reaches a transport.
    is_drill = models.BooleanField(_("exercise"), default=False)
    recipients = models.PositiveIntegerField(_("recipients"), default=0)
    # A later wave: nothing of it is sent before.
    not_before = models.DateTimeField(_("sent from"), null=True, blank=True)
    # What is still waiting then is not sent any more: a warning that has ended is no warning.
    expires_at = models.DateTimeField(_("sent until"), null=True, blank=True)
    # What channels need beyond words: the area that a cell broadcast is for, the message it replaces.
    data = models.JSONField(default=dict, blank=True)
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    sender_name = models.CharField(pgettext_lazy("delivery", "sender"), max_length=80)
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="+")
    # The smallest place that holds all recipients.
    place = models.ForeignKey(Place, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(_("time"))

    scope = MessageScope(organisation="organisation__path", person="sender")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=("space", "key"), name="delivery_message_once"),)
        indexes = (
            models.Index(fields=("space", "-id"), name="delivery_message_list"),
            models.Index(fields=("about_type", "about_id"), name="delivery_message_about"),
            models.Index(fields=("thread",), name="delivery_message_thread"),
        )

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """The title in the reader's language."""
        return localised(self.title_zh, self.title_en)

    @property
    def said_by(self) -> str:
        """The sender in the reader's language. Costs a query where the person was not fetched."""
        return self.sender.name if self.sender is not None else self.sender_name

    @property
    def body(self) -> str:
        """The text in the reader's language."""
        return localised(self.body_zh, self.body_en)

    def get_absolute_url(self) -> str:
        """The message's page."""
        return reverse("delivery:message", args=[self.pk])


class Delivery(models.Model):
    """One message on one channel to one recipient. All times are of the message's space."""

    # Found by the constraint and by the index on state: an index of their own would only slow writing down.
    message = models.ForeignKey(Message, models.CASCADE, related_name="deliveries", db_index=False)
    space = models.ForeignKey(Space, models.PROTECT, related_name="+", db_index=False)
    # Which of the message's recipients, and which of its channels, counted from 0.
    number = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField()
    channel = models.CharField(_("channel"), max_length=20)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="deliveries",
        verbose_name=_("recipient"),
    )
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="+")
    name = models.CharField(_("recipient"), max_length=120, blank=True)
    address = models.CharField(_("address"), max_length=500, blank=True)
    # The recipient's other contact points, kept only where another channel may follow.
    contact = models.JSONField(default=dict, blank=True)
    language = models.CharField(max_length=10, default="zh-hans")
    # The recipient's own link; it may sign for him and is never shown to others.
    url = models.CharField(max_length=500, blank=True)
    # Red goes before orange and so on, officials before the public, when a gateway cannot take all at once.
    priority = models.PositiveSmallIntegerField(default=9)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    # A code of reasons.py, a gateway's own words after a colon.
    reason = models.CharField(pgettext_lazy("delivery", "reason"), max_length=300, blank=True)
    # Answered by a simulator, not by a real gateway.
    is_simulated = models.BooleanField(_("simulated"), default=False)
    key = models.CharField(max_length=32, unique=True, default=new_key, editable=False)
    gateway_ref = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # When the pump must look at it: to send, to send again, to take a simulated receipt. Empty: nothing to be done.
    next_at = models.DateTimeField(null=True, blank=True)
    # Who is sending it at the moment; next_at is then when that claim expires.
    claim = models.CharField(max_length=32, blank=True)
    # It has failed, and the journal does not tell of it yet.
    is_untold = models.BooleanField(default=False)
    created_at = models.DateTimeField(_("queued at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed at"), null=True, blank=True)

    scope = Scope(place="organisation__place__path", organisation="organisation__path", person="user")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ("message", "number", "position")
        constraints = (models.UniqueConstraint(fields=("message", "number", "channel"), name="delivery_once"),)
        indexes = (
            # The pump's one question, every 0.3 s: what is due in this space.
            models.Index(fields=("space", "next_at"), condition=Q(next_at__isnull=False), name="delivery_due"),
            # In the order in which a channel's letters go, however many wait.
            models.Index(
                fields=("space", "channel", "priority", "next_at"),
                condition=Q(next_at__isnull=False),
                name="delivery_turn",
            ),
            # The bell's: what has this person not read.
            models.Index(
                fields=("user", "space"), condition=Q(channel="inapp", read_at__isnull=True), name="delivery_unread"
            ),
            models.Index(fields=("space", "state"), name="delivery_state"),
            models.Index(fields=("space",), condition=Q(is_untold=True), name="delivery_untold"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.channel})"

    @property
    def status(self) -> State:
        """The state, with its label and colour."""
        return State(self.state)

    @property
    def why(self) -> str:
        """Why it failed or waits, in the reader's language."""
        return shown(self.reason)

    @property
    def who(self) -> str:
        """The recipient in the reader's language. Costs queries where person and organisation were not fetched."""
        if self.user is not None:
            return self.user.name or self.name
        return self.organisation.name if self.organisation and self.organisation.name_zh == self.name else self.name

    @property
    def contact_point(self) -> str:
        """The telephone number or mailbox; empty where the address is an account's name or an organisation's code."""
        return self.address if self.way is not None and self.way.personal else ""

    @property
    def way(self) -> Channel | None:
        """The channel, with its label and icon; None when it was taken out of the platform."""
        return CHANNELS.get(self.channel)


class Subscription(models.Model):
    """A browser that a person asked to be woken in (web push)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="push_subscriptions")
    endpoint = models.TextField(_("address of the browser's push service"))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    p256dh = models.CharField(max_length=120)
    auth = models.CharField(max_length=60)
    browser = models.CharField(_("browser"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)

    scope = Scope(person="user")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("browser subscription")
        verbose_name_plural = _("browser subscriptions")
        ordering = ("user", "id")

    def __str__(self) -> str:
        return self.browser or str(self.pk)


class Hook(models.Model):
    """Where an organisation's group robot (WeCom, DingTalk, Feishu) or its own system (webhook) takes messages."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="hooks", verbose_name=_("organisation"))
    channel = models.CharField(_("channel"), max_length=20)
    url = models.URLField(_("address"), max_length=500)
    # Signs what is sent there; never shown again.
    secret = models.CharField(_("signing secret"), max_length=200, blank=True)
    is_active = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    scope = Scope(roles=OPERATIONS | {Role.ADMIN})
    objects = ScopedManager()

    class Meta:
        verbose_name = _("group robot or webhook")
        verbose_name_plural = _("group robots and webhooks")
        ordering = ("organisation__path", "channel")
        constraints = (models.UniqueConstraint(fields=("organisation", "channel"), name="delivery_hook_once"),)

    def __str__(self) -> str:
        return f"{self.organisation} ({self.channel})"


class Tally(models.Model):
    """How often something happened at a channel's door that leaves no delivery behind: forged, unknown, repeated receipts."""

    channel = models.CharField(_("channel"), max_length=20)
    outcome = models.CharField(_("outcome"), max_length=20)
    count = models.PositiveBigIntegerField(_("number of receipts"), default=0)
    last_at = models.DateTimeField(_("last"), null=True, blank=True)

    scope = Scope(roles=OFFICIALS)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("receipt count")
        verbose_name_plural = _("receipt counts")
        ordering = ("channel", "outcome")
        constraints = (models.UniqueConstraint(fields=("channel", "outcome"), name="delivery_tally_once"),)

    @property
    def label(self) -> str:
        """What the outcome means, in the reader's language."""
        return str(OUTCOMES.get(self.outcome, self.outcome))


class Gate(models.Model):
    """How a gateway fares: its circuit breaker, kept so that pages in other processes can show it."""

    channel = models.CharField(_("channel"), max_length=20)
    # The address may carry a key: kept as its digest, shown as its host.
    digest = models.CharField(max_length=64, editable=False)
    host = models.CharField(_("gateway"), max_length=200)
    state = models.CharField(_("state"), max_length=10, default="closed")
    reason = models.CharField(pgettext_lazy("delivery", "reason"), max_length=300, blank=True)
    failures = models.PositiveIntegerField(_("failures"), default=0)
    changed_at = models.DateTimeField(_("since"), null=True, blank=True)
    retry_at = models.DateTimeField(_("next attempt"), null=True, blank=True)

    scope = Scope(roles=OFFICIALS)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("gateway")
        verbose_name_plural = _("gateways")
        ordering = ("channel", "host")
        constraints = (models.UniqueConstraint(fields=("channel", "digest"), name="delivery_gate_once"),)

    def __str__(self) -> str:
        return f"{self.channel} {self.host}"

    @property
    def label(self) -> str:
        """What the breaker's state means, in the reader's language."""
        return str(GATE_STATES.get(self.state, self.state))

    @property
    def colour(self) -> str:
        """What its badge wears."""
        return {"closed": "green", "half_open": "yellow"}.get(self.state, "red")

    @property
    def why(self) -> str:
        """Why it is not closed, in the reader's language."""
        return shown(self.reason)


GATE_STATES = {
    "closed": pgettext_lazy("gateway", "Takes messages"),
    "open": pgettext_lazy("gateway", "Left alone for now"),
    "half_open": pgettext_lazy("gateway", "Being tried"),
}

# What can become of a posted receipt.
OUTCOMES = {
    "taken": pgettext_lazy("receipt", "taken"),
    "repeated": pgettext_lazy("receipt", "posted again, nothing changed"),
    "unknown": pgettext_lazy("receipt", "for no delivery of ours"),
    "invalid": pgettext_lazy("receipt", "not understood"),
    "malformed": pgettext_lazy("receipt", "not JSON or too large"),
    "forged": pgettext_lazy("receipt", "without the right token, refused"),
}
