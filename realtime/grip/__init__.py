"""GRIP: streams that a proxy holds, and how the log reaches it."""
