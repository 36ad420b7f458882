"""Ways in: connectors that pull from other systems, and files of history."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import Role
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.names import localised
from haitang.monitoring.connectors import mapping
from haitang.monitoring.models.network import CODE
from haitang.spaces.models import Space

KEEPERS = (Role.ADMIN, Role.DUTY_OFFICER, Role.DEPARTMENT)


class Connector(models.Model):
    """Another system whose readings are fetched. It writes into the live world."""

    class Kind(models.TextChoices):
        """What the other system speaks."""

        JSON = "json", _("JSON by HTTP")
        SENSORTHINGS = "sta", _("SensorThings")

    code = models.CharField(_("code"), max_length=40, unique=True, validators=[CODE])
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind, default=Kind.JSON)
    url = models.CharField(
        _("address"), max_length=500,
        validators=[RegexValidator(r"^https?://[^\s/@]+(/\S*)?$", _("Write http://host/path or https://host/path."))],
    )  # fmt: skip
    header = models.CharField(
        _("header that signs us in"), max_length=60, blank=True, default="Authorization",
        validators=[RegexValidator(r"^[A-Za-z0-9-]*$", _("A header has letters, digits and dashes."))],
    )  # fmt: skip
    secret = models.CharField(
        _("its value"), max_length=500, blank=True,
        validators=[RegexValidator(r"^[\x20-\x7e]*$", _("A header's value has no line breaks."))],
    )  # fmt: skip
    interval_s = models.PositiveIntegerField(
        _("interval (s)"), default=300, validators=[MinValueValidator(10), MaxValueValidator(7 * 86400)]
    )
    rows_path = models.CharField(_("path of the rows"), max_length=200, blank=True)
    time_path = models.CharField(_("path of the time"), max_length=200, blank=True)
    utc_offset = models.CharField(_("offset of times without one"), max_length=6, default="+08:00")
    mapping = models.TextField(_("mapping"), max_length=20_000)
    prefix = models.CharField(_("only series whose codes begin with"), max_length=60, blank=True)
    operator = models.ForeignKey(
        "accounts.Organisation", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("operator")
    )
    is_active = models.BooleanField(_("in use"), default=True)

    next_at = models.DateTimeField(db_index=True)
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(null=True)
    last_good_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    taken = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    # SensorThings: the time of the newest observation of each Datastream.
    cursor = models.JSONField(default=dict)

    scope = Scope(roles=KEEPERS)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("connector")
        verbose_name_plural = _("connectors")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    @property
    def standing(self) -> tuple[str, str]:
        """Colour and word for how it is."""
        if not self.is_active:
            return "grey", str(_("Off"))
        if self.failures:
            return "red", str(_("Failing"))
        if self.last_at is None:
            return "grey", str(_("Not tried yet"))
        return ("yellow", str(_("Some refused"))) if self.last_error else ("green", str(_("Working")))

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("monitoring:connector", args=[self.pk])

    def clean(self) -> None:
        """The mapping must say something, and times must have a zone."""
        for field, read, text in (
            ("mapping", mapping.read_rules, self.mapping), ("utc_offset", mapping.offset, self.utc_offset),
        ):  # fmt: skip
            try:
                read(text)  # type: ignore[operator]
            except mapping.MappingError as error:
                raise ValidationError({field: str(error)}) from error
        if self.kind == self.Kind.JSON and not self.time_path:
            raise ValidationError(
                {"time_path": _("Say where the time of a row stands; /path is one time for all rows.")}
            )


class Backfill(models.Model):
    """A file of readings that somebody brought, and how far it has been taken in."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", pgettext_lazy("back-fill", "Waiting")
        RUNNING = "running", pgettext_lazy("back-fill", "Running")
        DONE = "done", pgettext_lazy("back-fill", "Done")
        FAILED = "failed", pgettext_lazy("back-fill", "Failed")

        @property
        def colour(self) -> str:
            """What the page's badge wears."""
            return {"waiting": "grey", "running": "blue", "done": "green", "failed": "red"}[self.value]

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    user = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=120)
    size = models.BigIntegerField()
    path = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    at_byte = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    refused = models.JSONField(default=dict)
    rejections = models.JSONField(default=list)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    beat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    scope = Scope(roles=KEEPERS)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("back-fill")
        verbose_name_plural = _("back-fills")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.name

    @property
    def percent(self) -> int:
        """How much of the file has been read."""
        return 100 if self.state == self.State.DONE else min(99, 100 * self.at_byte // max(1, self.size))

    @property
    def refused_total(self) -> int:
        """Rows that were not taken."""
        return sum(self.refused.values())

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("monitoring:backfill_run", args=[self.pk])
