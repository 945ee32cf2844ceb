"""Everything of Pilegate that touches the world: links, store, upstreams, interfaces."""

__version__ = "0.1.0"
