"""The smallest district that a plan can be run in."""

from __future__ import annotations

import itertools
from typing import Any

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.geo.models import Level, Place

_numbers = itertools.count(1)

FLOOD = """
[plan]
code = "T-FLOOD"
name_zh = "试验区防汛防台专项应急预案"
name_en = "Test flood and typhoon plan"
kind = "special"
hazards = ["typhoon", "rainstorm"]
version = "2024"
place = "900000"
owner = "HQ"
approved = 2024-05-06
filed = 2024-05-20
review = 2090-05-06
source = "Invented for tests"

[[level]]
level = "IV"
condition = "typhoon >= blue or rainstorm >= blue"
term_hours = 24
measures_zh = "加强值守，巡查海塘。"
measures_en = "Keep watch, patrol sea walls."
clause = "4.3.1"
[[level.action]]
code = "watch"
text_zh = "加强值班值守"
text_en = "Keep watch"
by = ["townships", "WATER"]
minutes = 60
clause = "4.3.1(1)"

[[level]]
level = "III"
condition = "typhoon >= yellow"
term_hours = 24
measures_zh = "检查避难场所。"
clause = "4.3.2"
[[level.action]]
code = "shelters"
text_zh = "检查避难场所"
text_en = "Check shelters"
by = "townships"
minutes = 120
clause = "4.3.2(1)"
photo = true
moves = "shelter"

[[level]]
level = "II"
condition = "typhoon >= orange or rainstorm = red"
term_hours = 36
measures_zh = "转移危险区域人员。"
measures_en = "Move people out of danger."
clause = "4.3.3"
[[level.action]]
code = "move"
text_zh = "转移危险区域人员"
text_en = "Move people out of danger areas"
by = ["townships"]
minutes = 240
clause = "4.3.3(1)"
confirm = true
moves = "evacuation"
[[level.action]]
code = "bridge"
text_zh = "视情封闭大桥"
text_en = "Close the bridge if needed"
by = ["POLICE"]
minutes = 180
clause = "4.3.3(2)"
moves = "closure"

[[level]]
level = "I"
condition = "typhoon = red"
term_hours = 48
measures_zh = "全区停工停课停业。"
measures_en = "Stop work, school and trade."
clause = "4.3.4"
[[level.action]]
code = "watch"
text_zh = "主要负责人到岗值守"
text_en = "Heads on duty"
by = ["townships", "WATER", "command"]
minutes = 30
clause = "4.3.4(1)"
"""

TOWNSHIPS = """
[plan]
code = "T-TS-{code}"
name_zh = "{name_zh}防汛防台应急预案"
name_en = "{name_en} flood and typhoon plan"
kind = "township"
hazards = ["typhoon"]
version = "2024"
for_each = "townships"
place = "900000"
[[level]]
level = "II"
condition = "typhoon >= orange"
start = "auto"
term_hours = 24
measures_zh = "组织转移。"
[[level.action]]
code = "call"
text_zh = "电话通知各村居"
text_en = "Call every village"
by = ["owner"]
minutes = 30
clause = "3.2"
"""


class World:
    """District 900000 with townships 900001 to 900003; headquarters, water, police, a command centre, the townships."""

    def __init__(self) -> None:
        self.district = Place.objects.create(
            code="900000", name_zh="试验区", name_en="Test District", level=Level.DISTRICT
        )
        self.townships = [
            Place.objects.create(
                code=f"90000{n}",
                name_zh=f"{zh}镇",
                name_en=en,
                level=Level.TOWNSHIP,
                parent=self.district,
                lon=121.2 + n / 10,
                lat=31.5,
                population=10_000 * n,
            )
            for n, (zh, en) in enumerate([("东港", "Donggang"), ("西港", "Xigang"), ("南港", "Nangang")], start=1)
        ]
        self.east, self.west, self.south = self.townships
        self.gov = self.body("GOV", OrganisationKind.GOVERNMENT, self.district, name_zh="试验区人民政府")
        self.hq = self.body("HQ", OrganisationKind.DEPARTMENT, self.district, self.gov, name_zh="防汛指挥部")
        self.command = self.body("CMD", OrganisationKind.COMMAND, self.district, self.gov, name_zh="应急指挥中心")
        self.water = self.body("WATER", OrganisationKind.DEPARTMENT, self.district, self.gov, name_zh="水务局")
        self.police = self.body("POLICE", OrganisationKind.DEPARTMENT, self.district, self.gov, name_zh="公安分局")
        self.towns = [
            self.body(f"TS{n}", OrganisationKind.TOWNSHIP, place, self.gov, name_zh=f"{place.name_zh}人民政府")
            for n, place in enumerate(self.townships, start=1)
        ]
        self.commander = self.person(Role.COMMANDER, self.command, rank=1)
        self.duty = self.person(Role.DUTY_OFFICER, self.command, rank=2)
        self.engineer = self.person(Role.DEPARTMENT, self.water)
        self.officer = self.person(Role.DEPARTMENT, self.police)
        self.heads = [self.person(Role.TOWNSHIP, town) for town in self.towns]

    def body(
        self, code: str, kind: str, place: Place, parent: Organisation | None = None, **fields: Any
    ) -> Organisation:
        body: Organisation = Organisation.objects.create(
            **{"code": code, "name_zh": code, "name_en": code, "kind": kind, "place": place, "parent": parent, **fields}
        )
        return body

    def person(self, role: Role, organisation: Organisation, **fields: Any) -> User:
        name = f"{organisation.code.lower()}-{next(_numbers)}"
        user: User = User.objects.create_user(
            username=name,
            email=f"{name}@example.org",
            **{"name_zh": f"{organisation.name_zh}同志", "role": role, "organisation": organisation, **fields},
        )
        return user
