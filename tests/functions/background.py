"""Start a thread and open a file during the import: both belong to a fresh sandbox."""

import threading
from pathlib import Path
from typing import Any

from localfn import Context, function

source = Path(__file__).open()
threading.Thread(target=threading.Event().wait, name="background", daemon=True).start()


@function
def beside_background(event: Any, context: Context) -> Any:
    """Leave another thread if the event asks for it."""
    if event.get("do"):
        threading.Thread(target=threading.Event().wait, name="another", daemon=True).start()
    return threading.active_count()
