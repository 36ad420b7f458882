"""P3, 3.1.3: grades by exact natural breaks and by mean and standard deviation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from haitang.survey import compiled
from haitang.survey.grading import HAZARD_SIGMA, GradingError, natural_breaks, sigma_grades, within_sse

values = arrays(np.float64, st.integers(6, 14), elements=st.integers(-50, 50).map(float))


def brute(found: np.ndarray, k: int) -> float:
    """The least sum of squared deviations over all ways to cut the sorted values into k classes."""
    x = np.sort(found)
    cuts = itertools.combinations(range(1, len(x)), k - 1)
    return min(sum(float(np.sum((part - part.mean()) ** 2)) for part in np.split(x, cut)) for cut in cuts)


@settings(max_examples=40)
@given(values, st.integers(2, 4))
def test_no_other_cut_has_less_deviation_within_classes(found: np.ndarray, k: int) -> None:
    if len(np.unique(found)) < k:
        with pytest.raises(GradingError, match="different values"):
            natural_breaks(found, k)
        return
    assert within_sse(found, natural_breaks(found, k)) == pytest.approx(brute(found, k), abs=1e-6)


def test_a_worked_case_after_jenks() -> None:
    # Two well separated groups and a third: the breaks are where anybody would draw them.
    grades = natural_breaks([1, 2, 3, 10, 11, 12, 30, 31], 3)
    assert grades.bounds.tolist() == [3, 12]
    assert grades.grade.tolist() == [1, 1, 1, 2, 2, 2, 3, 3]
    assert natural_breaks([1, 2, 3, 10, 11, 12, 30, 31], 3, closed="left").bounds.tolist() == [10, 30]


def test_stretching_and_moving_the_values_moves_the_breaks_alike() -> None:
    found = np.random.default_rng(5).lognormal(0, 1, 400)
    plain, moved = natural_breaks(found, 5), natural_breaks(found * 3e6 - 7e5, 5)
    assert (plain.grade == moved.grade).all()
    assert moved.bounds == pytest.approx(plain.bounds * 3e6 - 7e5)


def test_the_loop_gives_the_same_compiled_and_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    found = np.random.default_rng(9).gamma(2, 1, 300)
    fast = natural_breaks(found, 6).bounds
    monkeypatch.setattr(compiled, "has_numba", lambda: False)
    assert natural_breaks(found, 6).bounds.tolist() == fast.tolist()


def test_a_missing_value_has_no_grade_and_an_infinite_one_is_refused() -> None:
    assert natural_breaks([1.0, np.nan, 2.0, 9.0], 2).grade.tolist() == [1, 0, 1, 2]
    with pytest.raises(GradingError, match="infinite"):
        natural_breaks([1.0, np.inf, 2.0], 2)
    with pytest.raises(GradingError, match="no value"):
        sigma_grades([np.nan])


def test_grades_by_mean_and_deviation_include_their_lower_bound() -> None:
    # Mean 5, standard deviation 2 (the textbook set): bounds 4, 6, 7.
    grades = sigma_grades([2, 4, 4, 4, 5, 5, 7, 9], HAZARD_SIGMA)
    assert grades.bounds == pytest.approx([4, 6, 7])
    assert grades.grade.tolist() == [1, 2, 2, 2, 2, 2, 4, 4]


def test_zeros_count_only_when_asked_and_a_constant_field_is_in_the_middle() -> None:
    assert sigma_grades([0, 0, 0, 2, 4, 6]).bounds[0] > sigma_grades([0, 0, 0, 2, 4, 6], zeros=True).bounds[0]
    assert set(sigma_grades([3.0] * 5).grade) == {3}


@given(values.filter(lambda v: np.ptp(v) > 0), st.floats(0.1, 100), st.floats(-100, 100))
def test_sigma_grades_do_not_depend_on_the_unit(found: np.ndarray, a: float, b: float) -> None:
    plain, moved = sigma_grades(found, zeros=True), sigma_grades(found * a + b, zeros=True)
    # A value on a bound may fall to either side by the last digit.
    near = np.min(np.abs(found[:, None] - plain.bounds), axis=1) < 1e-6 * np.ptp(found)
    assert (plain.grade == moved.grade)[~near].all()
