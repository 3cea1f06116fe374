"""The live view: a page in the browser that follows stores while they grow.

A commit travels `following` (what is in the store, or a sentence why not) ─► `window` (the part
that is looked at, in as many bins as a screen has room for) ─► `shown` (what each figure shows)
─► `figures` (Bokeh) ─► `page` (with widgets) ─► `server`. A window's length bounds what is kept on
either side; nothing else depends on how long a store is.
"""

from .server import View

__all__ = ["View"]
