'''What a data pack says about warnings: who issues them, which kinds there are, in which words.

`warning.toml`, read by the sections `alerting.kinds` and `alerting.policy`:

    [policy]
    sender = "99000160000000"            # 14 digits: region GB/T 2260 (6), agency GB/T 4657 (3), unit (3), extension (2)
    sender_name_zh = "示范区应急管理局"
    sender_name_en = "Demonstration District Emergency Management Bureau"   # may be left out, as every *_en
    contact = "021-00000000"             # goes into the message; may be left out
    link_hours = 48                      # how long the answer links in messages work; 48 if left out
    source = "where this comes from, date"

    [policy.answer_minutes]              # minutes after publication in which responsible persons answer; all four needed
    red = 10
    orange = 15
    yellow = 30
    blue = 60

    [[policy.ladder]]                    # steps of the escalation, as obligations take them, in order of time
    after_s = 0                          # seconds after `from`
    from = "issued"                      # issued (when the warning goes out) or due (when the answer is overdue)
    to = "responsible"                   # responsible, deputy, all, superior, duty, issuer
    channels = ["inapp", "sms"]          # inapp, sms, voice, email, wecom, dingtalk, feishu, webpush
    # until = "received"                 # passed over once the obligation is received; in_order = true: one channel
                                         # after another (both may be left out; see haitang.obligations.ladder)

    [[kind]]                             # one per kind of event; the codes of GB/T 35561 (11B01 台风, 11B03 暴雨 ...)
    code = "11B01"
    hazard = "typhoon"                   # short key that plans and rules name
    name_zh = "台风"
    name_en = "typhoon"                  # lower case: it stands inside sentences
    categories = ["Met"]                 # CAP categories
    response_types = ["Prepare", "Shelter"]     # CAP response types
    quantities = ["wind_speed", "wind_gust"]    # whose alarms announce this kind (monitoring's quantities)
    departments = ["SW", "GA"]           # codes of the organisations that are told besides the townships
    source = "GB/T 35561-2017"

`templates.toml`, read by the section `alerting.templates`; a text that a template leaves out is taken from `[defaults]`:

    [defaults]
    headline_zh = "{sender}发布{kind}{colour}预警[{level}]"
    headline_en = "{sender} issues a {colour} {kind} warning"
    instruction_zh = "请有关单位和人员做好防范准备。"

    [[template]]                         # one per kind and colour
    kind = "11B01"
    colour = "orange"                    # red, orange, yellow, blue
    valid_hours = 12
    description_zh = "{cause}。{sender}{time}发布{kind}{colour}预警，范围：{area}，有效至{until}。"
    description_en = "..."
    instruction_zh = """1. ...
    2. ..."""
    instruction_en = "..."
    source = "..."

Placeholders: {sender} {kind} {colour} {level} {area} {time} {until} {hours} {cause}; {cause} is empty for a warning that
is not drafted from an alarm, and the stops around an empty placeholder are tidied away. Per kind and colour at least
headline_zh, description_zh and instruction_zh; the English texts belong together (headline_en and description_en).
'''

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation
from haitang.alerting import rulebook
from haitang.alerting.models import ColourChoice, EventKind
from haitang.packs import Pack, PackError, section

FILE = "warning.toml"
TEMPLATES = "templates.toml"
TEXTS = ("headline_zh", "headline_en", "description_zh", "description_en", "instruction_zh", "instruction_en")


@section("alerting.kinds", after=("accounts.organisations",))
def kinds(pack: Pack, by: Actor) -> int:
    """Kinds of events with their codes, and whom they concern."""
    rows = pack.toml(FILE).get("kind", [])
    bodies = {body.code: body for body in Organisation.objects.all()}
    for number, row in enumerate(rows, 1):
        where = f"kind {row.get('code') or number}"
        given = _only(row, where, {"code", "hazard", "name_zh"},
                      {"name_en", "categories", "response_types", "quantities", "departments", "source"})  # fmt: skip
        codes = given.pop("departments", [])
        missing = [code for code in codes if code not in bodies]
        if missing:
            raise PackError(FILE, f"no organisation has the code {', '.join(missing)}", "Use codes of organisations.csv",
                            field=f"{where}, departments")  # fmt: skip
        with _named(FILE, where):
            rulebook.set_kind(by=by, departments=[bodies[code] for code in codes], **given)
    return len(rows)


@section("alerting.policy", after=("accounts.organisations",))
def policy(pack: Pack, by: Actor) -> int:
    """Who issues warnings and how silence is escalated."""
    row = pack.toml(FILE).get("policy")
    if row is None:
        return 0
    given = _only(row, "policy", {"sender", "sender_name_zh", "answer_minutes", "ladder"},
                  {"sender_name_en", "contact", "link_hours", "reach", "source"})  # fmt: skip
    with _named(FILE, "policy"):
        rulebook.set_policy(by=by, **given)
    return 1


@section("alerting.templates", after=("alerting.kinds", "alerting.policy"))
def templates(pack: Pack, by: Actor) -> int:
    """The words of warnings."""
    found = pack.toml(TEMPLATES)
    defaults = _only(found.get("defaults", {}), "defaults", set(), set(TEXTS), file=TEMPLATES)
    known = {kind.code: kind for kind in EventKind.objects.all()}
    rows = found.get("template", [])
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(rows, 1):
        where = f"template {row.get('kind') or number} {row.get('colour', '')}".strip()
        given = _only({**defaults, **row}, where, {"kind", "colour", "headline_zh", "description_zh", "instruction_zh"},
                      {*TEXTS, "valid_hours", "source"}, file=TEMPLATES)  # fmt: skip
        kind, colour = given.pop("kind"), given.pop("colour")
        if kind not in known:
            raise PackError(TEMPLATES, "no kind has this code", f"Add it to {FILE}", field=f"{where}, kind", value=kind)
        if colour not in ColourChoice.values:
            raise PackError(
                TEMPLATES, "is not a colour", "Use red, orange, yellow or blue", field=f"{where}, colour", value=colour
            )
        if (kind, colour) in seen:
            raise PackError(TEMPLATES, "stands twice", "Keep one template for each kind and colour", field=where)
        seen.add((kind, colour))
        with _named(TEMPLATES, where):
            rulebook.set_template(known[kind], colour, by=by, **given)
    return len(rows)


def _only(
    row: Mapping[str, Any], where: str, needed: set[str], allowed: set[str], *, file: str = FILE
) -> dict[str, Any]:
    """The row, with nothing missing and nothing unknown (a misspelt key would be lost silently)."""
    missing, unknown = sorted(needed - set(row)), sorted(set(row) - needed - allowed)
    if missing:
        raise PackError(file, f"needs {', '.join(missing)}", field=where)
    if unknown:
        raise PackError(
            file, f"does not know {', '.join(unknown)}", f"Known: {', '.join(sorted(needed | allowed))}", field=where
        )
    return dict(row)


class _named:  # noqa: N801  reads as a word: with _named(file, where)
    """Turn a refusal of the rulebook into an error that names the file and the entry."""

    def __init__(self, file: str, where: str) -> None:
        self.file, self.where = file, where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, rulebook.RuleError):
            raise PackError(
                self.file, error.rule, error.remedy, field=f"{self.where}, {error.field}", value=error.value
            ) from error
