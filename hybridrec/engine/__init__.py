"""The engine: carry out an experiment, from its data over folds, fits and slates to the measured result."""
