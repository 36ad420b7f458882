"""Rules as text in a data pack: `rules.toml`, beside `rules.csv`. Section `monitoring.rules`. See rule_text.py."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from haitang.accounts.actors import Actor
from haitang.monitoring import rule_text, services
from haitang.monitoring.models import Rule
from haitang.monitoring.rule_text import RuleTextError
from haitang.packs import Pack, PackError, section

RULES = "rules.toml"


@section("monitoring.rules", after=("monitoring.network",))
def rules(pack: Pack, by: Actor) -> int:
    """Rules written as text, with their test cases. Rules about readings first, for others look at them."""
    if not pack.has(RULES):
        return 0
    try:
        found = rule_text.parse((pack.folder / RULES).read_text(encoding="utf-8"))
        for fields in sorted(found, key=lambda each: each["condition"] is not None):
            if fields["is_draft"] and Rule.objects.filter(code=fields["code"], is_active=True).exists():
                fields["is_draft"] = False  # somebody made it live; loading the pack again does not undo that
            services.write_rule(fields, by=by)
    except (RuleTextError, UnicodeDecodeError) as error:
        raise _told(error) from error
    except ValidationError as error:
        raise PackError(RULES, " ".join(error.messages)) from error
    return len(found)


def _told(error: RuleTextError | UnicodeDecodeError) -> PackError:
    if isinstance(error, UnicodeDecodeError):
        return PackError(RULES, str(error), "Mend the file; it is TOML in UTF-8")
    where = f"{error.code}, {error.key}" if error.code else error.key
    return PackError(RULES, error.rule, error.remedy, field=where, value=error.value or None)
