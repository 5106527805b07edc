"""Makes an import of Mathesar cheap, for gunicorn and for the programs beside this file.

It makes no garbage worth a look: the collector is a seventh of its time."""
import gc
import importlib.abc
import importlib.machinery
import sys
import threading


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
        package, _, part = name.partition('.')
        if package not in self.names:
            return None
        if part:
            hasattr(sys.modules[package], part)  # Its package comes first, and may bring it.
            return LoadedAlready.spec_of(sys.modules[name]) if name in sys.modules else None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LateLoader(spec.loader)
        return spec


class LateLoader(importlib.abc.Loader):
    """
    Executes a module when a name is asked for that it does not have yet (PEP 562). Python's LazyLoader does so at the second
    `import` of it, too, which asks for its spec.
    """
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        names = vars(module)
        turn = threading.RLock()
        is_loading = False

        def load():
            nonlocal is_loading
            with turn:
                if is_loading or names.get('__getattr__') is not look_up:  # The module asks itself, or another thread was first.
                    return
                is_loading = True
                try:
                    self.loader.exec_module(module)
                    if names['__getattr__'] is look_up:
                        del module.__getattr__
                finally:
                    is_loading = False

        def look_up(name):
            load()
            own = names.get('__getattr__')
            if name in names:
                return names[name]
            if own in (None, look_up):
                raise AttributeError(f'module {module.__name__!r} has no attribute {name!r}', name=name, obj=module)
            return own(name)

        module.__getattr__ = look_up


class LoadedAlready(importlib.abc.Loader):
    """For a part that came while it was looked for: Python would take its spec, and execute it a second time."""
    def __init__(self, module):
        self.module, self.spec = module, module.__spec__

    @classmethod
    def spec_of(cls, module):
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, cls(module))
        return module.__spec__

    def create_module(self, spec):
        return self.module

    def exec_module(self, module):
        module.__spec__ = self.spec


gc.disable()
sys.meta_path.insert(0, LoadedWhenUsed())


def set_up_django():
    """For a program that goes on alone."""
    import django

    django.setup()
    gc.enable()
