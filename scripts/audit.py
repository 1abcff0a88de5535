"""Looks the locked versions up among known vulnerabilities (pip-audit): python scripts/audit.py.

Fails if one is known. pip-audit says "no known vulnerabilities" too where it could ask nobody, so this says how many it
has asked about; with AUDIT=strict in the environment it fails unless that is all of them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements/core.lock"


def main() -> int:
    """0: none is known."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(LOCK), "-f", "json"]
    done = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"audit: pip-audit did not run: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return 1 if os.environ.get("AUDIT") == "strict" else 0
    asked = [one for one in packages if "skip_reason" not in one]
    found = [(one, vulnerability) for one in asked for vulnerability in one["vulns"]]
    for one, vulnerability in found:
        print(f"audit: {one['name']} {one['version']}: {vulnerability['id']}, fixed in {vulnerability['fix_versions']}")
    print(f"audit: {len(asked)} of {len(packages)} packages looked up, {len(found)} known vulnerabilities")
    return 1 if found or (len(asked) < len(packages) and os.environ.get("AUDIT") == "strict") else 0


if __name__ == "__main__":
    sys.exit(main())
