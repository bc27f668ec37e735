"""The transparency log: C2SP tiles, signed notes and checkpoints, RFC 6962 hashing."""
