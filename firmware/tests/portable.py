"""Checks that run on CPython and on real MicroPython: functions named check_* of one module.

On MicroPython: `micropython portable.py MODULE [FOLDER]`; each check gets a fresh folder when it
takes an argument.
"""

import sys

if sys.implementation.name == "micropython":
    import os

    sys.path.insert(0, __file__.rsplit("/", 1)[0])

    def run(module_name, folder):
        module = __import__(module_name)
        names = sorted(name for name in dir(module) if name.startswith("check_"))
        for number, name in enumerate(names):
            fresh = "%s/%d" % (folder, number)
            os.mkdir(fresh)
            try:
                getattr(module, name)(fresh)
            except BaseException as error:  # noqa: BLE001 - told, then the end
                sys.print_exception(error)
                print("FAILED", name)
                sys.exit(1)
        print("passed", len(names))

    run(sys.argv[1], sys.argv[2])
else:
    from pathlib import Path

    def checks_of(module):
        """The check functions of a module, for parametrize."""
        checks = [value for name, value in vars(module).items() if name.startswith("check_")]
        assert checks
        return checks

    def run_on_micropython(micropython, module, folder, **options):
        """Run all checks of a module on MicroPython and see that each was run."""
        out = micropython.run(Path(__file__), module.__name__, str(folder), **options)
        assert out.splitlines()[-1] == f"passed {len(checks_of(module))}", out
