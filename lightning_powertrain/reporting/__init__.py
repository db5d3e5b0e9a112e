"""What people see of a tuned job."""

from lightning_powertrain.reporting.console import ConsoleReporter
from lightning_powertrain.reporting.figures import pareto_figure, save_figure
from lightning_powertrain.reporting.loggers import LoggerReporter
from lightning_powertrain.reporting.power_summary import PowerSummary
from lightning_powertrain.reporting.run_writer import RunWriter, write_run
from lightning_powertrain.reporting.summary import summary

__all__ = [
    "ConsoleReporter",
    "LoggerReporter",
    "PowerSummary",
    "RunWriter",
    "pareto_figure",
    "save_figure",
    "summary",
    "write_run",
]
