"""What a board shows, as one archive for a report of trouble: read only, bounded, without what names its owner."""

from lightning_powertrain.devices.capture.archive import Capture, capture, read_archive, write_archive

__all__ = ["Capture", "capture", "read_archive", "write_archive"]
