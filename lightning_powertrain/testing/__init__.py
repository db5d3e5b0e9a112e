"""What others need to test a device of their own. Needs pytest, which the rest of this library does not."""

import pytest

pytest.register_assert_rewrite("lightning_powertrain.testing.device_conformance")

from lightning_powertrain.testing.captures import unpack_capture  # noqa: E402
from lightning_powertrain.testing.device_conformance import DeviceConformance  # noqa: E402

__all__ = ["DeviceConformance", "unpack_capture"]
