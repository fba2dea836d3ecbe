"""The servers that are compared: each opens streams of one channel, and publishes to it."""
