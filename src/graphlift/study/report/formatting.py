"""How numbers, sizes and lists are written, in tables, figures and sentences alike."""

from collections.abc import Sequence

DASH = "–"
"""In place of a number that is not known."""


def number(value: float, digits: int = 1) -> str:
    """Write a number with a true minus sign."""
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign."""
    text = number(value, digits)
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"


def size(count: float) -> str:
    """Write a large number in millions: 135,631 is 0.136 M."""
    return f"{count / 1e6:.3f} M" if count < 9_995_000 else f"{count / 1e6:.1f} M"


def sizes(counts: Sequence[float]) -> str:
    """Write the smallest and the largest of some large numbers; one if they look the same."""
    return " to ".join(dict.fromkeys((size(min(counts)), size(max(counts)))))


def probability(p: float | None) -> str:
    """Write a p-value, a dash where there is none."""
    if p is None:
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Write an interval, a dash where there is none."""
    if low is None or high is None:
        return DASH
    return f"[{signed(low, digits)}, {signed(high, digits)}]"


def count(things: int, one: str, many: str = "") -> str:
    """Write how many there are: 1 seed, 3 seeds."""
    return f"{things:,} {one if things == 1 else many or f'{one}s'}"


def one_of(words: Sequence[object]) -> str:
    """Join words with commas and "or"."""
    *first, last = map(str, words)
    return f"{', '.join(first)} or {last}" if first else last


def bin_label(low: float, high: float) -> str:
    """Name a range of pixels; a range that ends beyond the image is open."""
    return f"{low:g} and more" if high >= 500 else f"{low:g} to {high:g}"
