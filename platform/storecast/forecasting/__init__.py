"""Forecasts of demand and revenue per product: panel forecasters, back-tests, selection, intervals."""
