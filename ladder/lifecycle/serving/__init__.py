"""Files to serve a chosen system with, ready to edit. `ladder` starts and installs nothing."""

from ladder.lifecycle.serving.compose import as_compose
from ladder.lifecycle.serving.kubernetes import as_kubernetes
from ladder.lifecycle.serving.service import Platform

PLATFORMS: dict[str, Platform] = {"compose": as_compose, "kubernetes": as_kubernetes}
"""To add a platform: a function from a `service.Service` to its files, and a line here."""
