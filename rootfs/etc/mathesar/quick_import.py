"""Makes an import of Mathesar cheap, for gunicorn and for the programs beside this file.

It makes no garbage worth a look: the collector is a seventh of its time."""
import gc
import importlib.abc
import importlib.machinery
import sys
import time
from importlib._bootstrap import _DeadlockError, _ModuleLock


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
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = PartLoader(spec.loader) if part else LateLoader(spec.loader)
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
        turn = _ModuleLock(module.__name__)  # Another thread may import a part, which has a lock, too: Python sees who waits for whom.
        is_loading = False

        def load_once():
            nonlocal is_loading
            if is_loading or names.get('__getattr__') is not look_up:  # The module asks itself, or another thread was first.
                return
            is_loading = True
            try:
                self.loader.exec_module(module)
                if names['__getattr__'] is look_up:
                    del module.__getattr__
            finally:
                is_loading = False

        def load():
            for pause in (0.01,) * 9 + (None,):
                try:
                    turn.acquire()
                except _DeadlockError:  # Who loads it waits for a part that this thread imports: that finds half a package, as ever.
                    return
                try:
                    return load_once()
                except _DeadlockError:  # Another thread imports a part, and waits for the package.
                    if pause is None:
                        raise
                finally:
                    turn.release()
                time.sleep(pause)  # It goes first.

        def look_up(name):
            load()
            own = names.get('__getattr__')
            if name in names:
                return names[name]
            if own in (None, look_up):
                raise AttributeError(f'module {module.__name__!r} has no attribute {name!r}', name=name, obj=module)
            return own(name)

        module.__getattr__ = look_up


class PartLoader(importlib.abc.Loader):
    """
    Loads the package before a part of it, which it may bring. Not while the part is looked for: Python holds its lock of all imports
    then, and another thread that is just loading the package needs that.
    """
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        package, _, part = spec.name.partition('.')
        hasattr(sys.modules[package], part)
        self.there = sys.modules.get(spec.name)
        if self.there is None:
            return self.loader.create_module(spec)
        self.spec = self.there.__spec__  # Python sets its own now.
        return self.there

    def exec_module(self, module):
        if self.there is not None:
            module.__spec__ = self.spec
            return
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)


gc.disable()
sys.meta_path.insert(0, LoadedWhenUsed())


def set_up_django():
    """For a program that goes on alone."""
    import django

    django.setup()
    gc.enable()
