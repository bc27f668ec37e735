"""A gateway without an InfluxDB does not load its client."""

from __future__ import annotations

import subprocess
import sys


def test_influx_client_is_loaded_where_it_is_configured_only():
    code = "import sys, raffinate.app; print({'influxdb_client', 'httpx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    code = (
        "import sys; from raffinate.config import Influx; import inspect\n"
        "from raffinate.series.targets import open_target\n"
        "known = dict(url='http://127.0.0.1:9', version='2', bucket='b', org='o', token='t')\n"
        "names = inspect.signature(Influx).parameters\n"
        "open_target(Influx(**{name: known.get(name) for name in names})).close()\n"
        "print('influxdb_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
