"""What happens where the machine lacks something that a test needs."""

import os
import shutil
from pathlib import Path

from containers import needed as leave_out

TOOLS = Path(__file__).parent.parent.parent / ".cache" / "tools"


def needed(program: str, advice: str, path: str = f"{TOOLS}:{os.environ['PATH']}") -> str:
    """Where the program is; without it the test is left out."""
    found = shutil.which(program, path=path)
    if found is None:
        leave_out(f"{program} is missing: {advice}")
    return found
