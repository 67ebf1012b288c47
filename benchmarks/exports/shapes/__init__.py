"""The shapes of exports, by name."""

from benchmarks.exports.shapes import deliveries, money, orders, totals
from benchmarks.exports.shapes.draft import Draft, Shape, World

SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        orders.numbered_lines,
        orders.unnumbered_lines,
        orders.first_row_orders,
        orders.first_row_orders_twice,
        orders.returned_state,
        orders.negative_lines,
        orders.two_channels,
        orders.nested_items,
        orders.workbook,
        orders.float_ids,
        orders.charges,
        money.line_totals,
        money.line_discounts,
        money.order_discounts,
        money.tax_included,
        money.tax_added,
        totals.hourly,
        totals.stores,
        totals.weekly,
        deliveries.overlapping_reports,
        deliveries.deltas,
        deliveries.snapshots,
        deliveries.periods,
        deliveries.corrected_file,
    )
}

__all__ = ["SHAPES", "Draft", "Shape", "World"]
