"""Charts as SVG written by hand: no library, no script, readable on light and on dark pages."""

import math
from collections.abc import Mapping, Sequence
from html import escape

_STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.quiet { fill: #59636e; }
.axis { stroke: #d1d9e0; }
.ours { fill: #0969da; stroke: #0969da; }
.theirs { fill: #8c959f; stroke: #8c959f; }
.limit { fill: #1a7f37; stroke: #1a7f37; }
.line { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .quiet { fill: #9198a1; }
  .axis { stroke: #3d444d; }
  .ours { fill: #4493f8; stroke: #4493f8; }
  .theirs { fill: #6e7681; stroke: #6e7681; }
  .limit { fill: #3fb950; stroke: #3fb950; }
}
</style>"""
_WIDTH = 760
_LABELS = 270
_ROW = 26
_LABEL_HEIGHT = 17


def bars(title: str, groups: Mapping[str, Sequence[tuple[str, float, str]]], unit: str) -> str:
    """Return a chart of horizontal bars. A bar has a label, a value, and a class: `ours`, `theirs` or `limit`."""
    largest = max(value for group in groups.values() for _, value, _ in group)
    parts, y = [_text(0, 20, title, "title")], 34
    for name, group in groups.items():
        y += 24
        parts.append(_text(0, y, name, "quiet"))
        y += 10
        for label, value, kind in group:
            length = max(1.0, (_WIDTH - _LABELS - 110) * value / largest)
            parts.append(_text(_LABELS - 8, y + 15, label, anchor="end"))
            parts.append(f'<rect class="{kind}" x="{_LABELS}" y="{y + 3}" width="{length:.1f}" height="16" rx="2"/>')
            parts.append(_text(_LABELS + length + 8, y + 15, f"{value:,.0f} {unit}", "quiet"))
            y += _ROW
    return _document(parts, y + 8, title)


def curves(
    title: str, lines: Mapping[str, Sequence[tuple[float, float]]], *, x_title: str, y_title: str, ours: str
) -> str:
    """Return a chart with two logarithmic axes. Lines whose name begins with `ours` stand out."""
    left, right, top, bottom = 70, _WIDTH - 190, 50, 330
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    x_low, x_high = math.log10(min(xs)), math.log10(max(xs))
    y_low, y_high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x_low) / ((x_high - x_low) or 1)
        up = (math.log10(y) - y_low) / ((y_high - y_low) or 1)
        return left + across * (right - left), bottom - up * (bottom - top)

    parts = [_text(0, 20, title, "title"), _text(0, 40, y_title, "quiet")]
    for power in range(y_low, y_high + 1):
        _, y_at = at(xs[0], 10.0**power)
        parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{y_at:.1f}" y2="{y_at:.1f}"/>')
        parts.append(_text(left - 8, y_at + 4, f"{10.0**power:,g}", "quiet", anchor="end"))
    for power in range(math.ceil(x_low), math.floor(x_high) + 1):
        x_at, _ = at(10.0**power, ys[0])
        parts.append(_text(x_at, bottom + 20, f"{10**power:,}", "quiet", anchor="middle"))
    parts.append(_text((left + right) / 2, bottom + 42, x_title, "quiet", anchor="middle"))
    for name, points in lines.items():
        kind = "ours" if name.startswith(ours) else "theirs"
        places = [at(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line {kind}" style="fill: none" points="{path}"/>')
        parts += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
    label_y = 0.0
    for name, (x, y) in sorted(((name, at(*points[-1])) for name, points in lines.items()), key=lambda end: end[1][1]):
        label_y = max(y + 4, label_y + _LABEL_HEIGHT)  # labels of lines that end together stand below each other
        parts.append(_text(x + 10, label_y, name))
    return _document(parts, bottom + 56, title)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    shown = f' class="{kind}"' if kind else ""
    return f'<text{shown} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _document(parts: list[str], height: int, title: str) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">'
    )
    return "\n".join([head, _STYLE, *parts, "</svg>"]) + "\n"
