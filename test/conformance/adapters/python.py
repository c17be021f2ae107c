"""
in-toto for Python as an adapter: `python python.py FOLDER`, in an environment where in-toto is installed. Its own command does the work; it takes no
parameters, so a case that has some goes to the function behind it. The protocol is in ../README.md.
"""

import os
import sys

folder = sys.argv[1]
keys = [os.path.join("..", "keys", name) for name in sorted(os.listdir(os.path.join(folder, "keys")))]
substitute = None
if os.path.exists(os.path.join(folder, "parameters")):
    with open(os.path.join(folder, "parameters"), encoding="utf-8") as file:
        substitute = dict(line.rstrip("\n").split("=", 1) for line in file)
os.chdir(os.path.join(folder, "work"))

if substitute is None:
    from in_toto.in_toto_verify import main

    sys.argv[1:] = ["--layout", "../root.layout", "--verification-keys", *keys, "--link-dir", "../links"]
    main()
else:
    from in_toto import verifylib
    from in_toto.models._signer import load_public_key_from_file
    from in_toto.models.metadata import Metadata

    try:
        trusted = {key["keyid"]: key for key in map(load_public_key_from_file, keys)}
        verifylib.in_toto_verify(Metadata.load("../root.layout"), trusted, "../links", substitution_parameters=substitute)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
