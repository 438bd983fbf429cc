"""Rules between the properties of one block, element or view; each cites its page as in ``limits``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from .schema import Problem


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def slack_file_or_url(image: Mapping[str, object], at: str) -> Iterator[Problem]:
    """blocks/image-block: the picture comes from image_url or from slack_file."""
    if (image.get("image_url") is None) == (image.get("slack_file") is None):
        yield Problem("must define exactly one of: image_url, slack_file", at)


def container_collapse(container: Mapping[str, object], at: str) -> Iterator[Problem]:
    """blocks/container-block: only a collapsible container starts collapsed, and it has no header divider."""
    collapsible = container.get("is_collapsible") is True
    if container.get("default_collapsed") is True and not collapsible:
        yield Problem("default_collapsed requires is_collapsible", f"{at}/default_collapsed")
    if container.get("has_header_divider") is True and collapsible:
        yield Problem("has_header_divider cannot be set when is_collapsible is true", f"{at}/has_header_divider")


def data_table_grid(table: Mapping[str, object], at: str) -> Iterator[Problem]:
    """blocks/data-table-block: rows of one width, a header of raw cells, a row header inside the grid."""
    rows = table["rows"]
    assert isinstance(rows, list)
    for index, (before, after) in enumerate(pairwise(rows), 1):
        if len(before) != len(after):
            yield Problem("all rows must have the same number of cells", f"{at}/rows/{index}")
    for index, cell in enumerate(rows[0]):
        if cell["type"] == "rich_text":
            yield Problem("unsupported type: rich_text", f"{at}/rows/0/{index}/type")
    column = table.get("row_header_column_index", 0)
    if isinstance(column, int) and column >= len(rows[0]):
        yield Problem(f"must be at most {len(rows[0]) - 1}", f"{at}/row_header_column_index")


def chart_series_fit_categories(chart: Mapping[str, object], at: str) -> Iterator[Problem]:
    """blocks/data-visualization-block: unique series names; each series has one point for each category."""
    axis = chart["axis_config"]
    assert isinstance(axis, dict)
    categories, seen = axis["categories"], set()
    for index, series in enumerate(_objects(chart["series"])):
        if series["name"] in seen:
            yield Problem(f"duplicate series name: {series['name']}", f"{at}/series/{index}/name")
        seen.add(series["name"])
        if [point["label"] for point in _objects(series["data"])] != categories:
            yield Problem("data labels must match axis_config.categories", f"{at}/series/{index}/data")


def modal_with_inputs_has_submit(view: Mapping[str, object], at: str) -> Iterator[Problem]:
    """reference/views/modal-views: submit is required when an input block is there."""
    if view.get("submit") is None and any(block.get("type") == "input" for block in _objects(view["blocks"])):
        yield Problem("missing required field: submit", at)
