"""Who acts: a person, or the platform itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from haitang.accounts.models import User


@dataclass(frozen=True)
class System:
    """The platform acting by its own rules; it may use every verb, and the journal says that it was the platform."""

    name: str = "system"
    pk: None = None
    username: str = "system"


SYSTEM = System()
# Who takes in data packs.
LOADER = System("haitang load-pack")
Actor = Union["User", System]
