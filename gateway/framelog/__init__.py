"""Frame logs, in and out: text logs, the daemon's own captures, captures of tcpdump; all streamed."""

from gateway.framelog.capture_writer import CaptureConfig, CaptureWriter, NoCapture
from gateway.framelog.hextext import hex_bytes
from gateway.framelog.lines import Kind, LogDamage, LogLine
from gateway.framelog.reading import read_log
from gateway.framelog.text import TextLogWriter, instant_ms, instant_text

__all__ = [
    "CaptureConfig",
    "CaptureWriter",
    "Kind",
    "LogDamage",
    "LogLine",
    "NoCapture",
    "TextLogWriter",
    "hex_bytes",
    "instant_ms",
    "instant_text",
    "read_log",
]
