"""The one form of a register. Pages, imports, bulk edits and the API all check rows with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import shapely
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, Model, Q, QuerySet
from django.utils import translation
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _
from shapely.geometry.base import BaseGeometry

from haitang.accounts.actors import System
from haitang.accounts.models import Organisation
from haitang.accounts.roles import SEES_PLACE
from haitang.accounts.scope import Scope
from haitang.geo.models import Place
from haitang.registry.declare import Register, addressable
from haitang.registry.values import code_of, is_flag
from haitang.registry.words import WordsField, split

# More cannot be chosen from a list by a person; the code is typed instead.
_LIST_MOST = 500


class PointerField(forms.ModelChoiceField):
    """What a foreign key points to, given by its code, its name, or "code name" as the kit's own exports write it.

    `within` are the rows that may be pointed to. `known`, a cache shared by the rows of an import, saves the queries.
    """

    default_error_messages = {
        "invalid_choice": _("“%(value)s” is not known, or not within your reach."),
        "ambiguous": _("“%(value)s” is the name of several: give the code."),
    }

    def __init__(self, within: QuerySet[Any], known: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(queryset=within, to_field_name="code", **kwargs)
        self.known = known

    def __deepcopy__(self, memo: dict[int, Any]) -> PointerField:
        copied = super().__deepcopy__(memo)
        copied.known = self.known
        return copied

    def to_python(self, value: Any) -> Any:
        """The row that is meant."""
        if value in self.empty_values:
            return None
        if isinstance(value, Model):
            return value
        text = str(value).strip()
        if self.known is not None and text in self.known:
            found = self.known[text]
        else:
            found = self._find(text)
            if self.known is not None:
                self.known[text] = found
        if found == "ambiguous":
            raise ValidationError(self.error_messages["ambiguous"], code="ambiguous", params={"value": text[:60]})
        if found is None:
            raise ValidationError(
                self.error_messages["invalid_choice"], code="invalid_choice", params={"value": text[:60]}
            )
        return found

    def _find(self, text: str) -> Any:
        """By code, else by "code name", else by a name that only one bears. One to three queries."""
        rows = self.queryset
        assert rows is not None
        printable = "".join(char for char in text if char.isprintable())
        for code in (printable, printable.split(" ", 1)[0]):
            found = rows.filter(code=code).first()
            if found is not None:
                return found
        named = list(rows.filter(Q(name_zh=printable) | Q(name_en=printable))[:2])
        return "ambiguous" if len(named) > 1 else named[0] if named else None

    def label_from_instance(self, obj: Any) -> str:
        """The name; places are set in by their depth."""
        return "\u3000" * (obj.depth - 1) + str(obj) if isinstance(obj, Place) else str(obj)


class FlagField(forms.BooleanField):
    """Yes or no, also in the words of a sheet."""

    default_error_messages = {"invalid": _("“%(value)s” is neither yes nor no.")}
    _YES, _NO = (
        frozenset({"1", "true", "yes", "y", "on", "是", "有", "√"}),
        frozenset({"0", "false", "no", "n", "off", "否", "无", "×", ""}),
    )

    def to_python(self, value: Any) -> bool:
        """The flag."""
        if isinstance(value, bool) or value is None:
            return bool(value)
        text = str(value).strip().lower()
        if text in self._YES:
            return True
        if text in self._NO:
            return False
        raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": text[:20]})

    def validate(self, value: Any) -> None:
        """No is an answer."""


class FlagBox(forms.CheckboxInput):
    """A box whose posted text reaches the field as it is."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        """The text; False for a box that was not ticked."""
        return data.get(name, False)


def limited(model: type[Model], by: Any) -> QuerySet[Any]:
    """The rows of another model that this person may point to: those within his reach."""
    rows = model._default_manager.all()
    if model is Place:
        rows = rows.order_by("path")
        if isinstance(by, System):
            return rows
        place = by.organisation.place if by.organisation else None
        return rows.filter(path__startswith=place.path) if place else rows.none()
    if isinstance(by, System):
        return rows
    scope = getattr(model, "scope", None)
    if model is Organisation:
        own = by.organisation
        if own is None:
            return rows.none()
        mine = Q(path__startswith=own.path)
        if own.place and by.role in SEES_PLACE:
            mine |= Q(place__path__startswith=own.place.path)
            if own.place.parent_id is None:
                mine |= Q(place__isnull=True)
        return rows.filter(mine)
    return rows.filter(scope.condition(by)) if isinstance(scope, Scope) else rows


def form_class(
    register: Register, *, by: Any, names: Sequence[str] | None = None, bulk: bool = False
) -> type[forms.ModelForm]:
    """The form of some or all of a register's fields for one person. Personal fields are left out for who may not see them.

    Made once for a request or a file: the cache of pointers lives in it.
    """
    chosen = [name for name in (names or register.form) if name not in register.personal or may_call(register, by)]

    def made(field: Field[Any, Any], **kwargs: Any) -> Any:
        if isinstance(field, ForeignKey) and hasattr(field.related_model, "code"):
            return PointerField(
                limited(field.related_model, by), {}, required=not field.blank, label=field.verbose_name,
                help_text=field.help_text,
            )  # fmt: skip
        if is_flag(field) and not field.null:
            return FlagField(label=field.verbose_name, help_text=field.help_text, required=False, widget=FlagBox)
        if isinstance(field, WordsField):
            return _words(field)
        return field.formfield(**kwargs)

    base = _form_base(register)
    made_class = forms.modelform_factory(register.model, form=base, fields=chosen, formfield_callback=made)
    for field in made_class.base_fields.values():
        if isinstance(field, forms.DateField):
            field.widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        elif isinstance(field, forms.CharField) and (field.max_length or 0) > 400 and not hasattr(field, "kinds"):
            field.widget = forms.Textarea(attrs={"rows": 2, "maxlength": field.max_length})
        elif isinstance(field, PointerField) and field.queryset is not None and not bulk:
            _shorten(field)
    return made_class


def _shorten(field: PointerField) -> None:
    if len(field.queryset[: _LIST_MOST + 1]) > _LIST_MOST:
        field.widget = forms.TextInput(attrs={"placeholder": str(_("code or name"))})


def _words(field: WordsField) -> forms.MultipleChoiceField:
    made: forms.MultipleChoiceField = field.formfield()
    return made


@lru_cache(maxsize=256)
def _form_base(register_: Register) -> type[forms.ModelForm]:
    """The base class of a register's forms: fills pointers by code, and derives before the model is checked."""

    class RegisterForm(forms.ModelForm):
        def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
            value = super().get_initial_for_field(field, field_name)
            if isinstance(field, PointerField) and self.instance.pk is not None:
                pointed = getattr(self.instance, field_name, None)
                return code_of(pointed) if pointed is not None else None
            return value

        def clean(self) -> dict[str, Any]:
            # The key stands in addresses, whatever the model says of it.
            cleaned: dict[str, Any] = super().clean() or self.cleaned_data
            key = cleaned.get(register_.key)
            if isinstance(key, str) and not addressable(key):
                self.add_error(
                    register_.key, ValidationError(_("Use no slash and no invisible signs."), code="invalid")
                )
            return cleaned

        def _get_validation_exclusions(self) -> set[str]:
            # What is pointed to was found by its field just now; the model would ask the database again for each row.
            found: set[str] = super()._get_validation_exclusions()
            pointers = {name for name, each in self.fields.items() if isinstance(each, PointerField)}
            return found | {name for name in pointers if not register_.field(name).unique}

        def _post_clean(self) -> None:
            # The derived values must stand before the instance is checked as a whole.
            if register_.derive is not None:
                for name, value in self.cleaned_data.items():
                    if name in self.fields and name != register_.key:
                        _set(self.instance, name, value)
                if register_.key in self.cleaned_data:
                    _set(self.instance, register_.key, self.cleaned_data[register_.key])
                register_.derive(self.instance)
            super()._post_clean()

    return RegisterForm


def _set(instance: Any, name: str, value: Any) -> None:
    if value is not None:
        setattr(instance, name, value)


def may_call(register: Register, by: Any) -> bool:
    """Whether this person sees the personal fields in the clear."""
    return isinstance(by, System) or getattr(by, "role", None) in register.personal_to


def as_data(register: Register, cells: Mapping[str, Any]) -> MultiValueDict[str, Any]:
    """Plain values by field name, as a sheet or a machine gives them, in the shape in which a form takes them.

    Labels of choices, in either language, become their values.
    """
    data: MultiValueDict[str, Any] = MultiValueDict()
    for name, value in cells.items():
        field = register.field(name)
        labels = _labels(register, name) if field.choices or isinstance(field, WordsField) else {}
        if isinstance(field, WordsField):
            data.setlist(name, [labels.get(word.casefold(), word) for word in split(value)])
        elif field.choices and isinstance(value, str):
            data[name] = labels.get(value.strip().casefold(), value)
        else:
            data[name] = _as_typed(value)
    return data


def _as_typed(value: Any) -> Any:
    """A plain value as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, bool | Model):
        return value
    if isinstance(value, BaseGeometry):
        return shapely.to_geojson(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return json.dumps(value)
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


@lru_cache(maxsize=512)
def _labels(register_: Register, name: str) -> dict[str, str]:
    """What may be written for a choice - its value, or its label in Chinese or English - to its value."""
    field = register_.field(name)
    choices = field.words.choices if isinstance(field, WordsField) and field.words else field.flatchoices
    found: dict[str, str] = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            found.update({str(label).casefold(): value for value, label in choices})
    found.update({str(value).casefold(): value for value, _label in choices})
    return found
