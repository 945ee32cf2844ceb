"""Frame logs: what a gateway saw on its links, in three forms, read as one stream of lines."""

from gateway.framelog.capture import CaptureConfig, CaptureWriter, NoCapture
from gateway.framelog.lines import LogDamage, LogLine
from gateway.framelog.reading import read_log
from gateway.framelog.text import TextLogWriter

__all__ = ["CaptureConfig", "CaptureWriter", "LogDamage", "LogLine", "NoCapture", "TextLogWriter", "read_log"]
