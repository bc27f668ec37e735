"""Licences, papers and regimes from files into the gateway's registry, and what it has of them."""
