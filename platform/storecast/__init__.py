"""Storecast: from an online shop's raw orders to forecasts per product and the decisions that follow."""
