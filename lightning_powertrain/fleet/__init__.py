"""Many boards in one job: one process tunes them all, the others do as it says."""

from lightning_powertrain.fleet.leader import Leader
from lightning_powertrain.fleet.member import Member
from lightning_powertrain.fleet.peers import Peers, TorchPeers
from lightning_powertrain.fleet.programme import Task

__all__ = ["Leader", "Member", "Peers", "Task", "TorchPeers"]
