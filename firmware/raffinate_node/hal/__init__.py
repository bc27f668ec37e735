"""What a board is to the node: one class Hal a port, the same members in each (docs/node.md)."""
