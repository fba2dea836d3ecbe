"""The WebSocket transport: from the handshake to the conversation."""
