"""The base of a registered thing. A model may do without it; the kit needs only what a register declares."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager, ScopedQuerySet
from haitang.geo.fields import GeometryField, GeometryMixin, GeometryVerbs
from haitang.geo.names import localised

# A code stands in addresses and on paper, so it has no blank and no slash.
CODE = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", _("Use letters, digits, dot, dash and underscore; begin with a letter or digit.")
)


class RecordQuerySet(GeometryVerbs, ScopedQuerySet):
    """Records, with scope and spatial verbs."""

    def current(self) -> Any:
        """Records that have not been archived."""
        return self.filter(archived_at__isnull=True)


class RecordManager(ScopedManager.from_queryset(RecordQuerySet)):  # type: ignore[misc]
    """The manager of records."""


class Record(GeometryMixin):
    """A thing with a code, a name, a place, an owner that answers for it, and perhaps a position."""

    code = models.CharField(_("code"), max_length=40, unique=True, validators=[CODE])
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    geometry = GeometryField(_("position"), kinds=("Point",), null=True, blank=True)
    place = models.ForeignKey(
        "geo.Place", models.PROTECT, related_name="+", verbose_name=pgettext_lazy("register", "place")
    )
    owner = models.ForeignKey("accounts.Organisation", models.PROTECT, related_name="+", verbose_name=_("owner"))
    note = models.CharField(pgettext_lazy("register", "note"), max_length=300, blank=True)
    source = models.CharField(_("source"), max_length=300, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)

    scope = Scope(place="place__path", organisation="owner__path")
    objects = RecordManager()

    class Meta(GeometryMixin.Meta):
        abstract = True
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    def get_absolute_url(self) -> str:
        """The page of this record in its register."""
        from haitang.registry.declare import register_of

        found = register_of(type(self))
        return reverse("registry:detail", args=[found.slug, self.code]) if found else ""
