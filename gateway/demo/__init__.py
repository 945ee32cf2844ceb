"""The main job shown working: the daemon with simulated piles that charge, break and recover."""

from gateway.demo.run import run_demo

__all__ = ["run_demo"]
