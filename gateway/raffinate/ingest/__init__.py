"""From the broker to the archive: checks, order, acknowledgement."""
