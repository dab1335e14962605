"""Every setting has one name, one meaning and one schema; what the schema lacks is refused.

A `Home` is where a daemon keeps its things. `load` reads every source of settings and answers with
a `Loaded`: checked, frozen `Settings`, where each comes from, and the secrets, kept apart.
"""

from rrr.home import Home

from .loading import Loaded, load
from .schema import Settings
from .showing import show, show_json

__all__ = ["Home", "Loaded", "Settings", "load", "show", "show_json"]
