"""Makes an import of Mathesar cheap, for gunicorn and for the programs beside this file.

It makes no garbage worth a look: the collector is a seventh of its time."""
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import sys


class LoadedWhenUsed(importlib.abc.MetaPathFinder):
    """Loads a module when something of it is used. No page needs these, and they are a third of the import."""
    names = {
        'clevercsv': 'an import of a file',
        'cairosvg': 'a thumbnail',
        'fsspec': 'a file in a cell',
        'jwt': 'a login by SSO',
        'requests': 'a download from another site, and a report once a day',
    }

    def find_spec(self, name, path, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name in self.names else None
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


gc.disable()
sys.meta_path.insert(0, LoadedWhenUsed())


def set_up_django():
    """For a program that goes on alone."""
    import django

    django.setup()
    gc.enable()
