"""What those need who run this: health, metrics, who is connected, and the commands' logic."""
