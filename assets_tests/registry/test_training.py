import pandas as pd
import pytest

from storecast.registry.training import Training, level_metrics


def test_metrics_are_means_over_the_evaluation_origins_of_the_champions_alone():
    row = {"level": "category", "demand_class": "all", "model": "champion", "split": "evaluation"}
    accuracy = pd.DataFrame(
        [
            row | {"wape": 0.2, "mape": 0.1, "bias": -0.3},
            row | {"wape": 0.4, "mape": 0.3, "bias": 0.1},
            row | {"wape": 9.0, "split": "selection"},
            row | {"wape": 9.0, "model": "seasonal_naive"},
            row | {"wape": 9.0, "demand_class": "lumpy"},
            row | {"level": "product_channel", "wape": 0.7, "bias": 0.0},
        ]
    )
    assert level_metrics(accuracy) == pytest.approx(
        {
            "category.wape": 0.3,
            "category.mape": 0.2,
            "category.bias": -0.1,
            "product_channel.wape": 0.7,
            "product_channel.bias": 0.0,
        }
    )


@pytest.mark.parametrize("training_id", ["", "it's", "a b", "x" * 129])
def test_a_training_id_that_mlflow_could_not_search_for_is_refused(make_training, training_id):
    with pytest.raises(ValueError, match="training_id is"):
        make_training(training_id)


def test_a_training_without_all_its_tables_is_refused(make_training):
    training = make_training()
    tables = {name: table for name, table in training.tables.items() if name != "interval_scales"}
    with pytest.raises(ValueError, match="lacks interval_scales"):
        Training("t-1", training.origin_date, "5eed", 28, 1, {}, tables)
