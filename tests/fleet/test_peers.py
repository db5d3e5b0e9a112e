"""The process group over which the processes of a job agree on power modes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import torch.distributed as dist

from lightning_powertrain.fleet.peers import TorchPeers


@pytest.mark.skipif(not dist.is_available(), reason="this torch is built without torch.distributed")
def test_nobody_waits_for_ever_for_a_process_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "is_gloo_available", lambda: True)
    monkeypatch.setattr(dist, "new_group", lambda **options: asked.update(options))
    TorchPeers()
    assert asked == {"backend": "gloo", "timeout": timedelta(minutes=10)}
