"""Organisations and people."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import PRIVILEGED, Role
from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.names import localised


class OrganisationKind(models.TextChoices):
    """What an organisation is in the district's structure."""

    GOVERNMENT = "government", _("Government")
    COMMAND = "command", _("Command centre")
    DEPARTMENT = "department", _("Department")
    TOWNSHIP = "township", _("Township")
    VILLAGE = "village", _("Village or neighbourhood committee")
    ENTERPRISE = "enterprise", _("Enterprise")
    SOCIAL = "social", _("Social force")
    PLATFORM = "platform", _("Other platform")


class Organisation(models.Model):
    """A body that answers for something 责任单位. `path` is the chain of codes from the root, "A/B/"."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=120)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    kind = models.CharField(_("kind"), max_length=12, choices=OrganisationKind)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    path = models.CharField(_("path"), max_length=240, unique=True, editable=False)
    place = models.ForeignKey("geo.Place", models.PROTECT, null=True, blank=True, related_name="organisations")
    duties = models.TextField(_("duties"), blank=True)
    phone = models.CharField(_("duty telephone"), max_length=30, blank=True)
    source = models.CharField(_("source"), max_length=200, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    scope = Scope(place="place__path", organisation="path", signed_in=True)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ("path",)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    def save(self, *args: object, **kwargs: object) -> None:
        """Keep the path true to the parent."""
        self.path = f"{self.parent.path if self.parent else ''}{self.code}/"
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class User(AbstractUser):
    """A person who signs in. First and last name are one field here, as Chinese names are."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    name_zh = models.CharField(_("name (Chinese)"), max_length=60)
    name_en = models.CharField(_("name (English)"), max_length=60, blank=True)
    role = models.CharField(_("role"), max_length=14, choices=Role, default=Role.RESIDENT)
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="people")
    post = models.CharField(_("post"), max_length=60, blank=True)
    # The order in which an organisation's people are called: 1 the responsible person, 2 the deputy ...
    rank = models.PositiveSmallIntegerField(_("call order"), default=1)
    phone = models.CharField(_("mobile telephone"), max_length=30, blank=True)
    wecom_id = models.CharField(_("WeCom account"), max_length=60, blank=True)
    is_demo = models.BooleanField(_("demonstration account"), default=False)

    scope = Scope(place="organisation__place__path", organisation="organisation__path", person="pk")
    objects = ScopedManager.for_users()

    REQUIRED_FIELDS = ["email", "name_zh"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("organisation__path", "rank", "username")

    def __str__(self) -> str:
        return self.name or self.username

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    def get_full_name(self) -> str:
        """The name in the reader's language."""
        return self.name

    def get_short_name(self) -> str:
        """The name in the reader's language."""
        return self.name

    @property
    def is_privileged(self) -> bool:
        """Whether this person must use a second factor."""
        return self.role in PRIVILEGED or self.is_superuser


class ApiToken(models.Model):
    """A machine's key. Only its SHA-256 is kept. The token decides the space: an exercise's token cannot write live."""

    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    space = models.ForeignKey("spaces.Space", models.CASCADE, related_name="tokens")
    # What the machine may do: names of rights, for example "readings:write", "cap:write", "read".
    rights = models.JSONField(_("rights"), default=list)
    prefix = models.CharField(_("series prefix"), max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    scope = Scope(roles=(Role.ADMIN,))
    objects = ScopedManager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")

    def __str__(self) -> str:
        return self.name


class PersonalRead(models.Model):
    """A reading of personal data: who looked at what, why. Reading leaves no other trace."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    reader = models.ForeignKey(User, models.PROTECT, related_name="+")
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    count = models.PositiveIntegerField(default=1)
    purpose = models.CharField(max_length=120, blank=True)

    scope = Scope(roles=(Role.ADMIN,))
    objects = ScopedManager()

    class Meta:
        verbose_name = _("reading of personal data")
        verbose_name_plural = _("readings of personal data")
