"""From a write to the events that tell it: publishers, and the watch over each way of writing."""
