"""Power of NVIDIA GPUs, with NVML faked."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import fake_nvml
import pytest
from fake_nvml import FakeNvml

from lightning_powertrain.devices import Health, NvmlPower
from lightning_powertrain.errors import DeviceError, DeviceNotFoundError


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNvml]:
    fake = FakeNvml(["GPU-0", "GPU-1", "GPU-2"])
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    yield fake
    assert fake.open_users() == 0, "NVML was not closed"


@pytest.fixture
def power(nvml: FakeNvml) -> Iterator[NvmlPower]:
    source = NvmlPower(["GPU-0", "GPU-2"])
    yield source
    source.close()
    source.close()


def test_power_is_the_sum_over_the_gpus_that_were_asked_for(nvml: FakeNvml, power: NvmlPower) -> None:
    nvml.draws(GPU_0=250_500, GPU_1=999_000, GPU_2=49_500)
    reading = power.read_power()
    assert reading.total_w == 300.0
    assert reading.rails_w == {"GPU-0": 250.5, "GPU-2": 49.5}


def test_energy_is_the_sum_of_what_they_counted(nvml: FakeNvml, power: NvmlPower) -> None:
    assert power.read_energy() is None
    nvml.has_counted(GPU_0=1_000_250)
    assert power.read_energy() is None
    nvml.has_counted(GPU_2=500)
    assert power.read_energy() == 1000.75


@pytest.mark.parametrize(
    ("reasons", "throttled"), [(0x0, False), (0x1, False), (0x4, False), (0x20, True), (0x48, True), (0x84, True)]
)
def test_heat_and_current_throttle_and_a_power_limit_does_not(
    nvml: FakeNvml, power: NvmlPower, reasons: int, throttled: bool
) -> None:
    nvml.is_slow_because(GPU_2=reasons)
    assert power.health() == Health(("gpu-slowdown",) if throttled else ())


@pytest.mark.parametrize("error", [fake_nvml.NVML_ERROR_NOT_SUPPORTED, fake_nvml.NVML_ERROR_FUNCTION_NOT_FOUND])
def test_what_is_not_supported_is_not_known(nvml: FakeNvml, power: NvmlPower, error: int) -> None:
    nvml.fails(error)
    assert power.health() is None
    assert power.read_energy() is None
    with pytest.raises(DeviceError, match="NVML reports no power for one of the GPUs GPU-0, GPU-2"):
        power.read_power()
    nvml.fails(0)


def test_a_gpu_that_is_lost_is_an_error_of_ours(nvml: FakeNvml, power: NvmlPower) -> None:
    nvml.fails(fake_nvml.NVML_ERROR_GPU_IS_LOST)
    for read in (power.read_power, power.read_energy, power.health):
        with pytest.raises(DeviceError, match="NVML fails: GPU is lost"):
            read()
    nvml.fails(0)


def test_gpu_that_is_not_there(nvml: FakeNvml) -> None:
    with pytest.raises(DeviceNotFoundError, match="NVML does not find GPU-7: Not Found"):
        NvmlPower(["GPU-7"])


def test_driver_that_is_not_there(nvml: FakeNvml) -> None:
    nvml.fails(fake_nvml.NVML_ERROR_DRIVER_NOT_LOADED)
    with pytest.raises(DeviceNotFoundError, match="Driver Not Loaded"):
        NvmlPower(["GPU-0"])
    nvml.fails(0)


def test_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(DeviceNotFoundError, match=r"pip install 'lightning-powertrain\[nvml\]'"):
        NvmlPower(["GPU-0"])


def test_the_fake_is_like_the_real_module() -> None:
    real = pytest.importorskip("pynvml")
    for name in (name for name in dir(fake_nvml) if name.startswith("NVML_ERROR")):
        assert getattr(real, name) == getattr(fake_nvml, name)
        error = real.NVMLError(getattr(real, name))
        assert error.value == getattr(real, name)
        assert str(error) == str(fake_nvml.FakeNvmlError(error.value))
    ours = FakeNvml(["GPU-0"])
    for name in (name for name in dir(ours) if name.startswith("nvml")):
        mine, theirs = getattr(ours, name), getattr(real, name)
        if callable(mine):
            assert list(inspect.signature(mine).parameters) == list(inspect.signature(theirs).parameters), name
        else:
            assert mine == theirs


def test_the_real_module_without_a_gpu_is_a_clear_error() -> None:
    real = pytest.importorskip("pynvml")
    try:
        real.nvmlInit()
    except real.NVMLError:
        with pytest.raises(DeviceNotFoundError, match="NVML does not find GPU-0"):
            NvmlPower(["GPU-0"])
    else:
        real.nvmlShutdown()
        pytest.skip("there is an NVIDIA driver here")
