"""The conditions of a licence, one family a file: small pure functions of licence and facts."""
