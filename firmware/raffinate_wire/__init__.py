"""Wire formats shared by boards, gateway, rigs and verifier: pure, no input or output, no clock.

MicroPython dialect. Each module is imported by its own name; nothing is imported here, so that
a board loads only what it uses.
"""
