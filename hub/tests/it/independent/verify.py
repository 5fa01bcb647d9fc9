"""Verifies access tokens by PyJWT and the hub's JWKS alone: prints which were accepted.

Usage: python3 verify.py FILE, which holds {issuer, tokens}.
"""

import json
import sys

import jwt

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
issuer = given["issuer"]
keys = jwt.PyJWKClient(issuer + "/.well-known/jwks.json")
known = {key.key_id: key for key in keys.get_signing_keys()}
accepted = []
for n, token in enumerate(given["tokens"]):
    try:
        head = jwt.get_unverified_header(token)
        if head.get("typ") != "at+jwt":
            continue
        key = known[head["kid"]]
        jwt.decode(token, key, algorithms=["EdDSA"], issuer=issuer, audience=issuer)
        accepted.append(n)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        pass
print(json.dumps(accepted))
