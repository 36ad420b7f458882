"""What readings are tested against where the district has said nothing: limits by quantity, each with its source.

Pure. They are wide on purpose, for they must hold in a typhoon: a test that cries at every storm is switched off by
people. "WMO": after the step and persistence tests of Zahumensky, Guidelines on Quality Control Procedures for Data from
Automatic Weather Stations (WMO CBS/OPAG-IOS/ET-AWS, 2004), widened to the five-minute readings of a district network.
"estimate": nobody's published figure; the tests are those of the QARTOD water-level manual v2.1 (2021), which leaves the
thresholds to the operator. Amounts (rain) and states that stand still for days (water on the ground, smoke) have no
flat-line test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from haitang.monitoring.quality import Limits

WMO = "Zahumensky 2004 (WMO CBS/OPAG-IOS/ET-AWS), widened"
ESTIMATE = "estimate; tests after QARTOD water level v2.1 (2021)"

ORDER = Limits(ahead_suspect_s=120, late_suspect_s=6 * 3600)
"""Every series: a clock that runs ahead, data that come long after their time. The gap test is added by interval."""

DEFAULTS: Mapping[str, tuple[Limits, str]] = MappingProxyType(
    {
        "tide_level": (
            Limits(
                spike_suspect=0.3, spike_fail=1.0, rate_suspect=3.0, rate_fail=10.0, flat_suspect_s=7200,
                flat_fail_s=21_600, flat_tolerance=0.005, attenuated_s=21_600, attenuated_suspect=0.05, attenuated_fail=0.01,
            ),
            ESTIMATE,
        ),
        "water_level": (Limits(spike_suspect=0.3, spike_fail=1.0, rate_suspect=2.0, rate_fail=8.0), ESTIMATE),
        "surge": (Limits(spike_suspect=0.4, spike_fail=1.5, rate_suspect=3.0, rate_fail=10.0), ESTIMATE),
        "water_depth": (Limits(spike_suspect=0.3, spike_fail=1.0), ESTIMATE),
        "groundwater_level": (Limits(spike_suspect=0.5, spike_fail=2.0, rate_suspect=1.0, rate_fail=5.0), ESTIMATE),
        "rain": (Limits(suspect_high=25.0, fail_high=60.0), "estimate for five minutes; longer spans by the square root of time (Jennings 1950, Mon. Wea. Rev. 78, 4-5)"),
        "air_temperature": (
            Limits(
                suspect_low=-25, suspect_high=45, spike_suspect=3.0, spike_fail=8.0, rate_suspect=36.0, rate_fail=100.0,
                flat_suspect_s=21_600, flat_fail_s=43_200, flat_tolerance=0.1, near_suspect=6.0, near_fail=12.0,
            ),
            WMO,
        ),
        "humidity": (Limits(spike_suspect=15.0, spike_fail=40.0, suspect_low=5.0), WMO),
        "pressure": (
            Limits(
                suspect_low=900, suspect_high=1060, spike_suspect=2.0, spike_fail=8.0, rate_suspect=30.0, rate_fail=120.0,
                near_suspect=12.0, near_fail=30.0,
            ),
            WMO,
        ),
        "wind_speed": (Limits(suspect_high=60, spike_suspect=12.0, spike_fail=25.0), WMO),
        "wind_gust": (Limits(suspect_high=80, spike_suspect=20.0, spike_fail=40.0), WMO),
        "water_temperature": (Limits(suspect_high=40, spike_suspect=2.0, spike_fail=6.0), ESTIMATE),
        "chloride": (Limits(spike_suspect=1500, spike_fail=6000), ESTIMATE),
    }
)  # fmt: skip


def default(quantity: str, interval_s: float) -> Limits:
    """The limits of a quantity for a series that reports so often."""
    limits = DEFAULTS[quantity][0] if quantity in DEFAULTS else Limits()
    if quantity == "rain":
        longer = math.sqrt(interval_s / 300)
        limits = replace(limits, suspect_high=25.0 * longer, fail_high=60.0 * longer)
    elif interval_s > 900 and limits.spike_suspect is not None and limits.spike_fail is not None:
        # A tide or a front moves further between readings that lie further apart.
        longer = interval_s / 900
        limits = replace(limits, spike_suspect=limits.spike_suspect * longer, spike_fail=limits.spike_fail * longer)
    return replace(
        limits, interval_s=interval_s, ahead_suspect_s=ORDER.ahead_suspect_s, late_suspect_s=ORDER.late_suspect_s,
        gap_suspect_s=max(3 * interval_s, 60.0), near_age_s=max(3 * interval_s, 600.0),
    )  # fmt: skip


def source(quantity: str) -> str:
    """Where the limits of a quantity come from."""
    return DEFAULTS[quantity][1] if quantity in DEFAULTS else ""
