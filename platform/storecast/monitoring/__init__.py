"""Drift of the models' inputs and of what they forecast; later rooms' watch over accuracy and alerts."""
