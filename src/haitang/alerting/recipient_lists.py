"""Lists of people who are at risk in the same way: in basements, at sea, at chemical sites. Kept as registers, not in code.

A list says for which hazards and from which colour on it is told; its members stand at a position or in a place. What is
read for a warning: members inside the warned area, each once.
"""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import Role
from haitang.accounts.scope import Scope
from haitang.alerting.models import ColourChoice
from haitang.geo.fields import GeometryField, GeometryMixin
from haitang.geo.names import localised
from haitang.registry.records import RecordManager

CODE = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", _("Use letters, digits, dot, dash and underscore; begin with a letter or digit.")
)


class RecipientList(models.Model):
    """One kind of exposure, industry or role, and when its people are told."""

    code = models.CharField(_("code"), max_length=40, unique=True, validators=[CODE])
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    # Blank: every hazard. Words of EventKind.hazard, separated by blanks.
    hazards = models.CharField(_("told of the hazards"), max_length=300, blank=True)
    least = models.CharField(_("told from the colour"), max_length=8, choices=ColourChoice, default=ColourChoice.YELLOW)
    # Members of the public, or persons with a duty there: the first are never told in an exercise, and come later.
    is_public = models.BooleanField(_("members of the public"), default=True)
    wave = models.PositiveSmallIntegerField(_("wave"), default=1)
    is_active = models.BooleanField(pgettext_lazy("recipient list", "in use"), default=True)
    note = models.CharField(pgettext_lazy("recipient list", "note"), max_length=300, blank=True)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)

    scope = Scope(roles=(Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER))
    objects = RecordManager()

    class Meta:
        verbose_name = _("recipient list")
        verbose_name_plural = _("recipient lists")
        ordering = ("wave", "code")

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)


class Exposed(GeometryMixin):
    """Somebody on a list: where he is, and how to reach him. Personal data."""

    code = models.CharField(_("code"), max_length=40, unique=True, validators=[CODE])
    list = models.ForeignKey(RecipientList, models.CASCADE, related_name="members", verbose_name=_("recipient list"))
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    place = models.ForeignKey(
        "geo.Place", models.PROTECT, related_name="+", verbose_name=pgettext_lazy("register", "place")
    )
    geometry = GeometryField(_("position"), kinds=("Point",), null=True, blank=True)
    owner = models.ForeignKey(
        "accounts.Organisation", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    phone = models.CharField(_("mobile telephone"), max_length=30, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)

    scope = Scope(place="place__path", organisation="owner__path")
    objects = RecordManager()

    class Meta(GeometryMixin.Meta):
        verbose_name = _("person at risk")
        verbose_name_plural = _("people at risk")
        ordering = ("code",)
        indexes = (models.Index(fields=["west", "south", "east", "north"], name="alerting_exposed_box"),)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)
