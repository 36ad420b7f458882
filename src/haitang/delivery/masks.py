"""Contact points as others may see them: enough to recognise one's own, not enough to call a stranger."""

from __future__ import annotations


def phone(number: str) -> str:
    """138****0000: the first three and last four digits of a mobile number, fewer of a short one."""
    digits = number.strip()
    if len(digits) <= 4:
        return "*" * len(digits)
    keep = 4 if len(digits) >= 9 else 2
    head = digits[:3] if len(digits) >= 9 else digits[:1]
    return f"{head}{'*' * max(2, len(digits) - len(head) - keep)}{digits[-keep:]}"


def email(address: str) -> str:
    """z***@example.org: the first letter and the domain."""
    name, at, domain = address.partition("@")
    return f"{name[:1]}***{at}{domain}" if at else "***"


def masked(address: str) -> str:
    """An address of whatever kind, masked: e-mail and web addresses keep their host, numbers their ends."""
    if not address:
        return ""
    if "://" in address:
        scheme, _, rest = address.partition("://")
        return f"{scheme}://{rest.split('/')[0].rpartition('@')[2]}/***"
    if "@" in address:
        return email(address)
    return phone(address) if sum(c.isdigit() for c in address) >= 5 else address
