"""Charts, drawn by pygal."""

from collections.abc import Mapping, Sequence
from typing import Any

import pygal
from pygal.style import Style

_COMMON: dict[str, Any] = {
    "js": (),
    "style": Style(
        background="white",
        plot_background="white",
        font_family="system-ui, sans-serif",
        colors=("#0969da", "#8c959f", "#1a7f37", "#bf8700"),
    ),
    "legend_at_bottom": True,
    "truncate_label": -1,
}


def bars(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> bytes:
    """Return a chart of horizontal bars as SVG: a row for each label, with a bar of each series."""
    chart = pygal.HorizontalBar(
        **_COMMON,
        title=title,
        height=50 * len(labels) + 150,
        print_values=True,
        show_x_labels=False,  # each bar has its value
        show_x_guides=False,
        value_formatter="{:,.0f}".format,
    )
    chart.x_labels = list(reversed(labels))  # pygal begins at the bottom
    for name, values in series.items():
        chart.add(name, list(reversed(values)))
    return bytes(chart.render())


def curves(title: str, lines: Mapping[str, Sequence[tuple[float, float]]], *, x_title: str, y_title: str) -> bytes:
    """Return a chart with two logarithmic axes as SVG."""
    chart = pygal.XY(
        **_COMMON, title=title, x_title=x_title, y_title=y_title, logarithmic=True, show_minor_y_labels=False
    )
    chart.value_formatter = chart.x_value_formatter = "{:,.10g}".format
    chart.x_labels = sorted({x for points in lines.values() for x, _ in points})
    for name, points in lines.items():
        chart.add(name, list(points))
    return bytes(chart.render())
