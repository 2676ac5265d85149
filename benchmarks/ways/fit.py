"""Fit of a component of a config on its first fold, kept in a store: `fit.py CONFIG LABEL STORE KEY=VALUE...`."""

import gc
import json
import sys
import time
from contextlib import suppress
from pathlib import Path

import job
from threadpoolctl import threadpool_limits

from hybridrec.config.experiment import ComponentSpec
from hybridrec.config.load import load_experiment
from hybridrec.engine.fit import FitContext, run_fit_job
from hybridrec.engine.folds import folds_of
from hybridrec.engine.runner import ExperimentRunner, NullProgress, read
from hybridrec.engine.store import Store
from hybridrec.errors import HybridrecError
from hybridrec.registry.discovery import Registry
from hybridrec.stages.component import Component
from hybridrec.testing._helpers import fitted, toy


def toy_fit(spec: ComponentSpec) -> Component:
    """Fit a component on the toy dataset, after its base model."""
    component = spec.cls(spec.options)
    if spec.base_model is not None:
        component.use(toy_fit(spec.base_model))
    return fitted(component, toy())


config, label, folder, *assignments = sys.argv[1:]
registry = Registry()
experiment = load_experiment(Path(config), registry, tuple(assignments))
with threadpool_limits(limits=1):
    with suppress(HybridrecError):  # a toy fit, successful or not, loads the libraries
        toy_fit(experiment.components[label])
    experimenter = ExperimentRunner(experiment, registry, Store(Path(folder)), NullProgress())
    trainer = experimenter.trainers[0]
    plan = trainer.plan(next(folds_of(experiment, read(experiment))))
    spec, training_part = next(fit for fit in plan.jobs if (fit[0].label, fit[1].level) == (label, "full"))
    context = FitContext(experimenter.store, registry, {training_part.fingerprint: training_part.train})
    for base_model in spec.base_models:  # is in the store, as after the fit of its own
        run_fit_job(trainer.fitter.job(base_model, training_part), context)
    fit_job = trainer.fitter.job(spec, training_part)
    gc.collect()
    job.forget_peak()
    before, wall, cpu = job.peak_bytes(), time.perf_counter(), time.process_time()
    run_fit_job(fit_job, context)
    told = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
print(json.dumps({**told, "peak": max(job.peak_bytes() - before, 0)}))  # the system's page counts lag a little
