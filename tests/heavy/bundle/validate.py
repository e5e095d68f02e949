"""Asks two other readers about a sealed bundle: bagit.py whether the bag is valid, securesystemslib (of in-toto and TUF) whether both
envelopes are signed by the key, found by its key id. `validate.py BUNDLE KEY.pub`; ends with 1 if one of them says no.

Makes an environment of its own under target/ (PyPI). `cargo test --test main other_readers -- --ignored` runs it on good and bad bundles.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[3]
HOME = ROOT / "target" / "heavy" / "bundle"


def in_venv():
    """Goes on in the virtual environment."""
    python = HOME / "bin" / "python"
    if Path(sys.executable) == python:
        return
    if not python.exists():
        venv.create(HOME, with_pip=True)
        packages = ["bagit==1.9.0", "securesystemslib[crypto]==1.6.0"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    os.execv(python, [str(python), *sys.argv])


def main(bundle, key):
    in_venv()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    validated = subprocess.run([HOME / "bin" / "bagit.py", "--validate", bundle])
    if validated.returncode != 0:
        sys.exit(1)
    # from_crypto computes the key id in securesystemslib's way: verify() looks for a signature with that id.
    public = SSlibKey.from_crypto(load_pem_public_key(Path(key).read_bytes()))
    for name in ["results", "bag"]:
        envelope = Envelope.from_dict(json.loads((Path(bundle) / f"{name}.intoto.json").read_text()))
        try:
            accepted = envelope.verify([public], 1)
        except Exception as error:  # Whatever it is, this reader refuses the bundle.
            sys.exit(f"securesystemslib: {name}: {error!r}")
        print(f"securesystemslib: {name}: {', '.join(accepted)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
