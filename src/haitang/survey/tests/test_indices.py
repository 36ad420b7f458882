"""P3, 3.1.3: indices of the survey method, against worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from haitang.survey.indices import (
    IndexingError,
    ahp_weights,
    comprehensive,
    entropy_weights,
    normalise,
    weighted_geometric,
    weighted_sum,
)


def test_normalised_columns_run_from_the_floor_to_one() -> None:
    table = [[1, 30], [2, 10], [3, 20]]
    assert normalise(table).tolist() == [[0, 1], [0.5, 0], [1, 0.5]]
    assert normalise(table, inverse=True)[:, 0].tolist() == [1, 0.5, 0]
    assert normalise(table, floor=0.5)[:, 0].tolist() == [0.5, 0.75, 1]
    assert normalise([[2.0], [2.0]]).tolist() == [[0], [0]]


def test_a_column_that_tells_units_apart_weighs_more() -> None:
    # By hand: column 1 is even (entropy 1, weight 0), column 2 is in one unit only (entropy 0, weight 1).
    assert entropy_weights([[1, 0], [1, 0], [1, 1]]) == pytest.approx([0, 1])
    # p = (1/4, 3/4): e = (ln 4 / 4 + 3/4 ln(4/3)) / ln 2 = 0.8113; p = (1/3, 2/3): e = 0.9183.
    assert entropy_weights([[1, 1], [3, 2]]) == pytest.approx(np.array([0.1887, 0.0817]) / 0.2704, abs=1e-3)
    assert entropy_weights([[1, 1], [1, 1]]) == pytest.approx([0.5, 0.5])


def test_saatys_matrix_gives_its_weights_and_ratio() -> None:
    """The 3 x 3 example (1, 3, 5 / 1/3, 1, 3): main eigenvalue 3.0385, weights 0.637, 0.258, 0.105, ratio 0.033."""
    found = ahp_weights([[1, 3, 5], [1 / 3, 1, 3], [1 / 5, 1 / 3, 1]])
    assert found.weights == pytest.approx([0.637, 0.258, 0.105], abs=1e-3)
    assert found.ratio == pytest.approx(0.0332, abs=2e-4) and found.is_consistent
    assert not ahp_weights([[1, 9, 1 / 9], [1 / 9, 1, 9], [9, 1 / 9, 1]]).is_consistent


def test_a_matrix_that_contradicts_itself_is_refused_with_the_pair() -> None:
    with pytest.raises(IndexingError, match=r"comparison \(1, 2\) is 3, \(2, 1\) must be 0.333"):
        ahp_weights([[1, 3], [3, 1]])


@given(arrays(np.float64, (5, 3), elements=st.floats(0.01, 1)))
def test_the_geometric_mean_lies_below_the_arithmetic_and_between_the_factors(table: np.ndarray) -> None:
    weights = [0.5, 0.3, 0.2]
    geometric, arithmetic = weighted_geometric(table, weights), weighted_sum(table, weights)
    assert (geometric <= arithmetic + 1e-12).all()
    assert (geometric >= table.min(axis=1) - 1e-12).all() and (geometric <= table.max(axis=1) + 1e-12).all()


def test_where_nobody_lives_there_is_no_risk() -> None:
    assert weighted_geometric([[0.9, 0.0, 0.5]], [0.4, 0.3, 0.3]).tolist() == [0]
    assert weighted_geometric([[0.25, 1.0]], [0.5, 0.5]) == pytest.approx([0.5])


def test_capacity_lowers_the_comprehensive_index_by_its_setting() -> None:
    risks, capacity = [[0.8, 0.4]], [0.5]
    assert comprehensive(risks, [0.5, 0.5]) == pytest.approx([0.6])
    assert comprehensive(risks, [0.5, 0.5], capacity, alpha=0.4) == pytest.approx([0.48])
    with pytest.raises(IndexingError, match="add up"):
        comprehensive(risks, [0.5, 0.6])
