"""Plots as SVG, to be put into an HTML page. Colours are those of the page's style."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from itertools import chain

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 36, 40
"""Space around the drawing, for axes, title and legend."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#f0e442")
"""Okabe and Ito's palette, which colour-blind people can tell apart."""
BAR, GAP = 26, 12
TICKS = 5

Points = Sequence[tuple[float, float]]


def line_plot(title: str, unit: str, lines: Mapping[str, Points], x_unit: str = "s") -> str:
    """Lines over time. Both axes begin at 0."""
    points = list(chain.from_iterable(lines.values()))
    x_top, y_top = (round_up(max((each[axis] for each in points), default=0)) for axis in (0, 1))

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + across * x / x_top, HEIGHT - BOTTOM - up * y / y_top

    grid = [_tick(place, y_top * n / TICKS) for n in range(TICKS + 1)]
    foot = [
        _text(*place(x_top * n / TICKS, 0), f"{x_top * n / TICKS:g}", "middle", 18)
        for n in range(TICKS + 1)
    ]
    foot.append(_text(WIDTH - RIGHT, HEIGHT - 6, x_unit, "end"))
    drawn = [
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
        + " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        + '"/>'
        for colour, line in zip(COLOURS, lines.values(), strict=False)
    ]
    return _svg(f"{title} ({unit})", HEIGHT, [*grid, *foot, *drawn, _legend(lines)])


def bar_plot(title: str, unit: str, bars: Mapping[str, Mapping[str, float]]) -> str:
    """Horizontal bars, each of which is the sum of named parts."""
    parts = list(dict.fromkeys(chain.from_iterable(bars.values())))
    top = round_up(max((sum(each.values()) for each in bars.values()), default=0))
    left, height = 4 * LEFT, TOP + len(bars) * (BAR + GAP) + BOTTOM
    drawn = []
    for number, (name, values) in enumerate(bars.items()):
        y, x = TOP + number * (BAR + GAP), float(left)
        drawn.append(_text(left - 8, y + BAR - 8, name, "end"))
        for colour, part in zip(COLOURS, parts, strict=False):
            width = (WIDTH - left - LEFT) * values.get(part, 0) / top
            tip = f"<title>{escape(part)}: {values.get(part, 0):.1f} {escape(unit)}</title>"
            drawn.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}">'
                f"{tip}</rect>"
            )
            x += width
        drawn.append(_text(x + 6, y + BAR - 8, f"{sum(values.values()):.1f}", "start"))
    return _svg(f"{title} ({unit})", height, [*drawn, _legend(parts, height - 10)])


def round_up(value: float) -> float:
    """The upper end of an axis that shows `value`.

    It is the smallest of the numbers 1, 2, 5, 10, 20, 50 and so on that is at least `value`.
    """
    if not 0 < value < math.inf:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _tick(place: Callable[[float, float], tuple[float, float]], y: float) -> str:
    x, at = place(0, y)
    line = f'<line x1="{x}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>'
    return line + _text(x - 8, at + 4, f"{y:g}", "end")


def _legend(names: Iterable[str], y: int = TOP - 6) -> str:
    shown, x = [], LEFT
    for colour, name in zip(COLOURS, names, strict=False):
        shown.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        shown.append(_text(x + 17, y, name, "start"))
        x += 40 + 7 * len(name)
    return "".join(shown)


def _text(x: float, y: float, text: str, anchor: str, down: int = 0) -> str:
    return f'<text x="{x:.1f}" y="{y + down:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, height: int, shapes: Iterable[str]) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>"
        + _text(LEFT, 14, title, "start")
        + "".join(shapes)
        + "</svg>"
    )
