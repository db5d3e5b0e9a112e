"""Installing the root helper: a copy that only root can change, and one narrow way for a user to start it.

Read in this order: ``root_only`` (what root may run), ``system_python`` (which Python runs it), ``service`` and
``sudo_rule`` (who may start it), ``installation`` (all of it together).
"""

from lightning_powertrain.devices.helper_setup.installation import Installation, describe_removal, remove
from lightning_powertrain.devices.helper_setup.service import has_systemd

__all__ = ["Installation", "describe_removal", "has_systemd", "remove"]
