"""The one error of every parser and verifier of this package."""


class WireError(ValueError):
    """Bytes that are not what they should be.

    `code` is a short kebab-case reason for machines, `args[0]` a sentence for people; on a board,
    for which firmware is linked without the sentences, the code again.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code
