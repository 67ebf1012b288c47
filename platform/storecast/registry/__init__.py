"""MLflow: one run a training, one registered model for the whole catalogue, an alias for the version in use."""
