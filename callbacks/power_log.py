"""What PowerMonitor does, apart from Lightning."""

from __future__ import annotations

from dataclasses import replace

from lightning_powertrain.devices import EnergyMeter, PowerSource
from lightning_powertrain.reporting import PowerSummary
from lightning_powertrain.reporting.writing import LoggerWriter
from lightning_powertrain.tuning import EnergyRates

# Names are part of the public interface: docs/logging.md lists them.
POWER_W = "power/power_w"
ENERGY_J = "power/energy_j"
ENERGY_PER_SAMPLE_J = "power/energy_per_sample_j"
HOURS = "power/hours"
ENERGY_WH = "power/energy_wh"
PRICE = "power/price"
CARBON_G = "power/carbon_g"
TEMPERATURE_C = "power/temperature_c"
THROTTLED = "power/throttled"
SIMULATED = "power/simulated"


class PowerLog:
    """Adds up energy and samples, and sends loggers what came since the last time.

    Args:
        source: Whose power it is.
        writer: Writes to the loggers.
        rates: Price and carbon intensity of its energy.
        shared: Whether somebody else may move the clock of ``source``, if that is a virtual one.

    Raises:
        DeviceError: If the power cannot be read.
    """

    def __init__(self, source: PowerSource, writer: LoggerWriter, rates: EnergyRates, *, shared: bool) -> None:
        self._source = source
        self._writer = writer
        self._meter = EnergyMeter(source)
        self._meter.start()
        self._samples = 0
        self._ended_s = None if shared else source.clock.now()
        self.summary = PowerSummary(0.0, 0.0, 0, source.simulated, rates)

    def minibatch_ended(self, samples: int) -> None:
        """Count a minibatch."""
        # A virtual clock that nobody has moved since the last minibatch is ours to move. Where somebody may, the first
        # minibatch is too early for that.
        if self._source.clock.now() == self._ended_s:
            self._source.minibatch_ended()
        self._ended_s = self._source.clock.now()
        self._samples += samples

    def write(self) -> None:
        """Send the loggers what came since the last time.

        Raises:
            DeviceError: If the power cannot be read.
        """
        before, (seconds, energy_j) = self.summary, self._meter.read()
        self.summary = replace(before, energy_j=energy_j, seconds=seconds, samples=self._samples)
        since = PowerSummary(
            energy_j - before.energy_j, seconds - before.seconds, self._samples - before.samples, before.simulated
        )
        scalars = {SIMULATED: float(before.simulated), HOURS: seconds / 3600, **self._spent(energy_j)}
        if since.seconds:
            scalars[POWER_W] = since.power_w
        if since.samples:
            scalars[ENERGY_PER_SAMPLE_J] = since.energy_per_sample_j
        health = self._source.health()
        if health is not None:
            scalars[THROTTLED] = bool(health.throttled_by)
        if health is not None and health.temperature_c is not None:
            scalars[TEMPERATURE_C] = health.temperature_c
        self._writer.scalars(scalars)

    def _spent(self, energy_j: float) -> dict[str, float]:
        """The energy so far, and what it costs and emits as far as that is known."""
        rates = self.summary.rates
        known = {PRICE: rates.price(energy_j), CARBON_G: rates.carbon_g(energy_j)}
        return {
            ENERGY_J: energy_j,
            ENERGY_WH: energy_j / 3600,
            **{name: value for name, value in known.items() if value is not None},
        }

    def stop(self) -> None:
        """Stop metering; the source stays open."""
        self._meter.stop()
