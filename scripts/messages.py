#!/usr/bin/env python3
"""Keep the catalogues: collect every slice's texts into its locale/zh_Hans/LC_MESSAGES/django.po.

    scripts/messages.py                 renew all catalogues, say what is still to be translated
    scripts/messages.py alerting duty   only these slices
    scripts/messages.py --check         change nothing; exit code 1 where a text is missing, untranslated or not used

Texts are found in Python (gettext and its kin, first lines of verbs' docstrings), and in templates. Texts of frame.py,
packs.py and config stand in the catalogue of shell.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "haitang"
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
HOLES = re.compile(r"%\(\w+\)[sd]|\{\w+(?:[:!][^}]*)?\}")
# A msgid, or a pair of singular and plural; and its context.
Text = tuple[str | tuple[str, ...], str | None]


def sources(slice_: Path) -> Iterator[Path]:
    """The files of a slice that may hold texts."""
    folders = [slice_]
    if slice_.name == "shell":
        folders += [PACKAGE / "config", PACKAGE / "frame.py", PACKAGE / "packs.py"]
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            parts = path.relative_to(PACKAGE).parts
            if path.suffix in {".py", ".html", ".txt"} and not {"tests", "migrations"} & set(parts):
                yield path


def texts(path: Path) -> Iterator[Text]:
    """The texts of one file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from _verbs(source)
    else:
        from django.utils.translation.template import templatize

        # One line: the tokenizer of Python would stumble over the indentation of HTML.
        source = " ".join(templatize(source).split("\n"))
    for _line, message, _comments, context in extract("python", io.BytesIO(source.encode()), keywords=KEYWORDS):
        if message and (message if isinstance(message, str) else message[0]):
            yield (tuple(message) if isinstance(message, list | tuple) else message), context


def _verbs(source: str) -> Iterator[Text]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(each, ast.Call) and getattr(each.func, "id", "") == "verb" for each in node.decorator_list
        ):
            first = (ast.get_docstring(node) or "").strip().split("\n")[0]
            if first:
                yield first, None


def catalogue_of(slice_: Path) -> Path:
    """Where the slice's catalogue stands."""
    return slice_ / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


def known(path: Path) -> Catalog:
    """The catalogue as it is, or an empty one."""
    if not path.exists():
        return Catalog(locale="zh_Hans")
    with path.open("rb") as lines:
        return read_po(lines, locale="zh_Hans")


def renewed(slice_: Path) -> Catalog:
    """The catalogue as it should be: the texts in use, with the translations there are."""
    before = known(catalogue_of(slice_))
    fresh = Catalog(locale="zh_Hans")
    for path in sources(slice_):
        for message, context in texts(path):
            key = message if isinstance(message, str) else message[0]
            old = before.get(key, context)
            fresh.add(message, string=_kept(message, old), context=context)
    return fresh


def _kept(message: str | tuple[str, ...], old: Message | None) -> str | tuple[str, ...]:
    if old is None or old.fuzzy:
        return "" if isinstance(message, str) else ("",)
    found = old.string
    if isinstance(message, str):
        return found if isinstance(found, str) else (found[0] if found else "")
    return tuple(found)[:1] if isinstance(found, list | tuple) else (found,)


def written(catalogue: Catalog) -> bytes:
    """The catalogue as a file: sorted, without places and dates, so that it changes only when a text does."""
    out = io.BytesIO()
    write_po(out, catalogue, no_location=True, omit_header=True, sort_output=True, width=0, ignore_obsolete=True)
    header = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        '"Language: zh_Hans\\n"\n"Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
    )
    return header.encode() + out.getvalue()


def faults(catalogue: Catalog) -> Iterator[str]:
    """Texts without a translation, and translations that lost or invented a placeholder."""
    for message in catalogue:
        if not message.id:
            continue
        source = message.id if isinstance(message.id, str) else message.id[0]
        target = message.string if isinstance(message.string, str) else (message.string[0] if message.string else "")
        if not target:
            yield f"untranslated: {source}"
        elif isinstance(message.id, str) and set(HOLES.findall(source)) != set(HOLES.findall(target)):
            yield f"placeholders differ: {source}"


def conflicts() -> Iterator[str]:
    """Texts that two slices translate differently: the platform has one catalogue, and the first would win everywhere."""
    known_as: dict[tuple[str, str | None], tuple[str, str]] = {}
    for slice_ in slices([]):
        for message in known(catalogue_of(slice_)):
            source = message.id if isinstance(message.id, str) else message.id[0]
            target = (
                message.string if isinstance(message.string, str) else (message.string[0] if message.string else "")
            )
            first = known_as.setdefault((source, message.context), (slice_.name, target))
            if source and target and first[1] and first[1] != target:
                yield f"{source!r} is {first[1]!r} in {first[0]} and {target!r} in {slice_.name}: tell them apart by pgettext"


def slices(names: list[str]) -> list[Path]:
    """The slices that have texts, or those named."""
    found = [path.parent for path in sorted(PACKAGE.glob("*/__init__.py")) if path.parent.name != "config"]
    return [path for path in found if not names or path.name in names]


def main() -> int:
    """Renew or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slices", nargs="*")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    bad = 0
    for slice_ in slices(given.slices):
        fresh, path = renewed(slice_), catalogue_of(slice_)
        if not len(fresh):
            continue
        data = written(fresh)
        found = list(faults(fresh))
        if given.check:
            if not path.exists() or path.read_bytes() != data:
                found.insert(0, f"the catalogue is not renewed: scripts/messages.py {slice_.name}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        bad += len(found)
        print(f"{slice_.name}: {len(fresh)} texts, {len(found)} to mend")
        for line in found:
            print(f"  {line}")
    for line in conflicts():
        bad += 1
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
