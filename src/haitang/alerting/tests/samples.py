"""Small valid messages for tests, and the shared corpus when it is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from haitang.alerting.cap import Alert, Area, Info, Pair

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data" / "warning"
CORPUS = SHARED / "cap-sample"


def info(**changes: Any) -> Info:
    """The smallest info the Chinese profile accepts without remark."""
    smallest = Info(
        language="zh-CN",
        categories=("Met",),
        event="暴雨",
        urgency="Expected",
        severity="Severe",
        certainty="Likely",
        event_codes=(Pair("GB/T 35561", "11B03"),),
        expires="2024-09-15T20:00:00+08:00",
        sender_name="示范区应急管理局",
        headline="示范区发布暴雨橙色预警",
        description="预计未来六小时降雨100毫米以上。",
        instruction="减少外出，转移低洼处人员。",
        parameters=(Pair("ColorCode", "ORANGE"),),
        areas=(Area("东镇", geocodes=(Pair("GB/T 2260", "990001101"),)),),
    )
    return replace(smallest, **changes)


def alert(**changes: Any) -> Alert:
    """The smallest warning the Chinese profile accepts without remark."""
    smallest = Alert(
        identifier="99000160000000_20240915080000_0",
        sender="99000160000000",
        sent="2024-09-15T08:00:00+08:00",
        status="Actual",
        msg_type="Alert",
        scope="Public",
        infos=(info(),),
    )
    return replace(smallest, **changes)
