"""How we choose: evaluation, scores, search algorithms, workers, runs and exports.

The names below are the front of the package, docs/api.md. Each is imported when it is first asked for, so that
`import nas` costs nothing.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latency.documents.shipped import read_latency_table
    from nas.algorithms.asking import Asking
    from nas.config.experiment import Experiment
    from nas.config.loading import load_config
    from nas.config.resolving import resolve
    from nas.config.sections import ExperimentConfig
    from nas.curves.evaluate import run_evaluation
    from nas.distillation.decoder.distil import DistilledDecoder, distill_decoder
    from nas.distillation.steps.distil import DistilledSteps, distill_steps
    from nas.export.export_run import export_run
    from nas.export.report import ExportReport
    from nas.references.supernet import load_supernet
    from nas.robust_training.train import run_training
    from nas.runs.run import Run, Runs, open_run, open_runs
    from nas.search.progress import Progress, RoundDone
    from nas.search.run_search import run_search
    from nas.stages.pipeline import run_pipeline
    from nas.sweeps.devices import search_devices
    from nas.sweeps.matrix import DeviceMatrix, open_devices
    from nas.sweeps.rerank import rerank

    __version__: str
else:

    def __getattr__(name: str) -> object:
        """Import a name of the front; called once per name, by PEP 562."""
        from importlib import import_module, metadata

        if name == "__version__":
            return metadata.version("snapfusion-nas")
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value

    def __dir__() -> list[str]:
        """The names of the front, imported or not."""
        return [*__all__, "__version__"]


_MODULES = {
    "Asking": "nas.algorithms.asking",
    "DeviceMatrix": "nas.sweeps.matrix",
    "DistilledDecoder": "nas.distillation.decoder.distil",
    "DistilledSteps": "nas.distillation.steps.distil",
    "Experiment": "nas.config.experiment",
    "ExperimentConfig": "nas.config.sections",
    "ExportReport": "nas.export.report",
    "Progress": "nas.search.progress",
    "Run": "nas.runs.run",
    "Runs": "nas.runs.run",
    "distill_decoder": "nas.distillation.decoder.distil",
    "distill_steps": "nas.distillation.steps.distil",
    "export_run": "nas.export.export_run",
    "load_config": "nas.config.loading",
    "load_supernet": "nas.references.supernet",
    "open_devices": "nas.sweeps.matrix",
    "open_run": "nas.runs.run",
    "open_runs": "nas.runs.run",
    "read_latency_table": "latency.documents.shipped",
    "RoundDone": "nas.search.progress",
    "rerank": "nas.sweeps.rerank",
    "resolve": "nas.config.resolving",
    "run_evaluation": "nas.curves.evaluate",
    "run_pipeline": "nas.stages.pipeline",
    "run_search": "nas.search.run_search",
    "run_training": "nas.robust_training.train",
    "search_devices": "nas.sweeps.devices",
}

__all__ = [
    "Asking",
    "DeviceMatrix",
    "DistilledDecoder",
    "DistilledSteps",
    "Experiment",
    "ExperimentConfig",
    "ExportReport",
    "Progress",
    "RoundDone",
    "Run",
    "Runs",
    "distill_decoder",
    "distill_steps",
    "export_run",
    "load_config",
    "load_supernet",
    "open_devices",
    "open_run",
    "open_runs",
    "read_latency_table",
    "rerank",
    "resolve",
    "run_evaluation",
    "run_pipeline",
    "run_search",
    "run_training",
    "search_devices",
]
