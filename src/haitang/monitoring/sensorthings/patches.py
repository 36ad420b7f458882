"""JSON Patch (RFC 6902) on an entity's properties. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from haitang.monitoring.sensorthings.errors import bad

MOST_OPERATIONS = 100


def apply(document: Mapping[str, Any], operations: object) -> dict[str, Any]:
    """A changed copy of the document; StaError names the operation that cannot be done."""
    if not isinstance(operations, list) or len(operations) > MOST_OPERATIONS:
        raise bad(f"A JSON Patch is a list of at most {MOST_OPERATIONS} operations", "body")
    changed: Any = copy.deepcopy(dict(document))
    for number, each in enumerate(operations):
        part = f"operation {number}"
        if not isinstance(each, dict) or not isinstance(each.get("path"), str):
            raise bad(f"{part}: an operation has op, path and perhaps value", part)
        name, path = each.get("op"), _pointer(each["path"], part)
        if name == "test":
            if _at(changed, path, part) != each.get("value"):
                raise bad(f"{part}: the value at {each['path']} is another", part)
        elif name == "remove":
            _remove(changed, path, part)
        elif name in ("add", "replace"):
            if "value" not in each:
                raise bad(f"{part}: {name} needs a value", part)
            if name == "replace":
                _at(changed, path, part)
            _put(changed, path, copy.deepcopy(each["value"]), part, insert=name == "add")
        elif name in ("copy", "move") and isinstance(each.get("from"), str):
            source = _pointer(each["from"], part)
            value = copy.deepcopy(_at(changed, source, part))
            if name == "move":
                _remove(changed, source, part)
            _put(changed, path, value, part, insert=True)
        else:
            raise bad(f"{part}: {name!r} is none of add, remove, replace, move, copy, test", part)
    return dict(changed)


def _pointer(text: str, part: str) -> list[str]:
    if not text.startswith("/") or text.count("/") > 20:
        raise bad(f"{part}: {text[:60]!r} is no path within the entity; write for example /properties/owner", part)
    return [piece.replace("~1", "/").replace("~0", "~") for piece in text[1:].split("/")]


def _at(document: Any, path: list[str], part: str) -> Any:
    for piece in path:
        try:
            document = document[int(piece)] if isinstance(document, list) else document[piece]
        except (KeyError, IndexError, ValueError, TypeError):
            raise bad(f"{part}: there is nothing at /{'/'.join(path)}", part) from None
    return document


def _put(document: Any, path: list[str], value: Any, part: str, *, insert: bool) -> None:
    parent, last = _at(document, path[:-1], part), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        try:
            at = len(parent) if last == "-" else int(last)
            if not 0 <= at <= len(parent):
                raise ValueError
            parent[at : at if insert else at + 1] = [value]
        except ValueError:
            raise bad(f"{part}: {last!r} is no place in that list", part) from None
    else:
        raise bad(f"{part}: /{'/'.join(path[:-1])} holds nothing inside", part)


def _remove(document: Any, path: list[str], part: str) -> None:
    _at(document, path, part)
    parent, last = _at(document, path[:-1], part), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
