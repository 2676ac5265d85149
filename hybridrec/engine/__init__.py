"""The engine of an experiment: folds, fits, evaluation and analysis."""
