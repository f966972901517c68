"""Passwords and keys have no place in what is stored and shown: recipes, manifests, logs, pages."""

import re

from luthier.errors import SourceError

PASSWORD = re.compile(r"(?:^[a-z][a-z0-9+.-]*:|//)[^/@:]*:[^@]*@|^(?:https?|ftps?)://[^/]*@", re.I)
SECRET = re.compile(r"[?&;](?:sig|[^=&/]*(?:token|secret|passw|pwd|signature|credential|key|auth(?!or))[^=&/]*)=", re.I)


def require_no_secret(uri: str) -> None:
    """Raises a SourceError, which does not repeat the URI, when a password, a key or a token is written in it."""
    if PASSWORD.search(uri) or SECRET.search(uri):
        raise SourceError(
            "a source in which a password or a key is written",
            remedy="keep it in the environment: sql://NAME names the variable that holds a database's URL, "
            "and the libraries behind s3://, gs://, az:// and hub:// read variables of their own",
        )
