"""The process group over which the processes of a job exchange messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import torch.distributed as dist

from lightning_powertrain.distributed.communicator import TorchCommunicator


@pytest.mark.skipif(not dist.is_available(), reason="this torch is built without torch.distributed")
def test_the_process_group_has_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {}
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "is_gloo_available", lambda: True)
    monkeypatch.setattr(dist, "new_group", lambda **arguments: options.update(arguments))
    TorchCommunicator()
    assert options == {"backend": "gloo", "timeout": timedelta(minutes=10)}
