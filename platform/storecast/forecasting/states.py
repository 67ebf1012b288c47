"""Forecasters that keep a few numbers a series: a day more changes the numbers, and nothing is estimated anew."""

from storecast.forecasting.base import PanelForecaster
from storecast.forecasting.panel import FloatArray, Panel


class StateForecaster(PanelForecaster):
    """A local forecaster whose forecast is a function of a state: an array (series, numbers) without the history.

    What a forecaster chooses by looking back – weights, a season – is part of the state and stays as it was fitted. A
    subclass writes `fit_states`, `update_states` and `forecast_states`; its forecast comes by the state too: what was
    stored and read says the same, bit for bit.
    """

    def fit_states(self, units: FloatArray) -> FloatArray:
        """The state of each series after its days; `units` is (series, days), NaN before a series' first day."""
        raise NotImplementedError

    def update_states(self, states: FloatArray, units: FloatArray) -> FloatArray:
        """The states after some days more, (series, days): the same whether they come at once or one by one."""
        raise NotImplementedError

    def forecast_states(self, states: FloatArray, horizon: int) -> FloatArray:
        """Mean units, shape (series, horizon)."""
        raise NotImplementedError

    def _forecast_panel(self, panel: Panel, horizon: int) -> FloatArray:
        return self.forecast_states(self.fit_states(panel.units), horizon)
