"""A field that holds several words of a fixed list: the skills of a team, the kinds of danger a place is safe from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

_BETWEEN = "|"


class WordsField(models.CharField):  # type: ignore[type-arg]
    """A list of members of a `TextChoices`, kept as "|flood|medical|" so that `contains="|flood|"` finds one exactly."""

    description = _("several words of a list")

    def __init__(self, *args: Any, words: type[models.TextChoices] | None = None, **kwargs: Any) -> None:
        self.words = words
        kwargs.setdefault("max_length", 300)
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", list)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """What a migration writes: the list of words is not the database's business."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("blank", None)
        kwargs.pop("default", None)
        return name, path, args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> list[str]:
        """The words as a list."""
        return split(value)

    def to_python(self, value: Any) -> list[str]:
        """The words as a list, in the order of the list they come from."""
        given = split(value)
        if self.words is None:
            return given
        return [word for word in self.words.values if word in given] + [w for w in given if w not in self.words.values]

    def get_prep_value(self, value: Any) -> str:
        """The text that is kept; a text is taken as it is, for lookups."""
        if isinstance(value, str):
            return value
        given = self.to_python(value)
        return _BETWEEN + _BETWEEN.join(given) + _BETWEEN if given else ""

    def value_to_string(self, obj: Any) -> str:
        """For Django's serialisers."""
        return self.get_prep_value(self.value_from_object(obj))

    def validate(self, value: Any, model_instance: Any) -> None:
        """Every word stands in the list."""
        unknown = [word for word in value if self.words is not None and word not in self.words.values]
        if unknown:
            raise ValidationError(
                _("%(value)s is not in the list."), code="invalid_choice", params={"value": "、".join(unknown)}
            )
        if not value and not self.blank:
            raise ValidationError(self.error_messages["blank"], code="blank")

    def run_validators(self, value: Any) -> None:
        """The length that counts is that of the text which is kept."""
        super().run_validators(self.get_prep_value(value))

    def formfield(self, **kwargs: Any) -> Any:
        """Boxes to tick."""
        options = {
            "required": not self.blank,
            "label": self.verbose_name,
            "help_text": self.help_text,
            "choices": self.words.choices if self.words else [],
            "widget": forms.CheckboxSelectMultiple,
        }
        return forms.MultipleChoiceField(**{**options, **kwargs})


def split(value: Any) -> list[str]:
    """Words from a list, or from text in which |, comma or 、 stand between them."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        for sign in ",，、;；":
            value = value.replace(sign, _BETWEEN)
        return [word for part in value.split(_BETWEEN) if (word := part.strip())]
    if isinstance(value, Iterable):
        return [str(word) for word in value]
    return [str(value)]
