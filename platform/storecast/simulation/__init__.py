"""The demo shop: source files of an invented online shop, written together with the truth behind them."""
