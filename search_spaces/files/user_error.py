"""The one kind of error that a user can mend, so that a bug of ours, or of a library, is never mistaken for one."""


class UserError(ValueError):
    """What was given cannot be used: the message states the law, the values, the place and the remedy.

    Every error of this project that is the user's is one of these. A command ends with its message alone; any other
    `ValueError` keeps its traceback.
    """


class PluginError(UserError):
    """What is wrong behind a door: no plugin of a name, or somebody else's code that is broken or fails.

    The user can choose another plugin, its author needs the traceback: that of the cause (`raise ... from`). Without
    one, the message says all.
    """
