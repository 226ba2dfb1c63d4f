"""How numbers are written."""

from graphlift.study.report.formatting import number, one_of, signed, size, sizes


def test_numbers_are_written_with_true_signs():
    assert number(-1234.56) == "−1,234.6"
    assert number(-0.04) == "0.0"
    assert signed(0.04) == "0.0"
    assert signed(2) == "+2.0"
    assert signed(-2, 2) == "−2.00"


def test_sizes_are_in_millions_and_a_range_only_where_they_differ():
    assert size(135_631) == "0.136 M"
    assert sizes([42_000, 135_631, 99_000]) == "0.042 M to 0.136 M"
    assert sizes([4_000_000, 4_000_100]) == "4.000 M"


def test_the_last_of_several_words_comes_after_or():
    assert one_of(["a"]) == "a"
    assert one_of(["a", 2, "c"]) == "a, 2 or c"
