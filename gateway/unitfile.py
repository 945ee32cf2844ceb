"""The systemd unit of the daemon, hardened: it needs the network, its own state directory and nothing else."""

from __future__ import annotations

from pathlib import Path

_UNIT = """\
[Unit]
Description=Pilegate, gateway for charging piles
Documentation=https://www.freedesktop.org/software/systemd/man/systemd.exec.html
After=network-online.target time-sync.target
Wants=network-online.target

[Service]
Type=exec
ExecStart={executable} run --config {config_path}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
RestartPreventExitStatus=2
TimeoutStopSec=30
User={user}
Group={user}
StateDirectory=pilegate
StateDirectoryMode=0750
WorkingDirectory=/var/lib/pilegate
UMask=0027
LimitNOFILE=20000
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def unit_text(*, executable: str, config_path: str, user: str) -> str:
    """The unit file; ``executable`` is the ``pilegate`` command as it was called, made absolute.

    A configuration that cannot be used (exit status 2) is not tried again; everything else is.
    """
    path = Path(executable)
    command = str(path.resolve() if path.exists() else path)
    return _UNIT.format(executable=_word(command), config_path=_word(config_path), user=user)


def _word(text: str) -> str:
    """One word of a command line of systemd: blanks quoted, specifiers and backslashes taken literally."""
    text = text.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{text}"' if any(each.isspace() for each in text) else text
