"""Whether two databases behave the same: what is read of each, how they are compared and judged.

Read-only; nothing of this package writes to the databases that it compares.
"""
